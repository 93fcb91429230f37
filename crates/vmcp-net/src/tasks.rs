//! The only place of this crate that starts tasks.
//!
//! There are two kinds: an HTTP/2 connection, which ends when nobody holds it any more, and the look at the idle
//! connections of a pool, which ends when there are none.

use tokio::runtime::Handle;

/// Runs `task` on the current runtime until it ends. Where there is none, or it is ending, the task is dropped here.
pub(crate) fn run(task: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(task);
    }
}
