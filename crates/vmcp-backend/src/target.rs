//! What a backend is: its address, whom vmcp is to it, its bounds.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;
use tokio::io::DuplexStream;
use vmcp_config::{
    Backend, BackendId, BackendTimeouts, Limits, Network, OutgoingAuth, SafeUrl, Tasks, Transport,
};
use vmcp_wire::revision::Protocol;

/// One backend, as a session needs to know it. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct BackendTarget {
    /// Its name; unique in one vmcp.
    pub id: BackendId,
    /// How it is reached.
    pub endpoint: Endpoint,
    /// Which credentials vmcp puts on each HTTP request.
    pub auth: OutgoingAuth,
    /// Headers put on each HTTP request that does not have them yet: name and value.
    pub headers: Vec<(String, SecretString)>,
    /// Certificates trusted besides the system's.
    pub ca_bundle: Option<CaBundle>,
    /// Which addresses may be dialled for it, and for the token endpoints of its credentials.
    pub network: Network,
    /// Its bounds of time.
    pub timeouts: BackendTimeouts,
    /// Its other bounds.
    pub limits: TargetLimits,
    /// Which revisions may be spoken with it.
    pub protocol: Protocol,
}

/// How a backend is reached.
#[derive(Clone)]
pub enum Endpoint {
    /// A URL and no type: streamable HTTP first, SSE when the backend answers 4xx.
    Http {
        /// The endpoint.
        url: SafeUrl,
    },
    /// Streamable HTTP only.
    StreamableHttp {
        /// The endpoint.
        url: SafeUrl,
    },
    /// HTTP with SSE, the transport of 2024-11-05.
    Sse {
        /// The URL of the event stream.
        url: SafeUrl,
    },
    /// A child process that speaks on its stdin and stdout.
    Stdio(StdioCommand),
    /// A line-framed server in this process: the demo, and embedders.
    InProcess(DuplexFactory),
}

/// Opens one more connection to a server in this process.
pub type DuplexFactory = Arc<dyn Fn() -> DuplexStream + Send + Sync>;

/// A child process. `Debug` shows neither arguments nor environment values.
#[derive(Clone)]
pub struct StdioCommand {
    /// The program.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to its environment.
    pub env: Vec<(String, SecretString)>,
    /// Its working directory.
    pub cwd: Option<PathBuf>,
}

/// Where additional certificates are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaBundle {
    /// A PEM file. Read when it is first needed, and again when a connection is opened after it has changed.
    Path(PathBuf),
    /// PEM text.
    Pem(Bytes),
}

/// Bounds toward one backend that are not of time, and the longest time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetLimits {
    /// One message that must be held whole.
    pub max_message_bytes: usize,
    /// How much of a response is held before it is streamed.
    pub hold_bytes: usize,
    /// One response that is streamed.
    pub max_reply_bytes: usize,
    /// Nesting of JSON.
    pub max_depth: usize,
    /// Pages of one list.
    pub max_list_pages: usize,
    /// Items of one list.
    pub max_list_items: usize,
    /// Bytes of one list.
    pub max_list_bytes: usize,
    /// The longest a call may take, whatever progress it reports.
    pub max_call: Duration,
    /// How long the reader of one reply may keep a shared pipe from being read.
    pub stall: Duration,
    /// How long a message to a shared pipe may wait for the backend to read what was written before it.
    pub write: Duration,
    /// How long a process that left a call unanswered, or does not read its input, may take to give a sign of life
    /// when it is asked for one. After that it is killed and started again.
    pub ping: Duration,
    /// How long closing waits for calls in flight.
    pub drain: Duration,
    /// How long a backend of which nothing is known may take to say what it is.
    pub probe: Duration,
    /// How often one call may be answered with questions.
    pub max_rounds: usize,
    /// How often in a row with none, only to be made again.
    pub max_empty_rounds: usize,
    /// The first pause before a stream outside of calls that failed is opened again, or a process that crashed is
    /// started again; each further one is twice as long.
    pub reconnect: Duration,
    /// The longest such pause.
    pub max_reconnect: Duration,
    /// Bounds of following tasks for callers that do it otherwise than the backend.
    pub tasks: TaskLimits,
}

/// Bounds of following tasks where vmcp does it itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskLimits {
    /// The least time between two looks at a task, whatever the backend says.
    pub min_poll: Duration,
    /// The longest.
    pub max_poll: Duration,
    /// Tasks of one session that wait for their callers' answers at one time; one more is not asked for its questions.
    pub max_waiting: usize,
}

