//! What outlives vmcp of what the backends offer.

use std::path::PathBuf;
use std::time::Duration;

/// Whether and where vmcp keeps what its backends offer, to answer at once after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// Whether it is kept.
    pub persist: bool,
    /// The folder. `None`: one in the folder where whoever runs vmcp keeps the rest.
    pub dir: Option<PathBuf>,
    /// What was last confirmed longer ago than this is not used any more.
    pub max_age: Duration,
}

// === impl Catalogue ===

impl Default for Catalogue {
    fn default() -> Self {
        Self { persist: true, dir: None, max_age: Duration::from_secs(30 * 24 * 60 * 60) }
    }
}
