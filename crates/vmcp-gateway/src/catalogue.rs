//! Everything the backends offer, and the view that clients get of it.
//!
//! Each backend has one refresher. A request never waits for one: it is answered from the current view, and when a
//! refresher finds something else, the view is replaced and the clients concerned are told.

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use vmcp_config::Aggregation;
use vmcp_wire::revision::Family;

mod alike;
mod apart;
mod backoff;
mod fresh;
mod health;
mod inventory;
pub(crate) mod refresher;
pub(crate) mod settle;
mod slot;

pub(crate) use alike::{Alike, Composed};
pub(crate) use backoff::pause;
pub(crate) use fresh::{Least, Stamp};
pub(crate) use health::age;
pub(crate) use inventory::{Inventory, Item, Members, Offers};
pub(crate) use slot::{Scope, Slot};

use crate::index::{Due, Keeper};
use crate::naming::conflict::Conflict;
use crate::view::{self, Known, View};

/// Everything the backends offer.
pub(crate) struct Catalogue {
    /// The backends, in config order.
    pub slots: Vec<Arc<Slot>>,
    /// Whether some backend offers something else to each caller.
    pub per_caller: bool,
    /// Wakes whoever tells clients that something changed.
    pub changed: Notify,
    /// What clients of each family see: one and the same, while no backend tells them apart.
    views: [ArcSwap<View>; 2],
    /// Views of clients that do not see what everybody sees.
    own: Alike<Composed>,
    /// Protects the order of builds: a view is never replaced by an older one, and goes with its inventories.
    building: Mutex<()>,
    /// Touched at the end of every attempt.
    waiting: watch::Sender<Waiting>,
    /// Keeps what is offered for the next vmcp.
    pub keeper: Option<Keeper>,
}

/// How many backends are waited for, on behalf of clients of each family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Those that have never been tried to an end.
    pub untried: [usize; 2],
    /// Those of them of which nothing is known.
    pub unknown: [usize; 2],
}

/// The catalogue at one moment.
pub(crate) struct Snapshot {
    /// The view.
    pub view: Arc<View>,
    /// What it was built from, one for each backend.
    pub inventories: Vec<Option<Arc<Inventory>>>,
}

// === impl Catalogue ===

impl Catalogue {
    /// A catalogue of these backends, and of what was kept of them.
    pub(crate) fn new(rules: &Aggregation, slots: Vec<Arc<Slot>>, keeper: Option<Keeper>) -> Self {
        let views = build_each(rules, &slots);
        let unknown = slots.iter().filter(|slot| !slot.restored).count();
        let waiting = Waiting { untried: [slots.len(); 2], unknown: [unknown; 2] };
        Self {
            per_caller: slots.iter().any(|slot| slot.per_caller),
            slots,
            changed: Notify::new(),
            views: views.map(ArcSwap::new),
            own: Alike::default(),
            building: Mutex::new(()),
            waiting: watch::Sender::new(waiting),
            keeper,
        }
    }

    /// What clients of this family see at this moment. Not to be held across an await.
    pub(crate) fn view(&self, family: Family) -> arc_swap::Guard<Arc<View>> {
        self.views[family as usize].load()
    }

    /// Takes what a backend offers from now on, and builds the views anew.
    pub(crate) fn learn(&self, rules: &Aggregation, slot: &Slot, now: Option<Arc<Inventory>>) {
        let _order = self.building.lock();
        slot.inventory.store(now);
        let [one, other] = build_each(rules, &self.slots);
        let is_one = Arc::ptr_eq(&one, &other);
        for (family, view) in Family::ALL.into_iter().zip([one, other]) {
            let before = self.views[family as usize].swap(view.clone());
            // One view for all is told of once.
            if family == Family::Session || !is_one {
                log_new_conflicts(&before.conflicts, &view.conflicts);
            }
        }
        self.note(slot, Due::Write);
        // Even if the view looks the same: one with a client's own inventories in place may not.
        self.changed.notify_one();
    }

    /// A backend offers what is known.
    pub(crate) fn confirm(&self, slot: &Slot) {
        self.note(slot, Due::Confirm);
    }

    fn note(&self, slot: &Slot, what: Due) {
        if let Some(keeper) = &self.keeper {
            keeper.note(slot, what);
        }
    }

    /// The view of clients of this family, and what it was built from.
    pub(crate) fn snapshot(&self, family: Family) -> Snapshot {
        let _order = self.building.lock();
        let view = self.views[family as usize].load_full();
        Snapshot { view, inventories: inventories(&self.slots, family) }
    }

    /// The view of these inventories, one for each backend; kept once for all clients that have it.
    pub(crate) fn compose(
        &self,
        rules: &Aggregation,
        inventories: Vec<Option<Arc<Inventory>>>,
    ) -> Arc<Composed> {
        self.own.find(|composed| composed.is_of(&inventories)).unwrap_or_else(|| {
            let view = build(rules, &self.slots, &inventories);
            self.own.keep(Arc::new(Composed { inventories, view }))
        })
    }

