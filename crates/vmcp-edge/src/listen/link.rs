//! What one connection's socket and its requests know of each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

/// Shared by the socket, which has deadlines, and the requests, which suspend them.
#[derive(Default)]
pub(crate) struct Link {
    /// Requests ever begun: the socket sees by a change that a new one began.
    begun: AtomicUsize,
    /// Requests not yet answered to the last byte.
    open: AtomicUsize,
    /// Requests that want their answer even when the client has closed its sending half.
    holding: AtomicUsize,
    /// The client has closed its sending half.
    ended: AtomicBool,
    /// Whoever reads a socket whose end is being held back.
    reader: Mutex<Option<Waker>>,
}

/// One request, from its head to the last byte of its answer.
pub(crate) struct Exchange(Arc<Link>);

/// While this lives, the end of the client's sending half is not the end of the connection.
pub(crate) struct Hold(Arc<Link>);

// === impl Link ===

impl Link {
    /// A request began.
    pub(crate) fn begin(self: &Arc<Self>) -> Exchange {
        self.begun.fetch_add(1, Ordering::AcqRel);
        self.open.fetch_add(1, Ordering::AcqRel);
        Exchange(Arc::clone(self))
    }

    /// Keeps the connection past the end of what the client sends.
    pub(crate) fn hold(self: &Arc<Self>) -> Hold {
        self.holding.fetch_add(1, Ordering::AcqRel);
        Hold(Arc::clone(self))
    }

    pub(super) fn begun(&self) -> usize {
        self.begun.load(Ordering::Acquire)
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }

    /// Whether the end must be held back; if so, `waker` is woken when it need not any more.
    pub(super) fn holds(&self, waker: &Waker) -> bool {
        self.ended.store(true, Ordering::Release);
        if self.holding.load(Ordering::Acquire) == 0 {
            return false;
        }
        *self.reader.lock() = Some(waker.clone());
        // Looked at again, because the last hold may have ended before the waker stood there.
        self.holding.load(Ordering::Acquire) > 0
    }

    fn wake(&self) {
        let waker = self.reader.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

// === impl Hold ===

impl Hold {
    /// Whether the client has closed its sending half: it may be gone, or wait.
    pub(crate) fn is_needed(&self) -> bool {
        self.0.ended.load(Ordering::Acquire)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.0.holding.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.wake();
        }
    }
}
