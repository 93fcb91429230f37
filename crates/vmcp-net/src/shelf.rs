//! Connections of one pool that wait for their next request.
//!
//! A connection belongs to the runtime that dialled it: used from another, each of its steps would wake a thread. So
//! each runtime gets back what it put here, and dials for itself otherwise.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;
use parking_lot::Mutex;
use tokio::runtime::{Handle, Id};
use tokio::time::Instant;

use crate::line::Line;
use crate::tasks;

/// An idle connection is closed after this long.
const IDLE: Duration = Duration::from_secs(90);
/// Idle connections are looked at this often: those that their peer closed must not lie here.
const SWEEP: Duration = Duration::from_secs(15);
/// Idle connections kept for one pool: as many as calls may run at a time, or each burst would dial anew.
const MAX_IDLE: usize = 1024;

/// A connection that all requests to its origin share.
pub(crate) type Shared = SendRequest<Full<Bytes>>;

/// What lies ready.
#[derive(Default)]
pub(crate) struct Shelf {
    /// Short sections only; nothing is dialled under the lock.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// One after the other, the one that was used last at the end. A pool has one origin as a rule, so they are not
    /// sorted by it.
    idle: Vec<Idle<Line>>,
    /// HTTP/2 connections: in use and here at the same time.
    shared: Vec<Idle<Shared>>,
    /// Somebody looks after them.
    swept: bool,
}

struct Idle<T> {
    place: Place,
    since: Instant,
    connection: T,
}

/// Where a connection leads, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    secure: bool,
    to: Authority,
    runtime: Id,
}

// === impl Place ===

impl Place {
    /// The current runtime's connections to where `uri` leads; `None` if that is no origin.
    pub(crate) fn of(uri: &Uri) -> Option<Self> {
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let to = uri.authority()?.clone();
        Some(Self { secure, to, runtime: Handle::current().id() })
    }

    /// The origin as a URL, for whoever dials it.
    pub(crate) fn origin(&self) -> Result<Uri, http::Error> {
        let scheme = if self.secure { Scheme::HTTPS } else { Scheme::HTTP };
        let root = PathAndQuery::from_static("/");
        Uri::builder().scheme(scheme).authority(self.to.clone()).path_and_query(root).build()
    }

    /// What the peer is called in a `Host` header: without the port that everybody expects (RFC 9110, §4.2).
    pub(crate) fn host(&self) -> Result<HeaderValue, http::Error> {
        let usual = if self.secure { 443 } else { 80 };
        let host = self.to.host();
        Ok(match self.to.port_u16().filter(|port| *port != usual) {
            Some(port) => HeaderValue::try_from(format!("{host}:{port}"))?,
            None => HeaderValue::try_from(host)?,
        })
    }
}

// === impl Shelf ===

impl Shelf {
    /// The connection that was used last. The peer may have closed it since.
    pub(crate) fn take(&self, place: &Place) -> Option<Line> {
        let mut state = self.state.lock();
        let at = state.idle.iter().rposition(|idle| idle.place == *place)?;
        Some(state.idle.remove(at).connection)
    }

    /// A connection that others use too.
    pub(crate) fn shared(&self, place: &Place) -> Option<Shared> {
        let mut state = self.state.lock();
        let at = state.shared.iter().position(|shared| shared.place == *place)?;
        if state.shared[at].connection.is_closed() {
            state.shared.swap_remove(at);
            return None;
        }
        state.shared[at].since = Instant::now();
        Some(state.shared[at].connection.clone())
    }

    /// Keeps a connection whose exchange is over, unless it is of no more use.
    pub(crate) fn put(self: &Arc<Self>, place: Place, line: Line) {
        if !line.is_complete() {
            return;
        }
        {
            let mut state = self.state.lock();
            if state.idle.len() < MAX_IDLE {
                state.idle.push(Idle { place, since: Instant::now(), connection: line });
            }
        }
        self.sweep_later();
    }

    /// Shares a new connection, or gives the one that somebody else has made meanwhile.
    pub(crate) fn share(self: &Arc<Self>, place: &Place, made: Shared) -> Shared {
        if let Some(other) = self.shared(place) {
            return other;
        }
        let (place, connection) = (place.clone(), made.clone());
        self.state.lock().shared.push(Idle { place, since: Instant::now(), connection });
        self.sweep_later();
        made
    }

    /// Has it looked after, if nobody does. Never under the lock: a runtime that is ending drops what it is given at once,
    /// and that takes the lock.
    fn sweep_later(self: &Arc<Self>) {
        if !std::mem::replace(&mut self.state.lock().swept, true) {
            tasks::run(sweep(Swept(Arc::downgrade(self))));
        }
    }

    /// Drops what is closed or has not been used for long. False when nothing is left.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        let fresh = |since: Instant| now.saturating_duration_since(since) < IDLE;
        let mut state = self.state.lock();
        state.idle.retain_mut(|idle| fresh(idle.since) && idle.connection.is_free());
        state.shared.retain(|shared| fresh(shared.since) && !shared.connection.is_closed());
        state.swept = !(state.idle.is_empty() && state.shared.is_empty());
        state.swept
    }
}

/// Looks after a shelf until it is empty or gone.
struct Swept(Weak<Shelf>);

async fn sweep(mut shelf: Swept) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(open) = shelf.0.upgrade() else { return };
        if !open.sweep() {
            // Who puts something there from now on starts another.
            shelf.0 = Weak::new();
            return;
        }
    }
}

impl Drop for Swept {
    /// Its runtime may end before the shelf does: then whoever puts something there next starts another.
    fn drop(&mut self) {
        if let Some(shelf) = self.0.upgrade() {
            shelf.state.lock().swept = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Shelf;

    #[test]
    fn a_runtime_that_has_ended_looks_after_nothing_and_stops_nobody() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let ended = runtime.handle().clone();
        drop(runtime);
        let shelf = Arc::new(Shelf::default());
        let entered = ended.enter();
        shelf.sweep_later();
        assert!(!shelf.state.lock().swept);
        drop(entered);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _entered = runtime.enter();
        shelf.sweep_later();
        assert!(shelf.state.lock().swept);
    }
}