// === impl BackendTarget ===

impl BackendTarget {
    /// A backend with every bound at its default, no credentials, no headers.
    pub fn new(id: impl Into<BackendId>, endpoint: Endpoint) -> Self {
        Self {
            id: id.into(),
            endpoint,
            auth: OutgoingAuth::Unauthenticated,
            headers: Vec::new(),
            ca_bundle: None,
            network: Network::default(),
            timeouts: BackendTimeouts::default(),
            limits: TargetLimits::default(),
            protocol: Protocol::default(),
        }
    }

    /// A configured backend under the configured bounds.
    pub fn from_config(backend: &Backend, limits: &Limits) -> Self {
        Self { limits: TargetLimits::from(limits), ..Self::from(backend) }
    }
}

impl From<&Backend> for BackendTarget {
    fn from(backend: &Backend) -> Self {
        Self {
            id: backend.id.clone(),
            endpoint: Endpoint::from(&backend.transport),
            auth: backend.auth.clone(),
            headers: backend.headers.clone(),
            ca_bundle: backend.ca_bundle.clone().map(CaBundle::Path),
            network: backend.network.clone(),
            timeouts: backend.timeouts.clone(),
            limits: TargetLimits::default(),
            protocol: backend.protocol,
        }
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// The word for it in a configuration file.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::StreamableHttp { .. } => "streamable-http",
            Self::Sse { .. } => "sse",
            Self::Stdio(_) => "stdio",
            Self::InProcess(_) => "in-process",
        }
    }
}

impl From<url::Url> for Endpoint {
    /// A URL and no type: see [`Endpoint::Http`]. Schemes that are no transport are refused when a session is opened.
    fn from(url: url::Url) -> Self {
        Self::Http { url: SafeUrl::from(url) }
    }
}

impl From<&Transport> for Endpoint {
    fn from(transport: &Transport) -> Self {
        match transport {
            Transport::Http { url } => Self::Http { url: url.clone() },
            Transport::StreamableHttp { url } => Self::StreamableHttp { url: url.clone() },
            Transport::Sse { url } => Self::Sse { url: url.clone() },
            Transport::Stdio(stdio) => Self::Stdio(StdioCommand {
                command: stdio.command.clone(),
                args: stdio.args.clone(),
                env: stdio.env.clone(),
                cwd: stdio.cwd.clone(),
            }),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { url } | Self::StreamableHttp { url } | Self::Sse { url } => {
                write!(f, "{}({url})", self.as_str())
            }
            Self::Stdio(stdio) => stdio.fmt(f),
            Self::InProcess(_) => f.write_str("in-process"),
        }
    }
}

// === impl StdioCommand ===

impl fmt::Debug for StdioCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("StdioCommand")
            .field("command", &self.command)
            .field("args", &self.args.len())
            .field("env", &names)
            .field("cwd", &self.cwd)
            .finish()
    }
}

// === impl TargetLimits ===

impl Default for TargetLimits {
    fn default() -> Self {
        Self::from(&Limits::default())
    }
}

impl From<&Limits> for TargetLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            max_message_bytes: limits.max_message_bytes,
            hold_bytes: limits.hold_bytes,
            max_reply_bytes: limits.max_reply_bytes,
            max_depth: limits.max_depth,
            max_list_pages: limits.max_list_pages,
            max_list_items: limits.max_list_items,
            max_list_bytes: limits.max_list_bytes,
            max_call: Duration::from_secs(30 * 60),
            stall: Duration::from_secs(10),
            write: Duration::from_secs(10),
            ping: Duration::from_secs(15),
            drain: Duration::from_secs(5),
            probe: Duration::from_millis(800),
            max_rounds: limits.max_rounds,
            max_empty_rounds: limits.max_empty_rounds,
            reconnect: Duration::from_secs(1),
            max_reconnect: Duration::from_secs(30),
            tasks: TaskLimits::from(&Tasks::default()),
        }
    }
}

// === impl TaskLimits ===

impl From<&Tasks> for TaskLimits {
    fn from(tasks: &Tasks) -> Self {
        Self { min_poll: tasks.min_poll, max_poll: tasks.max_poll, max_waiting: tasks.max_waiting }
    }
}
