//! Under which ids a client knows the tasks of its backends, for what backends say of them on their own.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// The tasks of one client.
pub(crate) struct Followed {
    /// How many are remembered; the oldest that nobody listens for goes.
    most: usize,
    /// Protects the list; held for one scan.
    list: Mutex<VecDeque<Entry>>,
}

struct Entry {
    backend: usize,
    own: Box<str>,
    shown: Box<str>,
    /// Streams that want to hear of it.
    watchers: usize,
}

// === impl Followed ===

impl Followed {
    /// Remembers at most this many.
    pub(super) fn new(most: usize) -> Self {
        Self { most, list: Mutex::default() }
    }

    /// The client knows a backend's task by this id.
    pub(crate) fn note(&self, backend: usize, own: &str, shown: &str) {
        self.enter(backend, own, shown, 0);
    }

    /// The same, and a stream wants to hear of it. Gives all of this backend's that streams want to hear of.
    pub(crate) fn watch(&self, backend: usize, own: &str, shown: &str) -> Vec<String> {
        self.enter(backend, own, shown, 1);
        self.watched(backend)
    }

    /// A stream does not want to hear of it any more. Gives all that streams still want to hear of.
    pub(crate) fn unwatch(&self, backend: usize, own: &str) -> Vec<String> {
        {
            let mut list = self.list.lock();
            if let Some(entry) = list.iter_mut().find(|entry| entry.is(backend, own)) {
                entry.watchers = entry.watchers.saturating_sub(1);
            }
        }
        self.watched(backend)
    }

    /// The id that the client knows a task by.
    pub(crate) fn shown(&self, backend: usize, own: &str) -> Option<Box<str>> {
        let list = self.list.lock();
        list.iter().rev().find(|entry| entry.is(backend, own)).map(|entry| entry.shown.clone())
    }

    fn watched(&self, backend: usize) -> Vec<String> {
        let list = self.list.lock();
        let watched = list.iter().filter(|entry| entry.backend == backend && entry.watchers > 0);
        let mut own: Vec<String> = watched.map(|entry| entry.own.to_string()).collect();
        own.sort_unstable();
        own
    }

    fn enter(&self, backend: usize, own: &str, shown: &str, watchers: usize) {
        let mut list = self.list.lock();
        let known = list.iter().position(|entry| entry.is(backend, own));
        let known = known.and_then(|at| list.remove(at)).map_or(0, |entry| entry.watchers);
        if list.len() >= self.most
            && let Some(oldest) = list.iter().position(|entry| entry.watchers == 0)
        {
            list.remove(oldest);
        }
        let watchers = known + watchers;
        list.push_back(Entry { backend, own: own.into(), shown: shown.into(), watchers });
    }
}

impl Entry {
    fn is(&self, backend: usize, own: &str) -> bool {
        self.backend == backend && *self.own == *own
    }
}

#[cfg(test)]
mod tests {
    use super::Followed;

    #[test]
    fn what_is_listened_for_is_not_forgotten() {
        let followed = Followed::new(2);
        assert_eq!(followed.watch(0, "a", "A"), ["a"]);
        for own in ["b", "c"] {
            followed.note(0, own, &own.to_uppercase());
        }
        let shown = |backend, own| followed.shown(backend, own);
        assert_eq!(shown(0, "a").as_deref(), Some("A"));
        assert_eq!((shown(0, "b"), shown(1, "c")), (None, None));
        assert_eq!(shown(0, "c").as_deref(), Some("C"));
    }

    #[test]
    fn a_task_is_listened_for_until_the_last_stream_ends() {
        let followed = Followed::new(8);
        followed.watch(0, "a", "A");
        followed.watch(0, "a", "A");
        assert_eq!(followed.watch(0, "b", "B"), ["a", "b"]);
        assert_eq!(followed.unwatch(0, "a"), ["a", "b"]);
        assert_eq!(followed.unwatch(0, "a"), ["b"]);
        assert!(followed.watch(1, "a", "A").len() == 1);
    }
}
