//! What clients who ask for tasks have asked for: how many run, and what to list.
//!
//! Only in memory: an id is good without it, a list is not. A list belongs to a principal; where nobody is known, to one
//! client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;
use vmcp_config::Tasks;
use vmcp_wire::Object;
use vmcp_wire::task::Status;

use super::id::Principal;

/// The longest task object that is kept; of a longer one only what follows its state.
const MAX_TASK: usize = 4096;

/// Whose a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The principal.
    pub principal: Principal,
    /// The client, where the principal is everybody.
    pub client: Option<u64>,
}

/// All tasks that clients asked for.
pub(crate) struct Ledger {
    most_of_one: usize,
    most: usize,
    lifetime: Duration,
    /// Protects the entries; held for one look through them.
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    last: u64,
    entries: BTreeMap<u64, Entry>,
}

struct Entry {
    owner: Owner,
    until: Instant,
    /// `None` while the call has not become one.
    task: Option<Listed>,
}

/// A task of a list.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// The backend's place in the configuration.
    pub backend: usize,
    /// The backend's own id.
    pub own: Box<str>,
    /// The id that the client knows.
    pub shown: Box<str>,
    /// The task as it was told last, under that id: a raw JSON object.
    pub task: Bytes,
    /// It stays as it is.
    pub over: bool,
}

/// A place for a call that is to become a task. Given back when it is dropped before.
pub(crate) struct Place {
    ledger: Arc<Ledger>,
    at: u64,
    kept: bool,
}

// === impl Ledger ===

impl Ledger {
    pub(crate) fn new(bounds: &Tasks) -> Self {
        Self {
            most_of_one: bounds.max_per_client,
            most: bounds.max_listed,
            lifetime: bounds.lifetime,
            table: Mutex::default(),
        }
    }

    /// A place for one more task; `None` if too many of this owner's are not over.
    pub(crate) fn reserve(self: &Arc<Self>, owner: Owner) -> Option<Place> {
        let now = Instant::now();
        let mut table = self.table.lock();
        table.entries.retain(|_, entry| entry.until > now);
        let mine = table.entries.iter().filter(|(_, entry)| entry.owner == owner);
        let (over, live): (Vec<_>, Vec<_>) =
            mine.partition(|(_, entry)| entry.task.as_ref().is_some_and(|task| task.over));
        if live.len() >= self.most_of_one {
            return None;
        }
        // Of those that are over the oldest is listed no longer.
        let full = over.len() + live.len() >= self.most_of_one;
        let oldest = over.first().filter(|_| full).map(|(at, _)| **at);
        let oldest = oldest.or_else(|| table.oldest_beyond(self.most));
        if let Some(oldest) = oldest {
            table.entries.remove(&oldest);
        }
        table.last += 1;
        let at = table.last;
        let entry = Entry { owner, until: now + self.lifetime, task: None };
        table.entries.insert(at, entry);
        Some(Place { ledger: Arc::clone(self), at, kept: false })
    }

    /// A task is told anew.
    pub(crate) fn told(&self, owner: Owner, shown: &str, task: &[u8]) {
        let Ok(object) = Object::parse(task) else { return };
        let over = Status::of(&object).is_some_and(Status::is_final);
        let mut table = self.table.lock();
        let own = table.entries.values_mut().filter(|entry| entry.owner == owner);
        let mut own = own.filter_map(|entry| entry.task.as_mut());
        if let Some(listed) = own.find(|listed| *listed.shown == *shown) {
            listed.over = over;
            listed.task = kept(task, &object);
        }
    }

    /// There is no such task any more.
    pub(crate) fn gone(&self, owner: Owner, shown: &str) {
        let is_it = |entry: &Entry| {
            entry.owner == owner && entry.task.as_ref().is_some_and(|task| *task.shown == *shown)
        };
        self.table.lock().entries.retain(|_, entry| !is_it(entry));
    }

    /// At most so many tasks of this owner after this one of the list, oldest first, and the place of the last of them if
    /// there are more.
    pub(crate) fn page(&self, owner: Owner, after: u64, most: usize) -> (Vec<Listed>, Option<u64>) {
        let now = Instant::now();
        let table = self.table.lock();
        let mine = table.entries.range(after.saturating_add(1)..);
        let mut mine = mine.filter_map(|(at, entry)| {
            let is_mine = entry.owner == owner && entry.until > now;
            Some((*at, entry.task.as_ref().filter(|_| is_mine)?.clone()))
        });
        let page: Vec<(u64, Listed)> = mine.by_ref().take(most).collect();
        let next = page.last().map(|(at, _)| *at).filter(|_| mine.next().is_some());
        (page.into_iter().map(|(_, listed)| listed).collect(), next)
    }
}

impl Table {
    fn oldest_beyond(&self, most: usize) -> Option<u64> {
        self.entries.keys().next().copied().filter(|_| self.entries.len() >= most)
    }
}

