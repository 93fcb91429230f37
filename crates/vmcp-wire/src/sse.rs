//! Server-sent events, both directions.

mod decode;
mod encode;

pub use decode::{Decoder, Dispatch, Item};
pub use encode::{EventHead, comment, end, keep_alive, part, priming, retry};
