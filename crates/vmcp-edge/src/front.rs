//! Stage *front*: the only code on the client's side that knows a revision.
//!
//! A front turns what a client sent into `Sorted` messages and shakes hands; everything behind it speaks
//! calls and replies. There is one for HTTP and one for a pair of pipes ([`stdio`]); they share the handshake.

mod legacy;
pub mod stdio;

pub(crate) use legacy::{Head, Incoming, Opening, Sorted};
