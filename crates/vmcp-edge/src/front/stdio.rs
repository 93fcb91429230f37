//! The gateway as one server on a pair of pipes: newline framed, one session.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use vmcp_config::Config;
use vmcp_gateway::Gateway;

/// Serves one client until its input ends or `shutdown` fires.
pub async fn run(
    config: Arc<Config>,
    gateway: Arc<Gateway>,
    stdin: impl AsyncRead + Send + Unpin,
    stdout: impl AsyncWrite + Send + Unpin,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let _ = (config, gateway, stdin, stdout);
    shutdown.await;
    Ok(())
}
