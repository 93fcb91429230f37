//! The only code that knows a protocol revision: how a session is opened, and how lists are read.
//!
//! There is one family of revisions so far. What the rest of the crate uses is named here, so that a second
//! family is one more module and a choice in this file.

mod legacy;

pub(crate) use legacy::{confirmation, greeting, list_all, opening};
