//! What both sides say of themselves when a session is opened.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use vmcp_wire::quote;
use vmcp_wire::revision::Revision;

use crate::Freshness;

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

/// What a session is opened with, besides its target and its caller.
#[derive(Debug, Clone)]
pub struct Hints {
    /// What the backend is told about the client.
    pub hello: ClientHello,
    /// The id of an earlier session with this backend. It is sent with the handshake over streamable HTTP, for backends
    /// that can go on with what they know under it; one that refuses it is asked again without. Visible ASCII.
    pub session_id: Option<String>,
}

/// What a backend told about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHello {
    /// The revision agreed on.
    pub revision: Revision,
    /// The backend's capabilities, a raw JSON object.
    pub capabilities: Bytes,
    /// Name and version of the backend, a raw JSON object; `{}` if it gave none.
    pub server_info: Bytes,
    /// The backend's advice to the model.
    pub instructions: Option<Arc<str>>,
    /// The backend's own session id, if it gave one.
    pub session_id: Option<String>,
    /// How long all of this is fresh, if it said so.
    pub freshness: Option<Freshness>,
}

/// What a backend said of itself last: mostly the same to everybody, so that all sessions can share it.
#[derive(Default)]
pub(crate) struct Said(Mutex<Option<ServerHello>>);

// === impl Said ===

impl Said {
    /// The same in memory that is shared, or at least is no part of a buffer.
    pub(crate) fn share(&self, hello: ServerHello) -> ServerHello {
        let session_id = hello.session_id;
        let hello = ServerHello { session_id: None, ..hello };
        let mut said = self.0.lock();
        let shared = match &*said {
            Some(known) if *known == hello => known.clone(),
            _ => {
                let own = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
                let (capabilities, server_info) =
                    (own(&hello.capabilities), own(&hello.server_info));
                said.insert(ServerHello { capabilities, server_info, ..hello }).clone()
            }
        };
        ServerHello { session_id, ..shared }
    }
}

// === impl ClientHello ===

impl ClientHello {
    /// A client of this name and version that asks for the newest revision and declares no capability: nobody can be
    /// asked anything.
    pub fn new(name: &str, version: &str) -> Self {
        let (name, version) = (quote(name), quote(version));
        let info = [b"{\"name\":", &name[..], b",\"version\":", &version, b"}"].concat();
        Self {
            revision: Revision::LATEST_HANDSHAKE,
            capabilities: Bytes::from_static(b"{}"),
            client_info: info.into(),
        }
    }
}

// === impl Hints ===

impl Hints {
    /// The same, going on with an earlier session where the backend can.
    #[must_use]
    pub fn with_session_id(mut self, id: impl Into<String>) -> Self {
        self.session_id = Some(id.into());
        self
    }
}

impl From<ClientHello> for Hints {
    fn from(hello: ClientHello) -> Self {
        Self { hello, session_id: None }
    }
}
