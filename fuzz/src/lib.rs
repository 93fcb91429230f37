//! What the fuzz targets share: how one input becomes a text and ways of cutting it, and what
//! another JSON parser thinks of it.
//!
//! An input is a text, so that seeds can be written by hand. Where the fuzzer wants to choose how
//! the text is cut into chunks, it says so behind the last byte `0xff`, which no text contains.

mod book;
mod chunks;

pub use book::{Expected, Value, json, members, message};
pub use chunks::{Input, joined};
