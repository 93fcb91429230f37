//! Names of the HTTP headers that carry protocol state, in lower case.

/// The session a message belongs to.
pub const SESSION_ID: &str = "mcp-session-id";
/// The revision both sides agreed on.
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// Where to resume an event stream.
pub const LAST_EVENT_ID: &str = "last-event-id";
