//! The edge's own bounds, each with its default. Those that users set in the configuration are in
//! [`vmcp_config::Config`]; these are the ones that only operators of an embedding program turn.

use std::time::Duration;

/// What the edge allows beyond [`Limits`](vmcp_config::Limits) and
/// [`SessionLimits`](vmcp_config::SessionLimits). Crossing a bound is always an answer, never a silent loss.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Headers of one request.
    pub max_headers: usize,
    /// Requests being answered at one time, on all connections together.
    pub max_requests: usize,
    /// Bytes of long request bodies held at one time, on all connections together.
    pub max_body_memory: usize,
    /// Requests at one time on one HTTP/2 connection.
    pub max_multiplexed: u32,
    /// From the head of a request to the end of its body.
    pub read_body: Duration,
    /// A write that makes no progress.
    pub write: Duration,
    /// Bytes of events of one session that are kept for resumption.
    pub replay_bytes: usize,
    /// How long the events of an abandoned stream are kept for resumption.
    pub replay_keep: Duration,
    /// Requests of servers to one client that wait for its answer.
    pub max_questions: usize,
    /// How long a client may take to answer a server's request.
    pub answer: Duration,
    /// How long a call runs on after its client's connection is gone.
    pub abandoned: Duration,
    /// Reconnection time told to clients that can poll.
    pub retry: Duration,
    /// What to tell a client that comes when everything is taken.
    pub retry_after: Duration,
    /// Names that a `Host` header may carry, besides the loopback names on a loopback listener. Empty: any
    /// name on other listeners.
    pub hosts: Vec<String>,
    /// Origins (`https://app.example`) of web pages that may call, besides those of the loopback names on a
    /// loopback listener.
    pub origins: Vec<String>,
}

// === impl Bounds ===

impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_headers: 100,
            max_requests: 8192,
            max_body_memory: 256 << 20,
            max_multiplexed: 128,
            read_body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            replay_bytes: 256 << 10,
            replay_keep: Duration::from_secs(120),
            max_questions: 64,
            answer: Duration::from_secs(300),
            abandoned: Duration::from_secs(600),
            retry: Duration::from_secs(1),
            retry_after: Duration::from_secs(5),
            hosts: Vec::new(),
            origins: Vec::new(),
        }
    }
}
