//! `cargo xtask bench-backend`: the smallest MCP server that a gateway can stand in front of.
//!
//! One tool that echoes. It does as little as possible, so that what is measured is the process in the
//! middle. Runs until its standard input ends.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::shape::{ENVELOPE, RESULT_HEAD, RESULT_TAIL, TOOL};
use crate::say;

/// What the first line of output starts with; the address follows.
pub(super) const LISTENING: &str = "listening ";
/// The path of the counters, outside the protocol.
pub(super) const COUNTERS: &str = "/counters";
/// The largest reply that is kept ready.
const LARGEST: usize = 2 << 20;

/// Serves until standard input ends.
pub(crate) async fn run() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    say::line(format_args!("{LISTENING}{}", listener.local_addr()?));
    let server = Arc::new(Server::new());
    let mut connections = JoinSet::new();
    let mut input = tokio::io::stdin();
    let mut ignored = [0; 64];
    loop {
        tokio::select! {
            read = input.read(&mut ignored) => if matches!(read, Ok(0) | Err(_)) { return Ok(()) },
            accepted = listener.accept() => {
                let (socket, _): (TcpStream, SocketAddr) = accepted?;
                socket.set_nodelay(true)?;
                let server = Arc::clone(&server);
                connections.spawn(async move { server.serve(socket).await });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

struct Server {
    filler: Bytes,
    /// Requests of any kind, the counters' own left out.
    exchanges: AtomicU64,
    /// Handshakes among them; also the next session id.
    handshakes: AtomicU64,
    connections: AtomicU64,
}

/// One message from the client, as far as it matters here.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: &'a str,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    arguments: Arguments<'a>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    message: &'a str,
    bytes: usize,
    stream: bool,
}

impl Server {
    fn new() -> Self {
        Self {
            filler: Bytes::from(vec![b'x'; LARGEST]),
            exchanges: AtomicU64::new(0),
            handshakes: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }

    async fn serve(self: Arc<Self>, socket: TcpStream) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let service = service_fn(|request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        // A client that goes away in the middle of a run is counted by the load generator.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Chunks> {
        if request.uri().path() == COUNTERS {
            return json(Bytes::from(self.counters()));
        }
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        if request.method() == Method::DELETE {
            return status(StatusCode::OK);
        }
        if request.method() != Method::POST {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        let Ok(body) = request.into_body().collect().await else {
            return status(StatusCode::BAD_REQUEST);
        };
        let body = body.to_bytes();
        self.message(&body).unwrap_or_else(|| status(StatusCode::BAD_REQUEST))
    }

    fn message(&self, body: &[u8]) -> Option<Response<Chunks>> {
        let message: Message<'_> = serde_json::from_slice(body).ok()?;
        let Some(id) = message.id else { return Some(status(StatusCode::ACCEPTED)) };
        let result = match message.method {
            "tools/call" => {
                let call: Call<'_> = serde_json::from_str(message.params?.get()).ok()?;
                return self.echo(id.get(), &call.arguments);
            }
            "initialize" => return self.initialize(id.get(), message.params?.get()),
            "tools/list" => format!(
                r#"{{"tools":[{{"name":"{TOOL}","description":"Says it again.","inputSchema":{{"type":"object"}}}}]}}"#
            ),
            _ => "{}".to_owned(),
        };
        Some(json(Bytes::from(format!("{ENVELOPE}{},\"result\":{result}}}", id.get()))))
    }

    fn initialize(&self, id: &str, params: &str) -> Option<Response<Chunks>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Params<'a> {
            protocol_version: &'a str,
        }
        let revision = serde_json::from_str::<Params<'_>>(params).ok()?.protocol_version;
        let session = self.handshakes.fetch_add(1, Ordering::Relaxed);
        let mut response = json(Bytes::from(format!(
            r#"{ENVELOPE}{id},"result":{{"protocolVersion":"{revision}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"bench-backend","version":"0"}}}}}}"#
        )));
        let session = HeaderValue::from_str(&format!("session-{session}")).ok()?;
        response.headers_mut().insert("mcp-session-id", session);
        Some(response)
    }

    fn echo(&self, id: &str, arguments: &Arguments<'_>) -> Option<Response<Chunks>> {
        let fill = arguments.bytes.checked_sub(arguments.message.len())?;
        let (before, after, kind) = if arguments.stream {
            ("event: message\ndata: ", "\n\n", "text/event-stream")
        } else {
            ("", "", "application/json")
        };
        let head = format!("{before}{ENVELOPE}{id}{RESULT_HEAD}{}", arguments.message);
        let tail = format!("{RESULT_TAIL}{after}");
        let filler = (fill <= LARGEST).then(|| self.filler.slice(..fill))?;
        let chunks = [Bytes::from(head), filler, Bytes::from(tail)];
        Some(respond(Chunks::new(chunks, !arguments.stream), kind))
    }

    fn counters(&self) -> String {
        format!(
            r#"{{"exchanges":{},"connections":{}}}"#,
            self.exchanges.load(Ordering::Relaxed),
            self.connections.load(Ordering::Relaxed)
        )
    }
}

/// A body of a few pieces, none of them copied.
struct Chunks {
    pieces: VecDeque<Bytes>,
    sized: bool,
}

impl Chunks {
    fn new(pieces: impl IntoIterator<Item = Bytes>, sized: bool) -> Self {
        Self { pieces: pieces.into_iter().filter(|piece| !piece.is_empty()).collect(), sized }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.sized {
            SizeHint::with_exact(self.pieces.iter().map(|piece| piece.len() as u64).sum())
        } else {
            SizeHint::default()
        }
    }
}

fn json(body: Bytes) -> Response<Chunks> {
    respond(Chunks::new([body], true), "application/json")
}

fn status(status: StatusCode) -> Response<Chunks> {
    let mut response = Response::new(Chunks::new([], true));
    *response.status_mut() = status;
    response
}

fn respond(body: Chunks, kind: &'static str) -> Response<Chunks> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
