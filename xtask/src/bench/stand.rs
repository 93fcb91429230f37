//! What a case is measured on: how long, how often, and the processes that take part.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::backend::LISTENING;
use super::client::{Connection, Endpoint};
use super::load::Destination;
use super::nginx::{self, Nginx};
use crate::process::{Running, free_address};
use crate::{process, shell};

/// How long a vmcp may take until it knows all tools of its backends.
const WARM: Duration = Duration::from_secs(30);

/// How a run measures.
pub(super) struct Stand {
    /// The root of the workspace.
    pub root: PathBuf,
    /// Where configurations and logs go.
    pub folder: PathBuf,
    /// The program that is measured.
    pub vmcp: PathBuf,
    /// How often each thing is measured.
    pub rounds: usize,
    /// How long one measurement takes.
    pub time: Duration,
    /// Whether a glance is enough, and nothing may be fetched.
    pub quick: bool,
}

/// The running backend.
pub(super) struct Backend {
    port: u16,
    _process: Running,
}

/// A running vmcp.
pub(super) struct Vmcp {
    /// Where it listens.
    pub address: SocketAddr,
    process: Running,
}

impl Stand {
    /// Starts the backend.
    pub(super) fn backend(&self) -> Result<Backend> {
        let mut command = shell::command(&self.root, std::env::current_exe()?);
        command.arg("bench-backend").stdout(Stdio::piped());
        let mut process = Running::start("the backend", &mut command)?;
        let port = process.announced(LISTENING)?.parse()?;
        Ok(Backend { port, _process: process })
    }

    /// Starts nginx in front of the backend, if there is one.
    pub(super) fn nginx(&self, backend: &Backend) -> Result<Option<Nginx>> {
        nginx::start(&self.folder, backend.address(1), !self.quick)
    }

    /// Writes a configuration and starts vmcp with it; it listens when this returns.
    pub(super) fn vmcp(&self, config: &str) -> Result<Vmcp> {
        self.forget();
        let mut vmcp = self.vmcp_at_once(config)?;
        vmcp.process.listening(vmcp.address)?;
        Ok(vmcp)
    }

    /// The same, and returns before it listens. It finds what the one before it left.
    pub(super) fn vmcp_at_once(&self, config: &str) -> Result<Vmcp> {
        let address = free_address()?;
        let path = self.write_config(config)?;
        let log = fs::File::create(self.folder.join("vmcp.log"))?;
        let mut command = shell::command(&self.folder, &self.vmcp);
        command.args(["serve", "--listen", &address.to_string(), "--config"]).arg(&path);
        command.env("VMCP_STATE_DIR", self.state());
        command.stdout(Stdio::null()).stderr(log);
        Ok(Vmcp { address, process: Running::start("vmcp", &mut command)? })
    }

    /// Whether this build understands a configuration.
    pub(super) fn understands(&self, config: &str) -> Result<bool> {
        let path = self.write_config(config)?;
        let mut command = shell::command(&self.folder, &self.vmcp);
        command.args(["validate", "--config"]).arg(&path);
        Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
    }

    /// Where vmcp leaves what outlives it.
    pub(super) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Takes away what a vmcp has left for the next one.
    pub(super) fn forget(&self) {
        let _ = fs::remove_dir_all(self.state());
    }

    fn write_config(&self, config: &str) -> Result<PathBuf> {
        let path = self.folder.join("vmcp.yaml");
        fs::write(&path, config).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// `few` for a glance, else `usual`.
    pub(super) fn count(&self, few: usize, usual: usize) -> usize {
        if self.quick { few } else { usual }
    }
}

impl Backend {
    /// Where one of the many backends listens that it can be, counted from 1.
    pub(super) fn address(&self, number: u8) -> SocketAddr {
        (Ipv4Addr::new(127, 0, 0, number), self.port).into()
    }

    /// The direct way to it.
    pub(super) fn direct(&self) -> Destination {
        let endpoint = Arc::new(Endpoint::new(self.address(1)));
        Destination { endpoint, middle: None, backend: Some(self.address(1)) }
    }

    /// The way to it through this process.
    pub(super) fn through(&self, endpoint: Endpoint, process: u32) -> Destination {
        let endpoint = Arc::new(endpoint);
        Destination { endpoint, middle: Some(process), backend: Some(self.address(1)) }
    }

    /// The configuration with it as the only backend, whose names are not touched.
    pub(super) fn alone(&self) -> String {
        let address = self.address(1);
        one(&format!("{{name: backend, url: 'http://{address}/mcp', transport: streamable-http}}"))
    }

    /// The configuration with many backends: `b1` to `bN`, whose tools get their names as prefix. `path` is what each is,
    /// as in `t20/`; `more` are further sections.
    pub(super) fn many(&self, count: u8, path: &str, more: &str) -> String {
        let mut text = "name: subject\nbackends:\n".to_owned();
        for number in 1..=count {
            let address = self.address(number);
            let _ = writeln!(
                text,
                "  - {{name: b{number}, url: 'http://{address}/{path}mcp', transport: streamable-http}}"
            );
        }
        text + more
    }
}

/// The configuration with one backend, whose names are not touched.
pub(super) fn one(backend: &str) -> String {
    format!(
        "name: subject\nbackends:\n  - {backend}\n\
         session: {{maxSessions: 20000}}\nlimits: {{maxConnections: 20000}}\n\
         aggregation:\n  conflictResolution: priority\n  \
         conflictResolutionConfig: {{priorityOrder: [backend]}}\n"
    )
}

impl Vmcp {
    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its endpoint.
    pub(super) fn endpoint(&self) -> Arc<Endpoint> {
        Arc::new(Endpoint::new(self.address))
    }

    /// Connects as soon as that is possible.
    pub(super) async fn connect(&self) -> Result<Connection> {
        let end = Instant::now() + WARM;
        while Instant::now() < end {
            if let Ok(connection) = Connection::open(self.address).await {
                return Ok(connection);
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        bail!("vmcp does not listen after {} s", WARM.as_secs())
    }

    /// Waits until so many tools are known; nothing is listed by this.
    pub(super) async fn warm(&self, tools: usize) -> Result<()> {
        let end = Instant::now() + WARM;
        let mut connection = Connection::open(self.address).await?;
        while Instant::now() < end {
            let page = connection.get(self.address, "/status").await?;
            let status: Status = serde_json::from_slice(&page).context("/status")?;
            if status.backends.iter().map(|backend| backend.tools).sum::<usize>() == tools {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("vmcp does not know {tools} tools after {} s", WARM.as_secs())
    }

    /// Ends it as an operator does, and waits for that.
    pub(super) fn stop(self) {
        drop(self.process);
        process::pause();
    }
}

#[derive(Deserialize)]
struct Status {
    backends: Vec<BackendStatus>,
}

#[derive(Deserialize)]
struct BackendStatus {
    tools: usize,
}