    /// An attempt at a backend has ended, as far as clients of this family are concerned; `first` if it was the first.
    pub(crate) fn attempted(&self, slot: &Slot, family: Family, first: bool) {
        slot.meets();
        let less = |count: &mut usize, by: bool| *count = count.saturating_sub(usize::from(by));
        self.waiting.send_modify(|waiting| {
            less(&mut waiting.untried[family as usize], first);
            less(&mut waiting.unknown[family as usize], first && !slot.restored);
        });
    }

    /// Returns once this holds; looks again after each attempt at a backend.
    pub(crate) async fn when(&self, mut holds: impl FnMut(&Waiting) -> bool) {
        let mut waiting = self.waiting.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = waiting.wait_for(|waiting| holds(waiting)).await;
    }

    /// Returns once something is known of every backend, for clients of this family, or it has been tried to an end.
    pub(crate) async fn known(&self, family: Family) {
        self.when(|waiting| waiting.unknown[family as usize] == 0).await;
    }
}

/// Builds the view of clients of each family: one and the same, if no backend tells them apart.
fn build_each(rules: &Aggregation, slots: &[Arc<Slot>]) -> [Arc<View>; 2] {
    let known = Family::ALL.map(|family| inventories(slots, family));
    let one = Arc::new(build(rules, slots, &known[0]));
    let other = match alike::are_same(&known[0], &known[1]) {
        true => one.clone(),
        false => Arc::new(build(rules, slots, &known[1])),
    };
    [one, other]
}

/// Builds a view from these inventories, one for each backend.
fn build(rules: &Aggregation, slots: &[Arc<Slot>], inventories: &[Option<Arc<Inventory>>]) -> View {
    let known: Vec<Known<'_>> = slots
        .iter()
        .zip(inventories)
        .map(|(slot, inventory)| Known { id: &slot.target.id, inventory: inventory.as_deref() })
        .collect();
    view::build(rules, &known)
}

fn inventories(slots: &[Arc<Slot>], family: Family) -> Vec<Option<Arc<Inventory>>> {
    slots.iter().map(|slot| slot.offered(family)).collect()
}

fn log_new_conflicts(before: &[Conflict], after: &[Conflict]) {
    for conflict in after.iter().filter(|conflict| !before.contains(conflict)) {
        tracing::warn!(%conflict, "name conflict");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::time::Instant;
    use vmcp_auth::CredentialScope;
    use vmcp_backend::{BackendTarget, CapabilityList, Endpoint, ServerHello};
    use vmcp_config::Config;
    use vmcp_wire::revision::Revision;

    use super::{Catalogue, Inventory, Slot};
    use crate::metrics::Metrics;

    fn listed(session: &str, tool: &'static str) -> Inventory {
        let hello = ServerHello {
            revision: Revision::LATEST_HANDSHAKE,
            capabilities: Bytes::from_static(br#"{"tools":{}}"#),
            server_info: Bytes::from_static(b"{}"),
            instructions: None,
            session_id: Some(session.to_owned()),
            freshness: None,
        };
        let tools = vec![Bytes::from_static(tool.as_bytes())];
        Inventory::read(Arc::new(hello), CapabilityList { tools, ..CapabilityList::default() })
    }

    fn slot(config: &Config, credentials: CredentialScope) -> Slot {
        let url = "http://127.0.0.1:1/".parse::<url::Url>().unwrap().into();
        let target = Arc::new(BackendTarget::new("b", Endpoint::StreamableHttp { url }));
        let metrics = Metrics::new().bind(&target.id);
        Slot::new(0, target, config, credentials, metrics)
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_backend_of_which_something_was_kept_leaves_clients_a_start_and_not_if_wanted() {
        let check = async |restored: bool, wanted: bool, waits: bool| {
            let mut slot = slot(&Config::default(), CredentialScope::Shared);
            slot.restored = restored;
            let start = Instant::now();
            if wanted {
                tokio::select! {
                    biased;
                    () = slot.met() => panic!("nothing was tried"),
                    () = slot.head_start() => {}
                }
            } else {
                slot.head_start().await;
            }
            assert_eq!(start.elapsed() > Duration::ZERO, waits, "{restored} {wanted}");
        };
        check(false, false, false).await;
        check(true, false, true).await;
        check(true, true, false).await;
    }

    #[test]
    fn clients_that_are_offered_the_same_share_one_list_and_one_view() {
        let config = Config::default();
        let slot = slot(&config, CredentialScope::PerCaller);
        let catalogue = Catalogue::new(&config.aggregation, vec![Arc::new(slot)], None);
        assert!(catalogue.per_caller);
        let slot = &catalogue.slots[0];
        let lists = [(1, r#"{"name":"a"}"#), (2, r#"{"name":"a"}"#), (3, r#"{"name":"b"}"#)];
        let [one, two, three] =
            lists.map(|(session, tool)| slot.keep_own(listed(&session.to_string(), tool)));
        assert!(Arc::ptr_eq(&one, &two) && !Arc::ptr_eq(&one, &three));
        let [one, two, three] = [one, two, three]
            .map(|inventory| catalogue.compose(&config.aggregation, vec![Some(inventory)]));
        assert!(Arc::ptr_eq(&one, &two));
        assert_ne!(one.view.digests(), three.view.digests());
    }
}
