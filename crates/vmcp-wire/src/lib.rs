//! Bytes to MCP messages and back: borrowed, lossless, bounded.
//!
//! A gateway reads six members of a message and changes one or two of them. Everything else (how a
//! number is spelled, the order of keys, members that nobody defined) belongs to somebody else and
//! must arrive as it left. So nothing here builds a tree of values: a message stays the bytes it
//! came as, and what we know of it is *where* things are in them.
//!
//! # From bytes to knowledge
//!
//! ```text
//!   chunk ─ Scanner ──marks──> Envelope ──spans──> Message      complete, in memory
//!           grammar            six members          │
//!           UTF-8              doubled? alike?      └ Assembler  the same from chunks; long
//!           depth                │                               responses stream as Pieces
//!                              Object, list, batch               one level of anything else
//! ```
//!
//! * The *scanner* is one state machine over bytes for every kind of JSON and every way of cutting
//!   it. It never recurses, keeps one bit per level of depth, and stops only at the members of the
//!   outermost container. It accepts RFC 8259, no more and no less.
//! * The *envelope* turns these marks into the spans of `jsonrpc`, `id`, `method`, `params`,
//!   `result` and `error`, and refuses whatever two parsers could read in two ways: members that
//!   are there twice, in any spelling, or on requests in another letter case.
//! * [`Message`] is bytes and spans. [`Message::with_id`] copies around the id; [`Message::pieces`]
//!   does not copy at all.
//! * [`Assembler`] does this for messages that arrive in chunks. A response that outgrows its
//!   `hold` is handed on chunk by chunk, validated, with a hole where the id stands.
//! * [`Object`] and [`Edits`] read and change single members of `params` and results; [`ResultWatch`] sees the
//!   outermost members of a result that streams go by.
//!
//! # Framings
//!
//! [`sse`] and [`lines`] carry messages over event streams and standard streams. Neither keeps the
//! data it carries.
//!
//! # Invariants
//!
//! * A byte that we do not own is never changed: not its spelling, not its place.
//! * Input of any length and shape costs bounded memory and linear time, and never a panic.
//! * [`revision`] is the only place that knows revisions by name.
//! * There is no I/O, no clock and no task here; any caller can drive it, tests and fuzzers too.
//!
//! # Example
//!
//! ```
//! use vmcp_wire::{Kind, Limits, Message, RawId};
//!
//! let bytes = r#"{"result":{"n":1.0},"id":41,"jsonrpc":"2.0"}"#;
//! let reply = Message::parse(bytes.into(), &Limits::default())?;
//! assert_eq!(reply.kind(), Kind::Success);
//! let client_id = RawId::from_token(b"\"call-1\"")?;
//! assert_eq!(reply.with_id(&client_id), r#"{"result":{"n":1.0},"id":"call-1","jsonrpc":"2.0"}"#);
//! # Ok::<(), vmcp_wire::WireError>(())
//! ```

pub mod asking;
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
pub mod task;
mod text;
mod uri_template;
mod validate;
mod watch;

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
pub use crate::validate::validate;
pub use crate::watch::{Noticed, ResultWatch, Token};
