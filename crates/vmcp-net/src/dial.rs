//! A new connection, of whichever version of HTTP the peer and we agree on.

use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::client::legacy::connect::Connection as _;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;

use crate::connect::Connector;
use crate::line::{Line, MAX_HEADER_BYTES, Stream};
use crate::shelf::{Place, Shared, Shelf};
use crate::{NetError, tasks};

/// What one HTTP/2 stream may send ahead of its reader.
const STREAM_WINDOW: u32 = 256 * 1024;
/// What all streams of one HTTP/2 connection may send ahead of their readers.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// A silent HTTP/2 connection is probed this often, and given up when the probe is not answered as soon.
const HTTP2_PROBE: Duration = Duration::from_secs(30);

/// What was dialled.
pub(crate) enum Dialled {
    /// HTTP/1: for one exchange at a time.
    Line(Line),
    /// HTTP/2: for all.
    Shared(Shared),
}

/// Dials where `place` is. What all share is on the shelf then.
pub(crate) async fn dial(
    connector: &Connector,
    shelf: &Arc<Shelf>,
    place: &Place,
) -> Result<Dialled, NetError> {
    let setup = |error: http::Error| NetError::Setup(format!("cannot be dialled: {error}"));
    let (origin, host) = (place.origin().map_err(setup)?, place.host().map_err(setup)?);
    let stream = connector.clone().call(origin).await;
    let stream = stream.map_err(|error| NetError::from_dialling(&*error))?;
    let connected = stream.connected();
    if connected.is_negotiated_h2() {
        let shared = multiplex(stream).await;
        let shared = shared.map_err(|error| NetError::from_dialling(&error))?;
        return Ok(Dialled::Shared(shelf.share(place, shared)));
    }
    Ok(Dialled::Line(Line::new(stream, host, connected.is_proxied())))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that speaks HTTP/2")]
async fn multiplex(stream: Stream) -> Result<Shared, hyper::Error> {
    let (shared, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(HTTP2_PROBE)
        .keep_alive_timeout(HTTP2_PROBE)
        .handshake(stream)
        .await?;
    tasks::run(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an HTTP/2 connection broke");
        }
    });
    Ok(shared)
}
