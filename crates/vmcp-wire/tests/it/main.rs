//! The public face of the crate, tried with text that nobody would write but anybody may send.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

mod assemble;
mod book;
mod chunked;
mod edits;
mod header;
mod json;
mod lines;
mod malformed;
mod message;
mod object;
mod scan;
mod sse;
mod templates;
