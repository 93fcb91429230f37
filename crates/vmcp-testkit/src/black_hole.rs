//! A port where connections neither succeed nor fail.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A port that answers nothing, as one behind a firewall that drops packets: the kernel does not answer a connection
/// for which there is no room in the queue. Ends when it is dropped.
pub struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

// === impl BlackHole ===

impl BlackHole {
    /// On a free loopback port.
    pub async fn start() -> io::Result<Self> {
        Self::at((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// In the place of something else.
    pub async fn at(address: SocketAddr) -> io::Result<Self> {
        const MAX_QUEUE: usize = 64;
        const NO_ANSWER: Duration = Duration::from_millis(100);
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(0)?;
        let address = listener.local_addr()?;
        let mut queue = Vec::new();
        while queue.len() < MAX_QUEUE {
            match tokio::time::timeout(NO_ANSWER, TcpStream::connect(address)).await {
                Ok(stream) => queue.push(stream?),
                Err(_) => return Ok(Self { address, _listener: listener, _queue: queue }),
            }
        }
        Err(io::Error::other("the queue of connections has no end"))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL for a client.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }
}
