//! Every bound of the product, with its default: nothing that a peer can make grow is without one.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

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
    /// Progress tokens of backends, and resources that results linked to, before the oldest is forgotten.
    pub max_remembered: usize,
    /// What is kept for a client without a session is given up after this long without a request of it.
    pub stateless_idle: Duration,
    /// Clients without a session that something is kept for; for one more, whoever was longest without a request is
    /// given up.
    pub max_stateless: usize,
    /// Those of one principal.
    pub max_stateless_per_principal: usize,
    /// Open requests of one principal to be told what changes.
    pub max_listens: usize,
    /// The longest URI of a resource that is remembered because a result linked to it.
    pub max_uri_bytes: usize,
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
    /// Bytes of the capabilities of one kind taken from one backend.
    pub max_list_bytes: usize,
    /// One reply of a backend that is streamed: it costs no memory, but has an end.
    pub max_reply_bytes: usize,
    /// Headers of one request.
    pub max_headers: usize,
    /// Requests being answered at one time, on all connections together.
    pub max_requests: usize,
    /// Requests at one time on one HTTP/2 connection.
    pub max_multiplexed: usize,
    /// Bytes of long request bodies held at one time, on all connections together.
    pub max_body_memory: usize,
    /// Requests of servers to one client that wait for its answer.
    pub max_questions: usize,
    /// Rounds of questions in which a backend may ask during one call.
    pub max_rounds: usize,
    /// Those of them in a row without a question.
    pub max_empty_rounds: usize,
    /// Bytes of events of one session that are kept for resumption.
    pub replay_bytes: usize,
    /// Tokens of backends held at one time, of all callers together.
    pub max_tokens: usize,
    /// Sessions of clients that list one backend for themselves at the same time.
    pub max_listings: usize,
}

/// Bounds of time that are not a backend's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// From accepting a connection to having its request's headers.
    pub read_headers: Duration,
    /// From accepting a connection to the end of the handshake of TLS, after which `read_headers` begins.
    pub handshake: Duration,
    /// How often the files of certificates are looked at.
    pub certificates: Duration,
    /// A kept-alive connection without a request.
    pub idle_connection: Duration,
    /// Between two comments that keep an event stream alive.
    pub keep_alive: Duration,
    /// How long a new session waits for backends that have never answered.
    pub first_catalogue: Duration,
    /// After this a backend's capabilities are listed again.
    pub refresh: Duration,
    /// Before this they are not, however short the time that the backend calls them fresh.
    pub min_refresh: Duration,
    /// How long calls in flight may run on after a stop signal.
    pub drain: Duration,
    /// From the head of a request to the end of its body.
    pub read_body: Duration,
    /// A write to a client that makes no progress.
    pub write: Duration,
    /// How long a client may take to answer a server's request.
    pub answer: Duration,
    /// How long a call runs on after its client's connection is gone.
    pub abandoned: Duration,
    /// How long the events of an abandoned stream are kept for resumption.
    pub replay: Duration,
    /// Reconnection time told to clients that can poll.
    pub retry: Duration,
    /// What to tell a client that comes when everything is taken.
    pub retry_after: Duration,
    /// The longest a call may take, whatever progress it reports.
    pub max_call: Duration,
    /// How long the reader of one reply may keep a shared pipe from being read.
    pub stall: Duration,
    /// How long a message to a process may wait for it to read what was written before.
    pub pipe: Duration,
    /// How long a process that owes an answer, or does not read, may take to give a sign of life when it is asked.
    pub ping: Duration,
    /// How long closing a backend's session waits for its calls in flight.
    pub close: Duration,
    /// How long the capabilities of a backend that does not answer stay listed.
    pub stale: Duration,
    /// The first pause before a lost backend, its stream outside of calls or a process that crashed is tried again;
    /// each further one is longer.
    pub reconnect: Duration,
    /// The longest such pause.
    pub max_reconnect: Duration,
    /// How long changes of lists are gathered before clients are told.
    pub announce: Duration,
    /// How long a backend may take to say which revisions it speaks before it is taken for an older one.
    pub probe: Duration,
    /// How long questions of a backend are gathered before a client gets them as one answer.
    pub gather: Duration,
    /// The least time between the announcement of a change and the listing it causes.
    pub settle: Duration,
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
            max_remembered: 256,
            stateless_idle: Duration::from_secs(5 * 60),
            max_stateless: 10_000,
            max_stateless_per_principal: 64,
            max_listens: 64,
            max_uri_bytes: 2 * KIB,
        }
    }
}

// === impl Limits ===

impl Limits {
    /// Of one message from a backend that is held whole.
    pub fn of_messages(&self) -> vmcp_wire::Limits {
        vmcp_wire::Limits {
            max_bytes: self.max_message_bytes,
            max_depth: self.max_depth,
            ..vmcp_wire::Limits::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_request_bytes: 8 * MIB,
            max_message_bytes: 16 * MIB,
            hold_bytes: 64 * KIB,
            max_depth: 128,
            max_header_bytes: 64 * KIB,
            max_batch: 64,
            max_connections: 16_384,
            max_list_pages: 10_000,
            max_list_items: 100_000,
            max_list_bytes: 64 * MIB,
            max_reply_bytes: 1024 * MIB,
            max_headers: 100,
            max_requests: 8192,
            max_multiplexed: 128,
            max_body_memory: 256 * MIB,
            max_questions: 64,
            max_rounds: 10,
            max_empty_rounds: 3,
            replay_bytes: 256 * KIB,
            max_tokens: 16 * 1024,
            max_listings: 4,
        }
    }
}

// === impl Timeouts ===

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            read_headers: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            certificates: Duration::from_secs(10),
            idle_connection: Duration::from_secs(120),
            keep_alive: Duration::from_secs(15),
            first_catalogue: Duration::from_millis(1500),
            refresh: Duration::from_secs(60),
            min_refresh: Duration::from_secs(5),
            drain: Duration::from_secs(10),
            read_body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            answer: Duration::from_secs(5 * 60),
            abandoned: Duration::from_secs(10 * 60),
            replay: Duration::from_secs(2 * 60),
            retry: Duration::from_secs(1),
            retry_after: Duration::from_secs(5),
            max_call: Duration::from_secs(30 * 60),
            stall: Duration::from_secs(10),
            pipe: Duration::from_secs(10),
            ping: Duration::from_secs(15),
            close: Duration::from_secs(5),
            stale: Duration::from_secs(10 * 60),
            reconnect: Duration::from_secs(1),
            max_reconnect: Duration::from_secs(30),
            announce: Duration::from_millis(100),
            probe: Duration::from_millis(800),
            gather: Duration::from_millis(5),
            settle: Duration::from_millis(50),
        }
    }
}
