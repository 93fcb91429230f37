//! Writes what changed, a while after it did, beside everything else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Index;
use crate::catalogue::Slot;
use crate::core::Core;
use crate::tasks;

/// How long changes are gathered before they are written. No setting: nobody waits for it, and a crash meanwhile costs
/// no more than what a vmcp without an index knows after a restart.
const PAUSE: Duration = Duration::from_millis(300);

/// What is to be done for a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// It confirmed what it offers.
    Confirm,
    /// It offers something else, or nothing is known of it any more.
    Write,
}

/// Keeps the index as the catalogue is.
pub(crate) struct Keeper {
    index: Index,
    /// Protects what is to be done, by the backend's place; held to put one in, or to take all.
    due: Mutex<BTreeMap<usize, Due>>,
    wake: Notify,
    /// Held while files are written, so that what is written last is the newest.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// A folder that cannot be written is told of once.
    told: Arc<AtomicBool>,
}

/// Keeps the index as the catalogue is, until the task is ended.
pub(crate) async fn run(core: Arc<Core>) {
    let Some(keeper) = &core.catalogue.keeper else { return };
    let index = keeper.index.clone();
    // The first clients have the processors and the disk to themselves.
    tokio::time::sleep(PAUSE).await;
    tasks::blocking(move || index.clean()).await;
    loop {
        keeper.wake.notified().await;
        tokio::time::sleep(PAUSE).await;
        keeper.flush(&core.catalogue.slots).await;
    }
}

// === impl Keeper ===

impl Keeper {
    /// A keeper of this index.
    pub(crate) fn new(index: Index) -> Self {
        Self {
            index,
            due: Mutex::default(),
            wake: Notify::new(),
            turn: Arc::default(),
            told: Arc::default(),
        }
    }

    /// Something is to be done for this backend. What is offered to single callers is nothing to be kept.
    pub(crate) fn note(&self, slot: &Slot, what: Due) {
        if slot.per_caller {
            return;
        }
        let mut due = self.due.lock();
        let known = due.entry(slot.index).or_insert(what);
        *known = what.max(*known);
        drop(due);
        self.wake.notify_one();
    }

    /// Does what is to be done.
    ///
    /// # Cancel safety
    /// Safe: what was begun goes on.
    pub(crate) async fn flush(&self, slots: &[Arc<Slot>]) {
        let turn = self.turn.clone().lock_owned().await;
        let due = std::mem::take(&mut *self.due.lock());
        let due: Vec<(Arc<Slot>, Due)> =
            due.into_iter().filter_map(|(at, what)| Some((slots.get(at)?.clone(), what))).collect();
        if due.is_empty() {
            return;
        }
        let (index, told) = (self.index.clone(), self.told.clone());
        let work = move || {
            let _turn = turn;
            for (slot, what) in due {
                if let Err(error) = keep(&index, &slot, what) {
                    complain(&index, &told, &error);
                }
            }
        };
        tasks::blocking(work).await;
    }
}

/// Does what is to be done for one backend.
fn keep(index: &Index, slot: &Slot, what: Due) -> std::io::Result<()> {
    let (target, listed) = (&slot.target, slot.health(|health| health.listed));
    let (Some(inventory), Some(listed)) = (slot.inventory.load_full(), listed) else {
        return index.remove(target);
    };
    if what == Due::Confirm && index.confirm(target, listed)? {
        return Ok(());
    }
    index.save(target, slot.scope, &inventory, listed)
}

fn complain(index: &Index, told: &AtomicBool, error: &std::io::Error) {
    let folder = index.folder.display();
    if told.swap(true, Ordering::Relaxed) {
        tracing::debug!(%folder, %error, "what backends offer still cannot be kept");
    } else {
        let advice = "set `catalogue.dir`, or `catalogue.persist: false`";
        tracing::warn!(%folder, %error, advice, "what backends offer cannot be kept for a restart");
    }
}
