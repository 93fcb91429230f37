//! A gate holds answers back until the test opens it.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;

use crate::PATIENCE;

/// Lets a test hold an answer back, and know when the request has come that far. Clones are the same gate.
#[derive(Clone)]
pub struct Gate {
    state: Arc<watch::Sender<GateState>>,
}

#[derive(Clone, Copy, Default)]
struct GateState {
    open: bool,
    reached: usize,
}

// === impl Gate ===

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self { state: Arc::new(watch::Sender::new(GateState::default())) }
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.state.send_modify(|state| state.open = true);
    }

    /// Closes the gate for those who come from now on.
    pub fn close(&self) {
        self.state.send_modify(|state| state.open = false);
    }

    /// Waits until `count` answers have come to the gate since it was made.
    pub async fn reached(&self, count: usize) -> io::Result<()> {
        let mut state = self.state.subscribe();
        let arrived = state.wait_for(|state| state.reached >= count);
        match tokio::time::timeout(PATIENCE, arrived).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::TimedOut, "nothing came to the gate")),
        }
    }

    pub(crate) async fn pass(&self) {
        self.state.send_modify(|state| state.reached += 1);
        let mut state = self.state.subscribe();
        // The sender lives in `self`, so the wait can only end by the gate being open.
        let _ = state.wait_for(|state| state.open).await;
    }
}
