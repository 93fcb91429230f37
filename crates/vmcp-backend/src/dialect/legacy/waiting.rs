//! Tasks that wait for their callers, where a backend only asks while somebody waits for the task's result.
//!
//! One request waits for each (`tasks/result`), in a task of its own, and gathers what is asked until the caller comes back
//! with answers. Keys are never given twice in a task's life. The end of the session, or of the task, ends the waiting.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use vmcp_wire::asking::{Declared, Missing, is_question};
use vmcp_wire::rpc;

use crate::link::Link;
use crate::session::forward_again;
use crate::tasks::Task;
use crate::{Call, Event, PeerRequest, input_requests};

/// Questions of one task at one time.
const MAX_QUESTIONS: usize = 256;

/// Tasks of one session that wait.
#[derive(Default)]
pub(crate) struct Waiting {
    /// Protects the list; held for a look or a change only.
    list: Mutex<Vec<(Box<str>, Arc<Held>)>>,
}

/// One task that waits.
pub(crate) struct Held {
    /// Protects the questions; held for a look or a change only.
    state: Mutex<State>,
    changed: Notify,
    reader: Mutex<Option<Task>>,
}

#[derive(Default)]
struct State {
    open: BTreeMap<u32, PeerRequest>,
    /// The last key given.
    last: u32,
    over: bool,
}

// === impl Waiting ===

impl Waiting {
    /// The task of this id, waited for from now on; `None` if too many are.
    pub(super) fn hold(
        &self,
        id: &str,
        most: usize,
        read: impl FnOnce(Weak<Held>) -> Task,
    ) -> Option<Arc<Held>> {
        let mut list = self.list.lock();
        list.retain(|(_, held)| !held.is_over());
        if let Some((_, held)) = list.iter().find(|(known, _)| **known == *id) {
            return Some(Arc::clone(held));
        }
        if list.len() >= most {
            return None;
        }
        let held = Arc::new(Held {
            state: Mutex::default(),
            changed: Notify::new(),
            reader: Mutex::default(),
        });
        *held.reader.lock() = Some(read(Arc::downgrade(&held)));
        list.push((id.into(), Arc::clone(&held)));
        Some(held)
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Held>> {
        let list = self.list.lock();
        list.iter().find(|(known, _)| **known == *id).map(|(_, held)| Arc::clone(held))
    }

    /// The task is over, or not waited for any more. What it asked and nobody answered is refused.
    pub(super) fn forget(&self, id: &str) {
        let mut list = self.list.lock();
        let at = list.iter().position(|(known, _)| **known == *id);
        let gone = at.map(|at| list.swap_remove(at));
        drop(list);
        drop(gone);
    }

    /// Nothing is waited for any more.
    pub(crate) fn clear(&self) {
        let gone = std::mem::take(&mut *self.list.lock());
        drop(gone);
    }
}

// === impl Held ===

impl Held {
    /// Reads what a task says while its result is waited for.
    pub(super) fn read(link: &Arc<Link>, wait: Call, held: Weak<Self>) -> Task {
        let link = Arc::clone(link);
        Task::start(async move {
            let reply = forward_again(&link, wait).await;
            if let Ok(mut reply) = reply {
                while let Some(event) = reply.next().await {
                    let Some(held) = held.upgrade() else { return };
                    match event {
                        Event::Request(peer) => held.add(&link, peer),
                        Event::Response(_) | Event::InputRequired(_) | Event::Failed(_) => break,
                        Event::Notification(_) | Event::Paused => {}
                    }
                }
            }
            if let Some(held) = held.upgrade() {
                held.state.lock().over = true;
                held.changed.notify_waiters();
            }
        })
    }

    fn add(&self, link: &Link, peer: PeerRequest) {
        let params = peer.message.params();
        let none = (rpc::METHOD_NOT_FOUND, "the client does not offer this");
        let refusal = match is_question(peer.method()) {
            true => Declared::read(&link.client().capabilities)
                .lacks(peer.method(), params.as_deref())
                .map(Missing::refusal),
            false => Some(none),
        };
        if let Some((code, text)) = refusal {
            link.errands().run(peer.refuse(code, text));
            return;
        }
        let mut state = self.state.lock();
        if state.open.len() < MAX_QUESTIONS {
            state.last += 1;
            let key = state.last;
            state.open.insert(key, peer);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Returns once something is asked, or nothing will be. Cancel-safe.
    pub(super) async fn asked(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Registered before the look: what comes in between is not missed.
            changed.as_mut().enable();
            {
                let state = self.state.lock();
                if state.over || !state.open.is_empty() {
                    return;
                }
            }
            changed.await;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.state.lock().over
    }

    /// What is asked and not answered: a raw JSON object, or `None` if there is nothing.
    pub(super) fn requests(&self) -> Option<Bytes> {
        let open = &self.state.lock().open;
        let requests = || input_requests(open.iter().map(|(key, peer)| (*key, &peer.message)));
        (!open.is_empty()).then(|| requests().into())
    }

    /// The question of this key.
    pub(super) fn take(&self, key: &str) -> Option<PeerRequest> {
        let key = key.strip_prefix('r')?.parse().ok()?;
        self.state.lock().open.remove(&key)
    }
}
