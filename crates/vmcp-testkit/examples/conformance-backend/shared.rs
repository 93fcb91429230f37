//! What all sessions of the backend have in common.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use rmcp::task_manager::TaskManager;
use tokio::sync::broadcast;

use crate::catalogue::Catalogue;

/// What all sessions of the backend have in common.
pub(crate) struct Shared {
    pub(crate) catalogue: Catalogue,
    pub(crate) extra_tool: AtomicBool,
    pub(crate) extra_prompt: AtomicBool,
    /// The tasks that calls became.
    pub(crate) tasks: TaskManager,
    /// How many slow calls were cancelled.
    pub(crate) cancelled: AtomicU64,
    /// Changes, for the streams that listen for them.
    pub(crate) changes: broadcast::Sender<Change>,
    /// The states handed out and not yet redeemed: which round of which tool each stands for. A state that is not in
    /// here is not ours, so that it needs no signature.
    states: Mutex<HashMap<String, u32>>,
    next: AtomicU64,
}

/// What may change while the backend runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Tools,
    Prompts,
    Watched,
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            catalogue: Catalogue::read()?,
            extra_tool: AtomicBool::new(false),
            extra_prompt: AtomicBool::new(false),
            tasks: TaskManager::new(),
            cancelled: AtomicU64::new(0),
            changes: broadcast::Sender::new(64),
            states: Mutex::default(),
            next: AtomicU64::new(1),
        })
    }

    /// A new state that stands for this round.
    pub(crate) fn state(&self, round: u32) -> String {
        let state = format!("round-{round}-{:08x}", self.next.fetch_add(1, Ordering::Relaxed));
        self.states.lock().insert(state.clone(), round);
        state
    }

    /// The round that a state stands for, if it is one of ours.
    pub(crate) fn round(&self, state: &str) -> Option<u32> {
        self.states.lock().get(state).copied()
    }

    /// Tells the listening streams.
    pub(crate) fn changed(&self, change: Change) {
        // Nobody may be listening.
        let _ = self.changes.send(change);
    }
}
