//! Server-sent events, both directions, as the HTML standard defines them.
//!
//! A message is the data of an event, and may be long: [`Decoder`] hands data on in the parts in
//! which it arrives and holds only field names and the short fields; [`part`] writes data on in
//! the parts in which it is there.

mod decode;
mod encode;
pub use decode::{Decoder, Dispatch, Item};
pub use encode::{EventHead, comment, end, keep_alive, part, priming, retry};
