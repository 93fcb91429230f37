//! Stage *front*: the only code on the client's side that knows a revision.
//!
//! A front turns what a client sent into `Sorted` messages and shakes hands; everything behind it speaks
//! calls and replies. There is one for HTTP and one for a pair of pipes ([`stdio`]); they share the handshake. Between
//! them stands the transport of 2024-11-05 (`sse`): HTTP whose sessions are like pipes, one stream for everything.
//! Beside them stands the front of the revision without a session: it takes the messages that say all about
//! themselves, one by one, off whichever of the two ways they came.

mod legacy;
mod modern;
pub mod stdio;

pub(crate) use legacy::sse::{self, ChannelBody, Channels};
pub(crate) use legacy::{Asked, Head, Incoming, Older, Opening, Reply, Sorted};
pub(crate) use modern::{Arrival, Hall, Lone, LoneBody, answer, claim};
