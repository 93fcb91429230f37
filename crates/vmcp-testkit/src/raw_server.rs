//! A TCP listener that answers with arbitrary bytes, for what is not even HTTP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::json::lenient;
use crate::tasks::Tasks;

/// The longest request that is read.
const MAX_REQUEST: usize = 64 << 20;

/// Reads HTTP/1.1 requests and does with each connection what a script says. Ends when it is dropped.
pub struct RawServer {
    address: SocketAddr,
    shared: Arc<RawShared>,
}

/// A request, or its head alone.
#[derive(Clone, Debug)]
pub struct RawRequest {
    /// Which connection brought it, from 0.
    pub connection: usize,
    /// Its place on that connection, from 0.
    pub turn: usize,
    /// The request line and the headers.
    pub head: String,
    /// The body; `None` while only the head was read.
    pub body: Option<Bytes>,
}

/// What to do with the connection that brought a request.
#[derive(Clone, Debug)]
pub enum RawStep {
    /// Read the body, then ask again.
    Read,
    /// Write this and wait for the next request.
    Reply(Bytes),
    /// Write this and close; what was not read before is read and thrown away, so that the reply arrives.
    Last(Bytes),
    /// Write this and reset the connection, unread bytes and all.
    Reset(Bytes),
    /// Keep the connection and say nothing.
    Hold,
}

struct RawShared {
    script: Box<dyn Fn(&RawRequest) -> RawStep + Send + Sync>,
    /// Protects the requests seen so far.
    heard: Mutex<Vec<RawRequest>>,
    tasks: Tasks,
}

// === impl RawServer ===

impl RawServer {
    /// Reads the head of one request from each connection, writes these bytes, closes.
    pub async fn start(reply: impl Into<Bytes>) -> io::Result<Self> {
        let reply = reply.into();
        Self::scripted(move |_| RawStep::Last(reply.clone())).await
    }

    /// Asks `script` what to do when the head of a request was read, and once more when it says
    /// [`RawStep::Read`].
    pub async fn scripted(
        script: impl Fn(&RawRequest) -> RawStep + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let shared = Arc::new(RawShared {
            script: Box::new(script),
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

    /// The requests that were read so far, as far as they were read.
    pub fn heard(&self) -> Vec<RawRequest> {
        self.shared.heard.lock().clone()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.shared.tasks.abort();
    }
}

// === impl RawRequest ===

impl RawRequest {
    /// The body as JSON; `null` if it is none, or not read.
    pub fn json(&self) -> Value {
        self.body.as_deref().map_or(Value::Null, lenient)
    }
}

async fn accept(listener: TcpListener, shared: Arc<RawShared>) {
    let mut connection = 0;
    loop {
        if let Ok((socket, _)) = listener.accept().await {
            shared.tasks.spawn(converse(socket, connection, Arc::clone(&shared)));
            connection += 1;
        }
    }
}

async fn converse(mut socket: TcpStream, connection: usize, shared: Arc<RawShared>) {
    let mut read = BytesMut::new();
    for turn in 0.. {
        let Some(head) = until_blank_line(&mut socket, &mut read).await else { return };
        let mut request = RawRequest { connection, turn, head, body: None };
        let mut step = (shared.script)(&request);
        if matches!(step, RawStep::Read) {
            let Some(body) = body(&mut socket, &mut read, &request.head).await else { return };
            request.body = Some(body);
            step = (shared.script)(&request);
        }
        shared.heard.lock().push(request);
        match step {
            RawStep::Reply(bytes) if socket.write_all(&bytes).await.is_ok() => {}
            RawStep::Read | RawStep::Reply(_) => return,
            RawStep::Last(bytes) => {
                let _ = socket.write_all(&bytes).await;
                let _ = socket.shutdown().await;
                // Unread input at the close would reset the connection and take the reply with it.
                while matches!(socket.read(&mut [0; 4096]).await, Ok(1..)) {}
                return;
            }
            RawStep::Reset(bytes) => {
                let _ = socket.write_all(&bytes).await;
                let _ = socket.set_zero_linger();
                return;
            }
            RawStep::Hold => std::future::pending().await,
        }
    }
}

/// Takes everything up to the first blank line.
async fn until_blank_line(socket: &mut TcpStream, read: &mut BytesMut) -> Option<String> {
    loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = read.split_to(at + 4);
            return Some(String::from_utf8_lossy(&head).into_owned());
        }
        more(socket, read).await?;
    }
}

/// Takes the body that the head announces.
async fn body(socket: &mut TcpStream, read: &mut BytesMut, head: &str) -> Option<Bytes> {
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let length: usize = length.unwrap_or(0);
    while read.len() < length {
        more(socket, read).await?;
    }
    Some(read.split_to(length).freeze())
}

async fn more(socket: &mut TcpStream, read: &mut BytesMut) -> Option<()> {
    let mut chunk = [0; 16 * 1024];
    let length = socket.read(&mut chunk).await.ok().filter(|length| *length > 0)?;
    read.extend_from_slice(&chunk[..length]);
    (read.len() <= MAX_REQUEST).then_some(())
}
