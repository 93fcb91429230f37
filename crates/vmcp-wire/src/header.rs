//! Names of the HTTP headers that carry protocol state, in lower case.

/// The session a message belongs to.
pub const SESSION_ID: &str = "mcp-session-id";
/// The revision both sides agreed on.
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// Where to resume an event stream.
pub const LAST_EVENT_ID: &str = "last-event-id";
/// What a request asks for, as in its body. On every request of the stateless revision.
pub const METHOD: &str = "mcp-method";
/// What a request is about: the name of a tool or prompt, the URI of a resource, the id of a task.
pub const NAME: &str = "mcp-name";
/// Begins the names of headers that repeat single arguments of a tool.
pub const PARAM_PREFIX: &str = "mcp-param-";
