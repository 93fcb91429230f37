//! What both sides say of themselves when a session is opened.

use bytes::Bytes;
use vmcp_wire::revision::Revision;

/// What a backend is told about the client.
#[derive(Debug, Clone)]
pub struct ClientHello {
    /// The revision asked for.
    pub revision: Revision,
    /// The client's capabilities, a raw JSON object: exactly what it declared.
    pub capabilities: Bytes,
    /// Name and version of the client, a raw JSON object.
    pub client_info: Bytes,
}

/// What a backend told about itself.
#[derive(Debug, Clone)]
pub struct ServerHello {
    /// The revision agreed on.
    pub revision: Revision,
    /// The backend's capabilities, a raw JSON object.
    pub capabilities: Bytes,
    /// Name and version of the backend, a raw JSON object; `{}` if it gave none.
    pub server_info: Bytes,
    /// The backend's advice to the model.
    pub instructions: Option<String>,
    /// The backend's own session id, if it gave one.
    pub session_id: Option<String>,
}
