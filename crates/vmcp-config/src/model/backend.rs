//! One backend: its address, its transport, what is sent along.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;
use vmcp_wire::revision::Protocol;

use super::OutgoingAuth;

/// The name of a backend; unique in one configuration.
///
/// [`load`](crate::load()) only makes ids of ASCII letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendId(Arc<str>);

/// One MCP server behind vmcp.
#[derive(Debug, Clone)]
pub struct Backend {
    /// Its name.
    pub id: BackendId,
    /// How it is reached.
    pub transport: Transport,
    /// Which revisions of MCP may be spoken with it.
    pub protocol: Protocol,
    /// Headers sent on every request: HTTP name and value.
    pub headers: Vec<(String, SecretString)>,
    /// As whom vmcp calls it.
    pub auth: OutgoingAuth,
    /// Its bounds of time.
    pub timeouts: BackendTimeouts,
    /// Where it may be.
    pub network: Network,
    /// A PEM file whose certificates are trusted besides the system's.
    pub ca_bundle: Option<PathBuf>,
}

/// How a backend is reached.
#[derive(Debug, Clone)]
pub enum Transport {
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
    /// HTTP with SSE: one event stream, and a URL to post to that it names.
    Sse {
        /// The URL of the event stream.
        url: SafeUrl,
    },
    /// A child process that speaks on its stdin and stdout.
    Stdio(Stdio),
}

/// A child process.
///
/// `Debug` shows neither arguments nor environment values: both carry secrets in practice.
#[derive(Clone)]
pub struct Stdio {
    /// The program.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to its environment.
    pub env: Vec<(String, SecretString)>,
    /// Its working directory.
    pub cwd: Option<PathBuf>,
    /// Who shares the process.
    pub process: ProcessScope,
}

/// Who shares a child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProcessScope {
    /// One process for all clients.
    #[default]
    Shared,
    /// One process for each client session.
    PerSession,
}

/// Which addresses vmcp may connect to for a backend, whatever its names resolve to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Whether private addresses are fine. `None`: if the configured URL names one by itself.
    pub private: Option<bool>,
    /// Networks that are fine besides.
    pub allow: Vec<IpNet>,
}

/// Bounds of time toward one backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendTimeouts {
    /// To open a connection or to start a process, and to agree on a session.
    pub connect: Duration,
    /// One call without any sign of life (progress counts as one).
    pub call: Duration,
    /// Listing all capabilities.
    pub list: Duration,
    /// Instead of `call`, by the backend's own name of a tool.
    pub tools: BTreeMap<String, Duration>,
}

/// A URL that shows neither user, password nor query when printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SafeUrl(Url);

// === impl BackendId ===

impl BackendId {
    /// Takes a name as it is.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for BackendId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for BackendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Transport ===

impl Transport {
    /// The word for it in a configuration file.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::StreamableHttp { .. } => "streamable-http",
            Self::Sse { .. } => "sse",
            Self::Stdio(_) => "stdio",
        }
    }

    /// The URL, if it has one.
    pub fn url(&self) -> Option<&SafeUrl> {
        match self {
            Self::Http { url } | Self::StreamableHttp { url } | Self::Sse { url } => Some(url),
            Self::Stdio(_) => None,
        }
    }
}

// === impl Stdio ===

impl fmt::Debug for Stdio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Stdio")
            .field("command", &self.command)
            .field("args", &self.args.len())
            .field("env", &names)
            .field("cwd", &self.cwd)
            .field("process", &self.process)
            .finish()
    }
}

// === impl BackendTimeouts ===

impl Default for BackendTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            call: Duration::from_secs(60),
            list: Duration::from_secs(30),
            tools: BTreeMap::new(),
        }
    }
}

// === impl SafeUrl ===

impl SafeUrl {
    /// The whole URL, secrets included: for dialling only.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl From<Url> for SafeUrl {
    fn from(url: Url) -> Self {
        Self(url)
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.0.path())?;
        if self.0.query().is_some() {
            f.write_str("?…")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
