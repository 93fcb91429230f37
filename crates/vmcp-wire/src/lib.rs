//! Bytes to MCP messages and back: borrowed, lossless, bounded.

mod assemble;
mod body;
mod edits;
mod envelope;
mod error;
pub mod header;
mod id;
mod limits;
pub mod lines;
pub mod list;
mod message;
pub mod method;
mod object;
pub mod revision;
pub mod rpc;
mod scan;
mod splice;
pub mod sse;
mod text;
mod uri_template;

pub use crate::assemble::{Assembled, Assembler, Head, Piece};
pub use crate::body::{Body, parse_body};
pub use crate::edits::Edits;
pub use crate::error::WireError;
pub use crate::id::RawId;
pub use crate::limits::Limits;
pub use crate::message::{Kind, Message};
pub use crate::object::{Member, Object};
pub use crate::text::quote;
pub use crate::uri_template::UriTemplate;
