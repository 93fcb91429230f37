//! The gateway as one server on a pair of pipes: one message per line, one client, and at most one session.
//!
//! A client may open a session, or say with every request all that a session would know, or both: each message says
//! which it is.
//!
//! One loop reads lines; each call runs in a task of its own and writes its events in order into one bounded
//! queue; one writer empties the queue. A long response is handed to the writer as a whole, in parts, so that
//! no other line can get into it. When the input ends, calls in flight get a grace period, then everything
//! ends: a client that closes the pipe says goodbye that way.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::Instant;
use vmcp_config::Config;
use vmcp_gateway::Gateway;
use vmcp_wire::lines::{Decoder, Item};

mod calls;
mod lone;
mod session;
mod writer;

pub(in crate::front) use session::{Along, PipeSession, Setting};
pub(in crate::front) use writer::{Line, Part};

use crate::edge;
use crate::front::Hall;
use crate::tasks::Tasks;

/// How often the questions of a session are looked through for late ones.
pub(in crate::front) const SWEEP: Duration = Duration::from_secs(5);
/// Bytes read at one time.
const CHUNK: usize = 64 << 10;
/// Lines that wait for the writer.
const QUEUE: usize = 256;

/// Serves one client until its input ends, its output breaks or `shutdown` fires. Closes the client's
/// session; the gateway is left to its owner to close.
///
/// # Errors
/// When a pipe breaks. The end of the input is no error.
pub async fn run(
    config: Arc<Config>,
    gateway: Arc<Gateway>,
    stdin: impl AsyncRead + Send + Unpin,
    stdout: impl AsyncWrite + Send + Unpin,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let tasks = Tasks::default();
    let (queue, lines) = mpsc::channel(QUEUE);
    let hall = Hall::new(Arc::clone(&config), Arc::clone(&gateway), tasks.clone());
    let setting = Setting {
        config: Arc::clone(&config),
        gateway,
        hall: Arc::new(hall),
        metrics: None,
        tasks: tasks.clone(),
    };
    let mut session = PipeSession::new(setting, queue);
    let grace = config.timeouts.drain;
    let serve = async {
        let read = tokio::select! {
            read = read(&config, stdin, &mut session) => read,
            () = shutdown => Ok(()),
        };
        // Calls in flight may finish; then the last sender of the queue goes, and with it the writer.
        session.hang_up();
        tasks.stop(grace).await;
        session.finish(grace).await;
        drop(session);
        read
    };
    let (mut serve, mut write) =
        (std::pin::pin!(serve), std::pin::pin!(writer::run(lines, stdout)));
    tokio::select! {
        read = serve.as_mut() => { write.await?; read }
        // A client that does not read any more is gone.
        written = write.as_mut() => written,
    }
}

async fn read(
    config: &Config,
    mut stdin: impl AsyncRead + Send + Unpin,
    session: &mut PipeSession,
) -> io::Result<()> {
    let limits = edge::limits(config);
    // Whatever a client sends is held whole: only backends' responses are long enough to stream.
    let mut decoder = Decoder::new(limits, limits.max_bytes, false);
    let mut chunk = BytesMut::with_capacity(CHUNK);
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            read = stdin.read_buf(&mut chunk) => {
                let ended = read? == 0;
                decoder.push(chunk.split().freeze());
                chunk.reserve(CHUNK);
                while let Some(item) = decoder.next() {
                    take(session, item).await;
                }
                if ended {
                    if let Some(item) = decoder.finish() {
                        take(session, item).await;
                    }
                    return Ok(());
                }
            }
            _ = sweep.tick() => session.sweep(Instant::now()),
        }
    }
}

async fn take(session: &mut PipeSession, item: Item) {
    match item {
        Item::Message(message) => session.message(message).await,
        Item::Batch(messages) => session.batch(messages, Along::default()).await,
        // A line that is no message is never answered: two programs could answer each other for ever.
        Item::Skipped(error) => tracing::debug!(%error, "a line was skipped"),
        Item::Broken(_) | Item::Head(_) | Item::Pieces(_) | Item::End => {
            tracing::debug!("a response longer than the limit was skipped");
        }
    }
}

/// One message as a line of its own.
async fn say(queue: &mpsc::Sender<Line>, message: Bytes) {
    // Fails only when the output broke, which ends everything anyway.
    queue.send(Line::Whole(message)).await.ok();
}