// === impl Place ===

impl Place {
    /// The call became this task.
    pub(crate) fn keep(mut self, backend: usize, own: &str, shown: &str, task: &[u8]) {
        let Ok(object) = Object::parse(task) else { return };
        let over = Status::of(&object).is_some_and(Status::is_final);
        let mut table = self.ledger.table.lock();
        if let Some(entry) = table.entries.get_mut(&self.at) {
            let (own, shown) = (own.into(), shown.into());
            entry.task = Some(Listed { backend, own, shown, task: kept(task, &object), over });
        }
        drop(table);
        self.kept = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept {
            self.ledger.table.lock().entries.remove(&self.at);
        }
    }
}

/// A copy of the task, or of its short members.
fn kept(task: &[u8], object: &Object<'_>) -> Bytes {
    if task.len() <= MAX_TASK {
        return Bytes::copy_from_slice(task);
    }
    let members = ["taskId", "status", "createdAt", "lastUpdatedAt", "ttl", "pollInterval"];
    let mut out = b"{".to_vec();
    for key in members {
        let Some(member) = object.get(key).filter(|member| member.raw.len() <= MAX_TASK) else {
            continue;
        };
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(&vmcp_wire::quote(key));
        out.push(b':');
        out.extend_from_slice(member.raw);
    }
    out.push(b'}');
    out.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use vmcp_auth::Identity;
    use vmcp_config::Tasks;

    use super::{Ledger, Owner, Principal};

    fn ledger(change: impl FnOnce(&mut Tasks)) -> Arc<Ledger> {
        let mut bounds = Tasks::default();
        change(&mut bounds);
        Arc::new(Ledger::new(&bounds))
    }

    fn owner(client: u64) -> Owner {
        Owner { principal: Principal::of(&Identity::anonymous()), client: Some(client) }
    }

    fn add(ledger: &Arc<Ledger>, owner: Owner, id: &str, status: &str) -> bool {
        let Some(place) = ledger.reserve(owner) else { return false };
        let task = format!(r#"{{"taskId":"{id}","status":"{status}"}}"#);
        place.keep(0, "own", id, task.as_bytes());
        true
    }

    fn names(ledger: &Ledger, owner: Owner, after: u64, most: usize) -> (Vec<String>, Option<u64>) {
        let (page, next) = ledger.page(owner, after, most);
        (page.into_iter().map(|listed| listed.shown.into()).collect(), next)
    }

    #[tokio::test]
    async fn pages_are_of_one_owner_and_in_order() {
        let ledger = ledger(|_| {});
        for (client, id) in [(1, "a"), (2, "x"), (1, "b"), (1, "c")] {
            assert!(add(&ledger, owner(client), id, "working"));
        }
        let (page, next) = names(&ledger, owner(1), 0, 2);
        assert_eq!(page, ["a", "b"]);
        assert_eq!(names(&ledger, owner(1), next.unwrap(), 2), (vec!["c".to_owned()], None));
        assert_eq!(names(&ledger, owner(3), 0, 9), (Vec::new(), None));
    }

    #[tokio::test]
    async fn only_so_many_run_at_one_time() {
        let ledger = ledger(|bounds| bounds.max_per_client = 2);
        let held = ledger.reserve(owner(1)).unwrap();
        assert!(add(&ledger, owner(1), "a", "working"));
        assert!(!add(&ledger, owner(1), "b", "working"), "a call that may become a task counts");
        assert!(add(&ledger, owner(2), "x", "working"), "others have their own");
        drop(held);
        assert!(add(&ledger, owner(1), "b", "working"));
        ledger.told(owner(1), "a", br#"{"taskId":"a","status":"completed"}"#);
        assert!(add(&ledger, owner(1), "c", "working"));
        assert_eq!(names(&ledger, owner(1), 0, 9).0, ["b", "c"], "what is over makes room");
        ledger.gone(owner(1), "b");
        assert_eq!(names(&ledger, owner(1), 0, 9).0, ["c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_is_listed_for_its_time_only() {
        let ledger = ledger(|bounds| bounds.lifetime = Duration::from_secs(60));
        assert!(add(&ledger, owner(1), "a", "working"));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(names(&ledger, owner(1), 0, 9).0.is_empty());
    }

    #[tokio::test]
    async fn of_a_long_task_the_short_members_are_kept() {
        let ledger = ledger(|_| {});
        let text = "x".repeat(5000);
        let task =
            format!(r#"{{"taskId":"a","status":"working","statusMessage":"{text}","ttl":null}}"#);
        ledger.reserve(owner(1)).unwrap().keep(0, "own", "a", task.as_bytes());
        let (page, _) = ledger.page(owner(1), 0, 1);
        assert_eq!(page[0].task, r#"{"taskId":"a","status":"working","ttl":null}"#);
    }
}
