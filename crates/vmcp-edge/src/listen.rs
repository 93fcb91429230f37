//! Stage *listen*: connections. How many, for how long, and what hyper may take from each.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

mod crew;
pub(crate) mod link;
mod socket;
mod stream;

pub(crate) use crew::Crew;

use crate::admit::Place;
use crate::edge::Edge;
use crate::guard::origin::Door;
use crate::stack;
use crate::tasks::Tasks;
use link::Link;
use socket::{Deadlines, Socket};
use stream::Stream;

/// After an accept failed for want of a resource.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a peer that answers nothing keeps a connection with unacknowledged bytes.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// A peer on an idle HTTP/2 connection is asked whether it is there.
const PING: Duration = Duration::from_secs(30);

/// What no request of HTTP/1 begins with.
const PREFACE: &[u8; 4] = b"PRI ";
/// Between two looks at a client that sends its first bytes one by one.
const PEEK_PAUSE: Duration = Duration::from_millis(10);
/// The header lines that hyper takes if it is told nothing.
const HYPER_HEADERS: usize = 100;

/// What a client gets when every place is taken.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 0\r\n\r\n";

/// Accepts until no new work is taken.
pub(crate) async fn accept(edge: Arc<Edge>, listener: TcpListener) {
    let loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let door = if loopback { Door::Loopback } else { Door::Open };
    let builder = Arc::new(builder(&edge));
    loop {
        let accepted = tokio::select! {
            biased;
            () = edge.tasks.draining().cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => match edge.connections.enter() {
                Some(place) => assign(&edge, &builder, door, stream, place),
                // A handshake is more than such a client is worth.
                None if edge.tls.is_some() => drop(stream),
                None => edge.tasks.run_for(ACCEPT_PAUSE, refuse(stream)),
            },
            Err(error) => {
                // Out of descriptors, or the peer was gone before it was taken: neither ends the server.
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Has a connection served, by the crew if there is one.
fn assign(
    edge: &Arc<Edge>,
    builder: &Arc<auto::Builder<Tasks>>,
    door: Door,
    stream: TcpStream,
    place: Place,
) {
    let (served, builder) = (Arc::clone(edge), Arc::clone(builder));
    let Some((runtime, counted)) = edge.crew.next() else {
        return edge.tasks.run(serve(served, builder, door, stream, place));
    };
    // The socket goes to the runtime that serves it: used from another one, each of its events would wake two threads.
    let moved = stream.into_std();
    edge.tasks.run_on(runtime, async move {
        match moved.and_then(TcpStream::from_std) {
            Ok(stream) => serve(served, builder, door, stream, place).await,
            Err(error) => tracing::warn!(%error, "a connection could not be taken over"),
        }
        drop(counted);
    });
}

async fn refuse(mut stream: TcpStream) {
    if stream.write_all(FULL).await.is_ok() {
        // Failing to say goodbye changes nothing for anybody.
        stream.shutdown().await.ok();
    }
}

/// Both versions of HTTP behind one listener.
fn builder(edge: &Edge) -> auto::Builder<Tasks> {
    let limits = &edge.config.limits;
    let mut builder = auto::Builder::new(edge.tasks.clone());
    builder
        .http1()
        .timer(TokioTimer::new())
        // The socket has its own clocks, which tell a slow head from an idle connection.
        .header_read_timeout(None)
        .max_buf_size(limits.max_header_bytes.max(8192))
        // One answer after the other, whatever the client sends ahead.
        .pipeline_flush(false);
    // Room for the usual number is at hand; for another it is made for each request.
    if limits.max_headers != HYPER_HEADERS {
        builder.http1().max_headers(limits.max_headers);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(u32::try_from(limits.max_multiplexed).unwrap_or(u32::MAX))
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(64 << 10)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

async fn serve(
    edge: Arc<Edge>,
    builder: Arc<auto::Builder<Tasks>>,
    door: Door,
    stream: TcpStream,
    place: Place,
) {
    let _count = edge.metrics.open_connection();
    tune(&stream);
    let opened = tokio::select! {
        opened = open(&edge, stream) => opened,
        () = edge.tasks.draining().cancelled() => None,
    };
    let Some((stream, multiplexed)) = opened else { return };
    // hyper would look at the first bytes as well, take them for half a head, and keep twice the memory for good.
    let builder = auto::Builder::clone(&builder);
    let builder = if multiplexed { builder.http2_only() } else { builder.http1_only() };
    let link = Arc::new(Link::default());
    let deadlines = Deadlines {
        read_headers: edge.config.timeouts.read_headers,
        idle: edge.config.timeouts.idle_connection,
        write: edge.config.timeouts.write,
    };
    let socket = Socket::new(stream, Arc::clone(&link), deadlines);
    let draining = edge.tasks.draining().clone();
    let service = service_fn(move |request| {
        let (edge, link) = (Arc::clone(&edge), Arc::clone(&link));
        // Boxed: hyper keeps room for it as long as the connection lives, and most do nothing most of the time.
        Box::pin(async move { Ok::<_, Infallible>(stack::serve(edge, link, door, request).await) })
    });
    // Pinned where it is made: moved, it would take its size twice.
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(socket), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(place);
}

/// The bytes of a client, and whether it speaks HTTP/2. `None`: it had its time, or is gone.
async fn open(edge: &Edge, stream: TcpStream) -> Option<(Stream, bool)> {
    let timeouts = &edge.config.timeouts;
    match &edge.tls {
        // Boxed: a connection without TLS would keep the room for its handshake.
        Some(tls) => Box::pin(stream::shake(tls, stream, timeouts.handshake)).await,
        None => {
            let multiplexed = opens_multiplexed(&stream, timeouts.read_headers).await?;
            Some((Stream::Plain(stream), multiplexed))
        }
    }
}

/// Whether a client begins as one of HTTP/2 does; its bytes stay where they are. `None`: it had its time, or is gone.
async fn opens_multiplexed(stream: &TcpStream, within: Duration) -> Option<bool> {
    let look = async {
        let mut bytes = [0; PREFACE.len()];
        loop {
            let length = stream.peek(&mut bytes).await.ok()?;
            let seen = bytes.get(..length)?;
            if seen.is_empty() || !PREFACE.starts_with(seen) {
                return Some(false);
            }
            if seen.len() == PREFACE.len() {
                return Some(true);
            }
            // What is there already would be told again at once.
            tokio::time::sleep(PEEK_PAUSE).await;
        }
    };
    tokio::time::timeout(within, look).await.ok().flatten()
}

/// Small answers go at once; a peer that vanished without a word is noticed.
fn tune(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let keepalive = socket2::TcpKeepalive::new().with_time(UNACKNOWLEDGED);
    let tuned = stream.set_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    #[cfg(target_os = "linux")]
    let tuned = tuned.and_then(|()| socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED)));
    if let Err(error) = tuned {
        tracing::debug!(%error, "a socket option could not be set");
    }
}
