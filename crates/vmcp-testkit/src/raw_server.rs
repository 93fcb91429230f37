//! A TCP listener that answers with arbitrary bytes, for what is not even HTTP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::tasks::Tasks;

/// Reads one request from each connection, writes these bytes, closes. Ends when it is dropped.
pub struct RawServer {
    address: SocketAddr,
    shared: Arc<RawShared>,
}

struct RawShared {
    reply: Bytes,
    /// Protects the heads of the requests seen so far.
    heard: Mutex<Vec<Bytes>>,
    tasks: Tasks,
}

// === impl RawServer ===

impl RawServer {
    /// Starts on a free loopback port.
    pub async fn start(reply: impl Into<Bytes>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let shared = Arc::new(RawShared {
            reply: reply.into(),
            heard: Mutex::default(),
            tasks: Tasks::default(),
        });
        let server = Self { address: listener.local_addr()?, shared };
        server.shared.tasks.spawn(accept(listener, Arc::clone(&server.shared)));
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL for a client.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// The bytes that each connection brought first.
    pub fn heard(&self) -> Vec<Bytes> {
        self.shared.heard.lock().clone()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.shared.tasks.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<RawShared>) {
    loop {
        if let Ok((socket, _)) = listener.accept().await {
            shared.tasks.spawn(answer(socket, Arc::clone(&shared)));
        }
    }
}

async fn answer(mut socket: TcpStream, shared: Arc<RawShared>) {
    let mut heard = vec![0; 64 * 1024];
    let Ok(length) = socket.read(&mut heard).await else { return };
    heard.truncate(length);
    shared.heard.lock().push(heard.into());
    let _ = socket.write_all(&shared.reply).await;
    let _ = socket.shutdown().await;
    // Unread input at the close would reset the connection and take the reply with it.
    while matches!(socket.read(&mut [0; 4096]).await, Ok(1..)) {}
}
