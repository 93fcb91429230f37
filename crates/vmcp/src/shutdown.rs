//! The end: the first signal asks for it, the second one takes it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::tasks;

/// The signals that end vmcp.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

// === impl Signals ===

impl Signals {
    /// From here on signals no longer kill the process.
    pub(crate) fn take() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Returns at the first signal. From then on the next one ends the process at once.
    pub(crate) async fn first(mut self) {
        self.next().await;
        tracing::info!("stopping: calls in flight may end; a second signal stops at once");
        tasks::detach(async move {
            self.next().await;
            std::process::exit(1);
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Does this at every SIGHUP from now on, instead of ending; one after the other.
pub(crate) fn on_hangup<F>(mut work: impl FnMut() -> F + Send + 'static) -> io::Result<()>
where
    F: Future<Output = ()> + Send,
{
    let mut hangup = signal(SignalKind::hangup())?;
    tasks::detach(async move {
        while hangup.recv().await.is_some() {
            work().await;
        }
    });
    Ok(())
}
