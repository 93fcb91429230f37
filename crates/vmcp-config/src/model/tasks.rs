//! Bounds of tasks: calls that go on after they were answered.

use std::time::Duration;

/// Bounds of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tasks {
    /// Tasks that one client asked for and that are not over; one more is refused.
    pub max_per_client: usize,
    /// Tasks of all clients that are remembered, to be listed; the oldest goes.
    pub max_listed: usize,
    /// How long vmcp knows a task by the id that it gave a client, whatever the backend promises.
    pub lifetime: Duration,
    /// The least time between two looks at a backend's task where vmcp itself follows it.
    pub min_poll: Duration,
    /// The longest such time.
    pub max_poll: Duration,
    /// Tasks of one client's session with one backend whose questions vmcp waits for, for a client that asks for them.
    pub max_waiting: usize,
}

// === impl Tasks ===

impl Default for Tasks {
    fn default() -> Self {
        Self {
            max_per_client: 256,
            max_listed: 16 * 1024,
            lifetime: Duration::from_secs(24 * 60 * 60),
            min_poll: Duration::from_millis(100),
            max_poll: Duration::from_secs(30),
            max_waiting: 64,
        }
    }
}
