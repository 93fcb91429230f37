//! The revision without a session (2026-07-28), over HTTP and over pipes.
//!
//! Every request says in its `_meta` what a handshake said once, so nothing of the client's is looked up by an id. What
//! is kept, is kept for callers who are the same and declared the same (`Visit`): the gateway knows such a group as
//! one client.
//!
//! A question of a backend is put to the client in an answer, which the client repeats its request with. A backend
//! that can only ask while its call runs has that call *parked* meanwhile.
//!
//! Read in this order: `claim` (whose message it is), `answer` (what becomes of a request), `run` (one call), `result`
//! (what answers need besides what the backend said), `input` and `park` (questions), `listen` (messages outside
//! calls), `body` (all of it as HTTP).

mod about;
mod answer;
mod body;
mod claim;
mod discover;
mod hall;
mod input;
mod listen;
mod long;
mod park;
mod result;
mod run;
mod seam;
mod state;

pub(crate) use answer::answer;
pub(crate) use body::LoneBody;
pub(crate) use claim::{Arrival, Lone, claim};
pub(crate) use hall::Hall;

pub(super) use answer::{Begun, Request, begin};
pub(super) use claim::claim_line;
pub(super) use listen::Listen;
pub(super) use long::Long;
pub(super) use run::{Answer, Run, Said};
