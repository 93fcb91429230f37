//! The validated configuration: what the other crates read.
//!
//! Values here are finished: references are resolved, durations are `Duration`, secrets are sealed
//! against `Debug`. Every bound in the product is a field with a default (law: everything is bounded).

use std::net::SocketAddr;

mod aggregation;
mod authz;
mod backend;
mod bounds;
mod catalogue;
mod incoming;
mod outgoing;
mod seal;
mod tasks;
mod tls;

pub use aggregation::{Aggregation, Naming, Override, PrefixFormat, ToolRules, Visibility};
pub use authz::{Authz, PolicySource};
pub use backend::{
    Backend, BackendId, BackendTimeouts, Network, ProcessScope, SafeUrl, Stdio, Transport,
};
pub use bounds::{Limits, SessionLimits, Timeouts};
pub use catalogue::Catalogue;
pub use incoming::{IncomingAuth, Oidc};
pub use outgoing::{
    ActorToken, AwsSts, ClientAuth, ClientCredentials, Custom, HeaderInjection, JwtAlgorithm,
    OAuth, OAuthClient, OutgoingAuth, RoleMapping, TokenExchange, TokenType, UpstreamInject, Xaa,
};
pub use seal::{Seal, SealKey};
pub use tasks::Tasks;
pub use tls::{ClientCerts, ListenTls, TlsVersion};

use crate::diagnostic::Diagnostic;

/// Everything vmcp is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name of this virtual server, told to clients in `serverInfo`.
    pub name: String,
    /// ToolHive's `groupRef`: a label.
    pub group: String,
    /// Where vmcp listens.
    pub listen: Listen,
    /// Who may call.
    pub incoming_auth: IncomingAuth,
    /// What callers may do; `None` permits everything to everybody who may call.
    pub authz: Option<Authz>,
    /// The backends, in the order they were written.
    pub backends: Vec<Backend>,
    /// How the backends' capabilities are named and shown.
    pub aggregation: Aggregation,
    /// What outlives vmcp of what the backends offer.
    pub catalogue: Catalogue,
    /// Headers of a client's request that travel on to the backends: lower-case names, in the order written.
    pub passthrough_headers: Vec<String>,
    /// Bounds of client sessions.
    pub session: SessionLimits,
    /// What clients carry between two requests, and what waits for them meanwhile.
    pub seal: Seal,
    /// Bounds of calls that go on after they were answered.
    pub tasks: Tasks,
    /// Bounds of messages and queues.
    pub limits: Limits,
    /// Bounds of time that are not a backend's own.
    pub timeouts: Timeouts,
    /// `operational.logLevel`: `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: Option<&'static str>,
    /// Sections that were not given, and what holds instead.
    pub assumed: Vec<String>,
    /// Findings that do not stop vmcp from running.
    pub warnings: Vec<Diagnostic>,
}

/// Where vmcp listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Socket addresses; default `127.0.0.1:4483`.
    pub addrs: Vec<SocketAddr>,
    /// The path of the MCP endpoint; default `/mcp`.
    pub path: String,
    /// The path where clients of the transport of 2024-11-05 (HTTP with SSE) open their stream; default `/sse`. `None`
    /// serves none of them.
    pub sse: Option<String>,
    /// Names that a request may be sent to (its `Host`), besides those of a loopback listener.
    pub hosts: Vec<String>,
    /// Web pages that may call, by origin (`https://app.example`), besides those of a loopback listener.
    pub origins: Vec<String>,
    /// TLS on all addresses; `None` is plain HTTP.
    pub tls: Option<ListenTls>,
}

/// A text that is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address to listen on")]
pub struct ListenError(String);

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "vmcp".to_owned(),
            group: "default".to_owned(),
            listen: Listen::default(),
            incoming_auth: IncomingAuth::default(),
            authz: None,
            backends: Vec::new(),
            aggregation: Aggregation::default(),
            catalogue: Catalogue::default(),
            passthrough_headers: Vec::new(),
            session: SessionLimits::default(),
            seal: Seal::default(),
            tasks: Tasks::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            log_level: None,
            assumed: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

// === impl Listen ===

impl Listen {
    /// Reads `host:port`; the host is an IP address or `localhost`.
    pub fn addr(text: &str) -> Result<SocketAddr, ListenError> {
        let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        named.as_deref().unwrap_or(text).parse().map_err(|_| ListenError(text.to_owned()))
    }

    /// Where clients that come to this address find MCP.
    #[must_use]
    pub fn url(&self, addr: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{addr}{}", self.path)
    }

    /// Where clients that opened a stream at `sse` post their messages: `message` beside it.
    #[must_use]
    pub fn sse_messages(&self) -> Option<String> {
        let (folder, _) = self.sse.as_deref()?.rsplit_once('/')?;
        Some(format!("{folder}/message"))
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            addrs: vec![SocketAddr::from(([127, 0, 0, 1], 4483))],
            path: "/mcp".to_owned(),
            sse: Some("/sse".to_owned()),
            hosts: Vec::new(),
            origins: Vec::new(),
            tls: None,
        }
    }
}
