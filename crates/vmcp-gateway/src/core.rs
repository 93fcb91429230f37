//! What every part of the gateway shares.

use std::sync::Arc;

use bytes::Bytes;
use vmcp_backend::Connector;
use vmcp_config::Config;

use crate::catalogue::Catalogue;
use crate::metrics::Metrics;
use crate::policy::Rules;
use crate::route::{Ledger, TaskIds};
use crate::session::{Messages, Registry};
use crate::tasks::Spawner;

/// What every part of the gateway shares. It owns no task: those end with the [`Gateway`](crate::Gateway).
pub(crate) struct Core {
    /// The configuration.
    pub config: Arc<Config>,
    /// Opens backend sessions.
    pub connector: Arc<Connector>,
    /// What the backends offer.
    pub catalogue: Catalogue,
    /// What clients are told when lists change.
    pub messages: Messages,
    /// What callers may do, if that is told by policies.
    pub rules: Option<Rules>,
    /// The open client sessions.
    pub registry: Registry,
    /// The ids that clients know tasks by.
    pub task_ids: TaskIds,
    /// The tasks that clients asked for.
    pub ledger: Arc<Ledger>,
    /// Counters.
    pub metrics: Metrics,
    /// Starts tasks that the gateway owns.
    pub spawner: Spawner,
    /// Who vmcp is: `{"name":…,"version":…}`.
    pub server_info: Bytes,
}
