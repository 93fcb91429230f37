//! A thread for each processor, each with a runtime of its own, to serve clients on.
//!
//! A call begins, goes to its backend and comes back on one of them: no other thread has to be woken on its way. The
//! pipes of backends that are processes are shared among them; catalogues, which belong to no client, run elsewhere.

use std::io;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The threads; dropped, they end, and with them what still runs there.
pub(crate) struct Cores {
    runtimes: Vec<Handle>,
    threads: Vec<JoinHandle<()>>,
    running: Option<DropGuard>,
}

// === impl Cores ===

impl Cores {
    /// Starts as many as the current runtime has workers: as there are processors for this process, unless its
    /// environment says otherwise (`TOKIO_WORKER_THREADS`).
    pub(crate) fn start() -> io::Result<Self> {
        let over = CancellationToken::new();
        let (mut runtimes, mut threads) = (Vec::new(), Vec::new());
        for number in 0..Handle::current().metrics().num_workers() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtimes.push(runtime.handle().clone());
            let over = over.clone();
            let thread = thread::Builder::new().name(format!("clients-{number}"));
            threads.push(thread.spawn(move || runtime.block_on(over.cancelled_owned()))?);
        }
        Ok(Self { runtimes, threads, running: Some(over.drop_guard()) })
    }

    /// Where tasks can be started.
    pub(crate) fn runtimes(&self) -> &[Handle] {
        &self.runtimes
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        self.running = None;
        for thread in self.threads.drain(..) {
            // One that panicked has ended too; the panic was reported where it happened.
            let _ = thread.join();
        }
    }
}
