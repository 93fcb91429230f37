//! `cargo xtask bench-backend`: the smallest MCP server that a gateway can stand in front of.
//!
//! One tool that echoes. It does as little as possible, so that what is measured is the process in the
//! middle. Runs until its standard input ends. It listens on every loopback address, and its path may say
//! more: `/t20/d300/mcp` has 20 tools and takes 300 ms for each request. So one process is many backends.

pub(super) mod answer;
mod pipe;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use self::answer::{Answer, Answers};
use crate::say;

pub(crate) use self::pipe::run as run_pipe;

/// What the first line of output starts with; the port follows.
pub(super) const LISTENING: &str = "listening ";
/// The path of the counters, outside the protocol.
pub(super) const COUNTERS: &str = "/counters";
/// How many loopback addresses are listened on: 127.0.0.1 to this one.
pub(super) const MOST_ADDRESSES: u8 = 50;

/// Serves until standard input ends.
pub(crate) async fn run() -> Result<()> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = first.local_addr()?.port();
    let server = Arc::new(Server::new());
    let mut accepting = JoinSet::new();
    accepting.spawn(accept(first, Arc::clone(&server)));
    for number in 2..=MOST_ADDRESSES {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, number), port)).await?;
        accepting.spawn(accept(listener, Arc::clone(&server)));
    }
    say::line(format_args!("{LISTENING}{port}"));
    let mut input = tokio::io::stdin();
    let mut ignored = [0; 64];
    while !matches!(input.read(&mut ignored).await, Ok(0) | Err(_)) {}
    Ok(())
}

async fn accept(listener: TcpListener, server: Arc<Server>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of descriptors: those who wait are served when others have gone.
                let Ok((socket, _)): Result<(TcpStream, SocketAddr), _> = accepted else { continue };
                let _ = socket.set_nodelay(true);
                connections.spawn(Arc::clone(&server).serve(socket));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

struct Server {
    answers: Answers,
    /// Requests of any kind, the counters' own left out.
    exchanges: AtomicU64,
    connections: AtomicU64,
}

/// What the path of a request says about the backend.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// How many tools there are, 0 for the usual one.
    pub tools: usize,
    /// What each request takes.
    pub delay: Option<Duration>,
}

impl Kind {
    /// Reads it.
    pub(super) fn of(path: &str) -> Self {
        let mut kind = Self::default();
        for part in path.split('/').filter(|part| part.is_char_boundary(1)) {
            let (letter, number) = part.split_at(1.min(part.len()));
            match (letter, number.parse()) {
                ("t", Ok(tools)) => kind.tools = tools,
                ("d", Ok(delay)) => kind.delay = Some(Duration::from_millis(delay as u64)),
                _ => {}
            }
        }
        kind
    }
}

impl Server {
    fn new() -> Self {
        Self {
            answers: Answers::new(),
            exchanges: AtomicU64::new(0),
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
            return respond(Chunks::new([Bytes::from(self.counters())], true), "application/json");
        }
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        let kind = Kind::of(request.uri().path());
        if let Some(delay) = kind.delay {
            tokio::time::sleep(delay).await;
        }
        if request.method() == Method::DELETE {
            return status(StatusCode::OK);
        }
        if request.method() != Method::POST {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        let Ok(body) = request.into_body().collect().await else {
            return status(StatusCode::BAD_REQUEST);
        };
        match self.answers.to(&body.to_bytes(), kind.tools) {
            Some(Answer::Nothing) => status(StatusCode::ACCEPTED),
            Some(Answer::Message { pieces, stream, session }) => message(pieces, stream, session),
            None => status(StatusCode::BAD_REQUEST),
        }
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

fn message(pieces: [Bytes; 3], stream: bool, session: Option<u64>) -> Response<Chunks> {
    let [head, filler, tail] = pieces;
    let mut response = if stream {
        let before = Bytes::from([&b"event: message\ndata: "[..], &head].concat());
        let after = Bytes::from([&tail[..], b"\n\n"].concat());
        respond(Chunks::new([before, filler, after], false), "text/event-stream")
    } else {
        respond(Chunks::new([head, filler, tail], true), "application/json")
    };
    let session = session.and_then(|id| HeaderValue::from_str(&format!("session-{id}")).ok());
    if let Some(session) = session {
        response.headers_mut().insert("mcp-session-id", session);
    }
    response
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Kind;

    #[test]
    fn a_path_says_what_the_backend_is() {
        assert_eq!(Kind::of("/mcp"), Kind::default());
        let slow = Kind { tools: 20, delay: Some(Duration::from_millis(300)) };
        assert_eq!(Kind::of("/t20/d300/b7/mcp"), slow);
        assert_eq!(Kind::of("/t/dx/ünicode//t20"), Kind { tools: 20, delay: None });
    }
}
