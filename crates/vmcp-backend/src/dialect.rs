//! The only code that knows a protocol revision: how a session is opened, what a request says besides what its caller
//! said, and how a backend asks back.
//!
//! There are two families of revisions: with a handshake ([`legacy`]), and without a session ([`modern`]). Which one a
//! connection speaks stands in its [`ServerHello`](crate::ServerHello). What the rest of the crate uses is named here.

mod legacy;
mod lists;
mod modern;
mod tasks;

pub(crate) use legacy::{Waiting, answered, confirmation, expressed, greeting, opening};
pub(crate) use lists::list_all;
pub(crate) use modern::{
    Answers, Asked, Judge, Outcome, Stream, Terms, Verdict, discover, discovered, headers,
    is_foreign, is_kept, is_mismatch, is_offered, keep, listen, listen_on, outcome, questions,
    subscription, translated, watch,
};

pub(crate) use tasks::{followed, unrelated};

use legacy::tasks::{drive as call_as_task, follow as follow_offered};
use modern::tasks::follow as follow_asked;
use modern::{freshness, least};
