//! The stream that a backend has beside its replies.
//!
//! What it says there and what it answers come on two connections, and nothing in either says which was first. The one
//! order that there is is that of arrival: whoever has an answer can wait until all is read that had come by then
//! ([`Aside::caught_up`]). It is no matter of time: nothing is waited for that has not come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{SetOnce, mpsc, oneshot};
use tokio::time::timeout;

/// So often the runtime looks for news before a stream counts as read to the end. Once would do for a socket; a shared
/// connection hands on what it read in a turn of its own, and another thread may be looking just now.
pub(crate) const TURNS: u32 = 3;
/// Answers that wait at the same time; the others wait for their turn to ask.
const ASKING: usize = 16;
/// How long a backend that says more than can be read may hold an answer up. No setting: whoever stops talking is read to
/// the end long before.
const PATIENCE: Duration = Duration::from_millis(100);

/// Whether there is such a stream, and the way to whoever reads it.
#[derive(Default)]
pub(crate) struct Aside {
    /// Set when it was asked for once, and something came of it.
    pub(super) asked: SetOnce<()>,
    /// It was asked for, and the backend did not refuse it.
    there: AtomicBool,
    /// Held to read or to replace it.
    reader: Mutex<Option<mpsc::Sender<Waiting>>>,
}

/// An answer that waits until this is dropped.
pub(crate) type Waiting = oneshot::Sender<()>;

// === impl Aside ===

impl Aside {
    /// Somebody opens it from now on, or nobody.
    pub(crate) fn set(&self, there: bool) {
        self.there.store(there, Ordering::Release);
    }

    pub(crate) fn is_there(&self) -> bool {
        self.there.load(Ordering::Acquire)
    }

    /// For who reads it now: answers that wait. Each is to be dropped once nothing is left to read.
    pub(crate) fn read(&self) -> mpsc::Receiver<Waiting> {
        let (sender, waiting) = mpsc::channel(ASKING);
        *self.reader.lock() = Some(sender);
        waiting
    }

    /// Waits until what has arrived is read, if there is something to read from.
    ///
    /// Cancel-safe.
    pub(crate) async fn caught_up(&self) {
        let reader = self.reader.lock().clone();
        let Some(reader) = reader else { return };
        let (waiting, read) = oneshot::channel();
        let asked = async {
            // Both fail if the stream ends, and then there is nothing to wait for.
            if reader.send(waiting).await.is_ok() {
                let _ = read.await;
            }
        };
        let _ = timeout(PATIENCE, asked).await;
    }
}
