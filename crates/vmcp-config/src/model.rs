//! The validated configuration: what the other crates read.
//!
//! Values here are finished: references are resolved, durations are `Duration`, secrets are sealed
//! against `Debug`. Every bound in the product is a field with a default (law: everything is bounded).

use std::net::SocketAddr;
use std::time::Duration;

mod aggregation;
mod backend;

pub use aggregation::{Aggregation, Naming, Override, PrefixFormat, ToolRules, Visibility};
pub use backend::{
    Backend, BackendId, BackendTimeouts, OutgoingAuth, ProcessScope, SafeUrl, Stdio, Transport,
};

use crate::diagnostic::Diagnostic;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Everything vmcp is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name of this virtual server, told to clients in `serverInfo`.
    pub name: String,
    /// ToolHive's `groupRef`: a label.
    pub group: String,
    /// Where vmcp listens.
    pub listen: Listen,
    /// The backends, in the order they were written.
    pub backends: Vec<Backend>,
    /// How the backends' capabilities are named and shown.
    pub aggregation: Aggregation,
    /// Bounds of client sessions.
    pub session: SessionLimits,
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
}

/// A text that is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address to listen on")]
pub struct ListenError(String);

/// Bounds of client sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLimits {
    /// A session unused for this long is ended.
    pub idle: Duration,
    /// Sessions at one time; one more is refused.
    pub max_sessions: usize,
    /// Open streams of one session.
    pub max_streams: usize,
    /// Calls in flight of one session.
    pub max_calls: usize,
    /// Messages that wait for one client's stream before the oldest is dropped.
    pub max_queue: usize,
}

/// Bounds of messages and queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The body of one request from a client.
    pub max_request_bytes: usize,
    /// One message from a backend that must be held whole.
    pub max_message_bytes: usize,
    /// How much of a reply is held before it is streamed.
    pub hold_bytes: usize,
    /// Nesting of JSON.
    pub max_depth: usize,
    /// All headers of one request.
    pub max_header_bytes: usize,
    /// Messages in one batch.
    pub max_batch: usize,
    /// Connections from clients at one time.
    pub max_connections: usize,
    /// Pages read from one backend for one kind of capability.
    pub max_list_pages: usize,
    /// Capabilities of one kind taken from one backend.
    pub max_list_items: usize,
}

/// Bounds of time that are not a backend's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// From accepting a connection to having its request's headers.
    pub read_headers: Duration,
    /// A kept-alive connection without a request.
    pub idle_connection: Duration,
    /// Between two comments that keep an event stream alive.
    pub keep_alive: Duration,
    /// How long a new session waits for backends that have never answered.
    pub first_catalogue: Duration,
    /// After this a backend's capabilities are listed again.
    pub refresh: Duration,
    /// How long calls in flight may run on after a stop signal.
    pub drain: Duration,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "vmcp".to_owned(),
            group: "default".to_owned(),
            listen: Listen::default(),
            backends: Vec::new(),
            aggregation: Aggregation::default(),
            session: SessionLimits::default(),
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
}

impl Default for Listen {
    fn default() -> Self {
        Self { addrs: vec![SocketAddr::from(([127, 0, 0, 1], 4483))], path: "/mcp".to_owned() }
    }
}

// === impl SessionLimits ===

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(30 * 60),
            max_sessions: 10_000,
            max_streams: 16,
            max_calls: 256,
            max_queue: 1024,
        }
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_request_bytes: 8 * MIB,
            max_message_bytes: 16 * MIB,
            hold_bytes: 64 * KIB,
            max_depth: 128,
            max_header_bytes: 64 * KIB,
            max_batch: 64,
            max_connections: 4096,
            max_list_pages: 10_000,
            max_list_items: 100_000,
        }
    }
}

// === impl Timeouts ===

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            read_headers: Duration::from_secs(10),
            idle_connection: Duration::from_secs(120),
            keep_alive: Duration::from_secs(15),
            first_catalogue: Duration::from_millis(1500),
            refresh: Duration::from_secs(60),
            drain: Duration::from_secs(10),
        }
    }
}
