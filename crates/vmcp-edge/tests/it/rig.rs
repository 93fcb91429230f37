//! A server under test, and a socket for requests that no client library would send.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vmcp_auth::OutgoingAuthRegistry;
use vmcp_backend::{BackendTarget, Connector, Endpoint};
use vmcp_config::{Aggregation, Config, Naming, PrefixFormat, SafeUrl};
use vmcp_edge::{Metrics, Server, Tls};
use vmcp_gateway::Gateway;
use vmcp_net::Client;
use vmcp_testkit::{Answer, Backend, PATIENCE, RawClient, RawReply, StatelessClient};

/// The newest revision.
pub(crate) const LATEST: &str = "2025-11-25";

/// A server under test.
pub(crate) struct Rig {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

/// One connection that says exactly what the test wants.
pub(crate) struct Wire {
    socket: TcpStream,
    heard: Vec<u8>,
}

/// What came back for one request on a [`Wire`].
#[derive(Debug)]
pub(crate) struct WireReply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

// === impl Rig ===

impl Rig {
    /// A server without backends.
    pub(crate) async fn empty() -> Self {
        Self::with(Vec::new(), |_| {}).await
    }

    /// A server in front of one backend, whose names stay as they are.
    pub(crate) async fn before(backend: &Backend) -> Self {
        Self::with(vec![target("b", backend)], |_| {}).await
    }

    /// Any server.
    pub(crate) async fn with(
        targets: Vec<BackendTarget>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let naming = Naming::Prefix { format: PrefixFormat::none() };
        let aggregation = Aggregation { naming, ..Aggregation::default() };
        let mut config = Config { aggregation, ..Config::default() };
        change(&mut config);
        let config = Arc::new(config);
        let connector = Connector::new(Client::new(), OutgoingAuthRegistry::new());
        let targets = targets.into_iter().map(Arc::new).collect();
        let gateway = Gateway::start(Arc::clone(&config), targets, Arc::new(connector));
        assert!(gateway.settled(PATIENCE).await, "{:?}", gateway.status());

        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut registry = Registry::default();
        gateway.metrics().register(&mut registry);
        let tls = config.listen.tls.as_ref().map(|given| Tls::load(given).unwrap());
        let server = Server::new(config, gateway, Metrics::new(registry)).with_tls(tls);
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(server.run(vec![listener], async {
            stopped.await.ok();
        }));
        Self { address, stop: Some(stop), served: Some(served) }
    }

    /// A client that has not shaken hands.
    pub(crate) fn client(&self) -> RawClient {
        RawClient::new(&format!("http://{}/mcp", self.address)).unwrap()
    }

    /// A client without a session, that can do nothing for servers.
    pub(crate) fn stateless(&self) -> StatelessClient {
        StatelessClient::new(&format!("http://{}/mcp", self.address)).unwrap()
    }

    /// A client with a session under this revision, that can do nothing for servers.
    pub(crate) async fn session(&self, revision: &str) -> RawClient {
        self.session_with(revision, json!({})).await
    }

    pub(crate) async fn session_with(&self, revision: &str, capabilities: Value) -> RawClient {
        let client = self.client();
        client.handshake(revision, capabilities).await.unwrap();
        client
    }

    /// One connection.
    pub(crate) async fn wire(&self) -> Wire {
        Wire::to(self.address).await
    }

    /// A page by GET: status and text.
    pub(crate) async fn page(&self, path: &str) -> (u16, String) {
        let mut wire = self.wire().await;
        wire.say(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address)).await;
        let reply = wire.reply().await.unwrap();
        (reply.status, reply.body)
    }

    /// The value of one sample of `/metrics`, 0 if it is not there.
    pub(crate) async fn metric(&self, sample: &str) -> f64 {
        let (_, text) = self.page("/metrics").await;
        let line = text.lines().find_map(|line| line.strip_prefix(sample));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
    }

    /// Waits until a sample has this value.
    pub(crate) async fn until_metric(&self, sample: &str, value: f64) {
        let wait = async {
            while self.metric(sample).await != value {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "{sample} never became {value}");
    }

    /// Tells the server to stop, without waiting for it.
    pub(crate) fn begin_stop(&mut self) -> JoinHandle<()> {
        drop(self.stop.take());
        self.served.take().unwrap()
    }
}

// === impl Wire ===

impl Wire {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self { socket: TcpStream::connect(address).await.unwrap(), heard: Vec::new() }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).await.unwrap();
    }

    /// Closes the sending half.
    pub(crate) async fn finish(&mut self) {
        self.socket.shutdown().await.unwrap();
    }

    /// The next complete response with a length, or with chunks.
    pub(crate) async fn reply(&mut self) -> io::Result<WireReply> {
        let (status, head) = self.head().await?;
        let body = if head.contains("transfer-encoding: chunked") {
            self.chunks().await?
        } else {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
            self.take(length).await?
        };
        Ok(WireReply { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// The head of the next response: status and text.
    pub(crate) async fn head(&mut self) -> io::Result<(u16, String)> {
        let end = loop {
            match find(&self.heard, b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => self.more().await?,
            }
        };
        let head = String::from_utf8_lossy(&self.heard[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        self.heard.drain(..end);
        Ok((status, head))
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk().await?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend_from_slice(&chunk);
        }
    }

    /// The next chunk of a body; the last one is empty.
    pub(crate) async fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let end = loop {
            match find(&self.heard, b"\r\n") {
                Some(at) => break at,
                None => self.more().await?,
            }
        };
        let line = String::from_utf8_lossy(&self.heard[..end]).into_owned();
        let length = usize::from_str_radix(&line, 16).map_err(io::Error::other)?;
        self.heard.drain(..end + 2);
        let mut chunk = self.take(length + 2).await?;
        chunk.truncate(length);
        Ok(chunk)
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.heard.len() < length {
            self.more().await?;
        }
        Ok(self.heard.drain(..length).collect())
    }

    async fn more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        let read = tokio::time::timeout(PATIENCE, self.socket.read(&mut buffer)).await??;
        self.heard.extend_from_slice(&buffer[..read]);
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Everything until the other side closes, or breaks off.
    pub(crate) async fn rest(&mut self) -> String {
        loop {
            match self.more().await {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => panic!("still open"),
                Err(_) => break,
            }
        }
        String::from_utf8_lossy(&std::mem::take(&mut self.heard)).into_owned()
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// A backend as a target.
pub(crate) fn target(id: &str, backend: &Backend) -> BackendTarget {
    let url = SafeUrl::from(url::Url::parse(&backend.url()).unwrap());
    BackendTarget::new(id, Endpoint::StreamableHttp { url })
}

/// A tool without arguments.
pub(crate) fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object"}})
}

/// A backend with one tool.
pub(crate) async fn one_tool(name: &str, answer: Answer) -> Backend {
    Backend::builder().tool(tool(name), answer).start().await.unwrap()
}

/// A POST for a [`Wire`], with all the usual headers.
pub(crate) fn post(session: Option<&str>, body: &str) -> String {
    let session = session.map(|id| format!("mcp-session-id: {id}\r\n")).unwrap_or_default();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n{session}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The first request of a session.
pub(crate) fn hello(version: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}})
    .to_string()
}

/// The body as JSON.
pub(crate) async fn body(reply: &mut RawReply) -> Value {
    let bytes = reply.bytes().await.unwrap();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}
