//! The HTTP headers that carry protocol state, or repeat what a body says.
//!
//! Names are in lower case. A repeated value lets others route a request without reading its body, so whoever reads
//! both must refuse a request where they differ: [`check_request`] and [`ParamHeaders::check`] do. The other side
//! makes the headers from the body: [`name_value`] and [`ParamHeaders::values`]. Both take the raw bytes that travel
//! and build nothing from them. How a text becomes a value and back is in [`encode`] and [`decode`].
//!
//! (MCP 2026-07-28, Streamable HTTP, "Request Metadata"; SEP-2243.)

mod compare;
mod number;
mod param;
mod schema;
mod value;

pub use compare::{Mismatch, check, check_encoded, check_request, name_member, name_value, single};
pub use param::{ParamHeader, ParamHeaders};
pub use value::{decode, encode};

/// The session a message belongs to.
pub const SESSION_ID: &str = "mcp-session-id";
/// The revision both sides agreed on, or that a request is written in.
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// Where to resume an event stream.
pub const LAST_EVENT_ID: &str = "last-event-id";
/// What a request asks for, as in its body.
pub const METHOD: &str = "mcp-method";
/// What a request is about: the name of a tool or prompt, the URI of a resource, the id of a task.
pub const NAME: &str = "mcp-name";
/// Begins the names of headers that repeat single arguments of a tool.
pub const PARAM_PREFIX: &str = "mcp-param-";
