//! A backend on HTTP/2 over TLS that writes its own frames, so that it can write wrong ones.
//!
//! It knows just enough of RFC 9113 to be asked and to answer: what a client's headers say is never decoded, since
//! the message in the body says all that matters.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::record::Recorder;
use crate::tasks::Tasks;
use crate::tls::Certificate;

mod connection;
mod frame;

use connection::Connection;

/// What becomes of one `tools/call`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http2Fault {
    /// `RST_STREAM` with this code, before anything was done.
    Refuse(u32),
    /// `RST_STREAM` with this code, after the tool ran.
    Reset(u32),
    /// The header and half of the body, then `RST_STREAM` with this code.
    BreakOff(u32),
    /// `GOAWAY` with this code that says that this stream was not looked at; the connection ends.
    GoAwayBefore(u32),
    /// `GOAWAY` with this code that includes this stream, which then is never answered; the connection ends.
    GoAwayAfter(u32),
    /// `GOAWAY` that includes this stream, which is answered; the connection ends.
    GoAwayAnswered,
    /// Nothing but the end of the connection, after the tool ran.
    Close,
    /// `SETTINGS` after `SETTINGS` in place of an answer.
    SettingsFlood,
    /// `PING` after `PING` in place of an answer.
    PingFlood,
}

/// An MCP backend with one tool on HTTP/2. Ends when it is dropped.
pub struct Http2Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    acceptor: TlsAcceptor,
    recorder: Recorder,
    /// Protects what is still to go wrong; taken from once per call.
    faults: Mutex<VecDeque<Http2Fault>>,
    /// Whether clients may send nothing any more once they have shaken hands.
    shuts: bool,
    /// Protects the methods heard so far.
    heard: Mutex<Vec<String>>,
    tasks: Tasks,
}

// === impl Http2Backend ===

impl Http2Backend {
    /// Starts on a free loopback port. The first calls go wrong so, one after the other; all others are answered.
    pub async fn start(
        certificate: &Certificate,
        faults: impl IntoIterator<Item = Http2Fault>,
    ) -> io::Result<Self> {
        Self::begin(certificate, faults.into_iter().collect(), false).await
    }

    /// One that shuts the window once a session is open: what clients send then never gets through.
    pub async fn start_shut(certificate: &Certificate) -> io::Result<Self> {
        Self::begin(certificate, VecDeque::new(), true).await
    }

    async fn begin(
        certificate: &Certificate,
        faults: VecDeque<Http2Fault>,
        shuts: bool,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let shared = Arc::new(Shared {
            acceptor: certificate.acceptor(&["h2"])?,
            recorder: Recorder::new(),
            faults: Mutex::new(faults),
            shuts,
            heard: Mutex::default(),
            tasks: Tasks::default(),
        });
        let backend = Self { address: listener.local_addr()?, shared };
        backend.shared.tasks.spawn(accept(listener, Arc::clone(&backend.shared)));
        Ok(backend)
    }

    /// The URL that a client is given; the certificate must be one for `localhost`.
    pub fn url(&self) -> String {
        format!("https://localhost:{}/mcp", self.address.port())
    }

    /// How many requests had this JSON-RPC method.
    pub fn count(&self, method: &str) -> usize {
        self.shared.heard.lock().iter().filter(|heard| *heard == method).count()
    }

    /// The ledger: the params of each `tools/call` that ran.
    pub fn executions(&self) -> Vec<Value> {
        self.shared.recorder.executions()
    }

    /// How many TLS connections were made.
    pub fn connections(&self) -> u64 {
        self.shared.recorder.connections()
    }
}

impl Drop for Http2Backend {
    fn drop(&mut self) {
        // The tasks hold `Shared`, which holds the tasks.
        self.shared.tasks.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        if let Ok((socket, _)) = listener.accept().await {
            shared.tasks.spawn(converse(socket, Arc::clone(&shared)));
        }
    }
}

async fn converse(socket: TcpStream, shared: Arc<Shared>) {
    let _ = socket.set_nodelay(true);
    let Ok(stream) = shared.acceptor.accept(socket).await else { return };
    shared.recorder.connection();
    let mut connection = Connection::new(stream, Arc::clone(&shared));
    // How a connection ends is the client's or the script's affair.
    let _ = connection.serve().await;
    let _ = connection.stream.shutdown().await;
}
