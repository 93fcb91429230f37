//! vmcp with one HTTP backend whose names it does not touch: what is measured and compared.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::Result;

use crate::process::{Running, free_address};
use crate::shell;

/// A running vmcp.
pub(crate) struct Subject {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub process: Running,
}

/// Starts the program at `vmcp` in front of `backend`; its files go to `folder`.
pub(crate) fn start(vmcp: &Path, backend: SocketAddr, folder: &Path) -> Result<Subject> {
    let address = free_address()?;
    fs::create_dir_all(folder)?;
    let config = folder.join("vmcp.yaml");
    fs::write(&config, configuration(backend))?;
    let log = fs::File::create(folder.join("vmcp.log"))?;
    let mut command = shell::command(folder, vmcp);
    command.args(["serve", "--listen", &address.to_string(), "--config"]).arg(&config);
    command.stdout(Stdio::null()).stderr(log);
    let mut process = Running::start("vmcp", &mut command)?;
    process.listening(address)?;
    Ok(Subject { address, process })
}

/// With `priority` and one backend, every name stays what it is.
fn configuration(backend: SocketAddr) -> String {
    format!(
        "name: subject\n\
         groupRef: workshop\n\
         backends:\n  - name: backend\n    url: http://{backend}/mcp\n    transport: streamable-http\n\
         incomingAuth:\n  type: anonymous\n\
         outgoingAuth:\n  source: inline\n\
         aggregation:\n  conflictResolution: priority\n  \
         conflictResolutionConfig:\n    priorityOrder: [backend]\n"
    )
}
