//! Progress of tasks: the token of a call that became one is good until the task is over (MCP 2025-11-25, "Tasks").
//!
//! Such progress comes on whatever stream there is, under a number of ours that belongs to no call any more. Here stands
//! whose it is. What is in no list is dropped.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use vmcp_wire::task::{self, Status};
use vmcp_wire::{Message, Object, RawId, method};

use super::Framing;
use crate::session::meta;
use crate::{Call, Outside, Sink, TargetLimits};

/// The tokens of one session's tasks, and of calls that are to become some.
pub(crate) struct Living {
    /// Held for a look or a change only.
    list: Mutex<VecDeque<Entry>>,
    most: usize,
    framing: Framing,
}

struct Entry {
    /// The number of its call, which is its token at the backend.
    id: u64,
    /// The caller's own.
    token: RawId,
    /// `None` until the call is answered.
    task: Option<Box<str>>,
}

/// What the response to a call says of such a task.
pub(crate) enum Mark {
    /// The task that the call becomes.
    Becomes(Expected),
    /// The result of this one: it is over.
    Result(Box<str>),
    /// The state of this one.
    State(Box<str>),
}

/// A call that is to become a task. Dropped before it is one, its token is forgotten.
pub(crate) struct Expected {
    living: Arc<Living>,
    id: u64,
}

// === impl Living ===

impl Living {
    pub(crate) fn new(limits: &TargetLimits) -> Arc<Self> {
        let (list, most) = (Mutex::default(), limits.tasks.max_waiting);
        Arc::new(Self { list, most, framing: Framing::from(limits) })
    }

    /// The sink of a session, for what is said outside calls: progress in it is that of tasks.
    pub(crate) fn before(self: &Arc<Self>, sink: &Sink) -> Sink {
        let (living, sink) = (Arc::clone(self), Arc::clone(sink));
        Arc::new(move |outside| {
            let Outside::Notification(message) = outside else { return sink(outside) };
            if message.method() != method::PROGRESS {
                living.told(&message);
                return sink(Outside::Notification(message));
            }
            match living.restore(&message) {
                Some(message) => sink(Outside::Notification(message)),
                None => tracing::debug!("progress of no call and no task was dropped"),
            }
        })
    }

    /// What there is to learn from the response to a call that is about to be sent as `id`.
    pub(crate) fn mark(
        self: &Arc<Self>,
        call: &Call,
        id: u64,
        token: Option<&RawId>,
    ) -> Option<Box<Mark>> {
        if call.keeps_progress {
            // Now: what comes after the answer may be read before it.
            self.enter(id, token?.clone());
            let living = Arc::clone(self);
            return Some(Box::new(Mark::Becomes(Expected { living, id })));
        }
        let mark = match &*call.method {
            method::TASKS_RESULT => Mark::Result,
            method::TASKS_GET | method::TASKS_CANCEL => Mark::State,
            _ => return None,
        };
        if self.list.lock().is_empty() {
            return None;
        }
        let params = Object::parse(call.params.as_deref()?).ok()?;
        let task = params.get(task::ID)?.as_str()?.into();
        Some(Box::new(mark(task)))
    }

    /// The response to such a call; `None`: it is long and passed on.
    pub(crate) fn answered(&self, mark: Mark, response: Option<&Message>) {
        let result = response.and_then(Message::result);
        let object = result.as_deref().and_then(|result| Object::parse(result).ok());
        let is_final = |task: &Object<'_>| Status::of(task).is_some_and(Status::is_final);
        match mark {
            Mark::Becomes(expected) => {
                let task = object.and_then(|object| object.get(task::TASK)?.as_object());
                let Some(task) = task.filter(|task| !is_final(task)) else { return };
                let own = task.get(task::ID).and_then(|id| Some(Box::from(&*id.as_str()?)));
                let mut list = self.list.lock();
                if let Some(entry) = list.iter_mut().find(|entry| entry.id == expected.id) {
                    entry.task = own;
                }
            }
            Mark::Result(task) => self.over(&task),
            Mark::State(task) if object.is_some_and(|object| is_final(&object)) => self.over(&task),
            Mark::State(_) => {}
        }
    }

    /// Reads what the backend says of a task on its own.
    pub(crate) fn told(&self, message: &Message) {
        if message.method() != method::TASKS_STATUS || self.list.lock().is_empty() {
            return;
        }
        let params = message.params().unwrap_or_default();
        let Ok(task) = Object::parse(&params) else { return };
        if Status::of(&task).is_some_and(Status::is_final)
            && let Some(id) = task.get(task::ID).and_then(|id| id.as_str())
        {
            self.over(&id);
        }
    }

    /// Progress under the token of the caller whose task it is of.
    pub(crate) fn restore(&self, message: &Message) -> Option<Message> {
        let (id, token) = {
            let list = self.list.lock();
            if list.is_empty() {
                return None;
            }
            let params = message.params()?;
            let stated = Object::parse(&params).ok()?.get(meta::TOKEN)?;
            let stated = RawId::from_token(stated.raw).ok()?;
            let entry = list.iter().find(|entry| super::is_own(&stated, entry.id))?;
            (entry.id, entry.token.clone())
        };
        meta::restore(message, id, &token, &self.framing)
    }

    fn enter(&self, id: u64, token: RawId) {
        let mut list = self.list.lock();
        list.push_back(Entry { id, token, task: None });
        while list.len() > self.most {
            list.pop_front();
        }
    }

    fn over(&self, task: &str) {
        self.list.lock().retain(|entry| entry.task.as_deref() != Some(task));
    }
}

// === impl Expected ===

impl Drop for Expected {
    fn drop(&mut self) {
        self.living.list.lock().retain(|entry| entry.id != self.id || entry.task.is_some());
    }
}
