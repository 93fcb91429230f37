//! Messages outside calls for clients without a session: to each stream that asked for their kind.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use vmcp_backend::Event;
use vmcp_gateway::{ClientSink, MultiSession};
use vmcp_wire::{Message, Object, method, rpc, task};

use crate::tasks::Tasks;

/// How long telling a backend may take that nobody can be asked.
const TELL: Duration = Duration::from_secs(30);
/// Messages that wait for one stream. Equal ones wait once, so only updates of single resources can be many.
const QUEUE: usize = 1024;

/// The streams of one group of callers.
pub(crate) struct Audience {
    tasks: Tasks,
    /// Protects who hears; held for a look or a change only.
    listeners: Mutex<Vec<Arc<Listener>>>,
    /// How many streams are subscribed to a resource. Each count is locked while the backend is told, so that the end
    /// of the last subscription does not overtake a new one.
    subscribed: Mutex<HashMap<Box<str>, Count>>,
    /// Held while the gateway is told whether there is a stream.
    telling: Mutex<()>,
}

type Count = Arc<tokio::sync::Mutex<usize>>;

/// What one stream asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    pub(crate) tools: bool,
    pub(crate) prompts: bool,
    pub(crate) resources: bool,
    pub(crate) uris: Vec<Box<str>>,
    /// Ids of tasks.
    pub(crate) tasks: Vec<Box<str>>,
}

/// One stream.
pub(crate) struct Listener {
    /// Locked for a look or a change only.
    state: Mutex<State>,
    heard: Notify,
}

#[derive(Default)]
struct State {
    wants: Wants,
    waiting: VecDeque<Message>,
}

/// Where the gateway puts what belongs to no call. Weak, so that what is gone stays gone.
pub(super) fn sink(audience: &Arc<Audience>) -> ClientSink {
    let audience = Arc::downgrade(audience);
    Arc::new(move |event| {
        if let Some(audience) = audience.upgrade() {
            audience.hear(event);
        }
    })
}

// === impl Audience ===

impl Audience {
    pub(super) fn new(tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            tasks,
            listeners: Mutex::default(),
            subscribed: Mutex::default(),
            telling: Mutex::default(),
        })
    }

    /// One more stream. It hears from now on.
    pub(crate) fn join(&self, wants: Wants) -> Arc<Listener> {
        let state = Mutex::new(State { wants, waiting: VecDeque::new() });
        let listener = Arc::new(Listener { state, heard: Notify::new() });
        self.listeners.lock().push(Arc::clone(&listener));
        listener
    }

    /// A stream is over.
    pub(crate) fn leave(&self, listener: &Arc<Listener>) {
        self.listeners.lock().retain(|other| !Arc::ptr_eq(other, listener));
    }

    /// How many streams there are.
    pub(crate) fn len(&self) -> usize {
        self.listeners.lock().len()
    }

    /// Tells the gateway whether there is a stream, so that the last word is the last fact.
    pub(crate) fn tell(&self, multi: &MultiSession) {
        let _order = self.telling.lock();
        let any = !self.listeners.lock().is_empty();
        multi.listening(any);
    }

    /// The count of subscriptions to this resource.
    pub(crate) fn count(&self, uri: &str) -> Count {
        let mut subscribed = self.subscribed.lock();
        Arc::clone(subscribed.entry(uri.into()).or_default())
    }

    /// Forgets a count that is nought and that nobody else is about to change.
    pub(crate) fn forget(&self, uri: &str, count: &Count) {
        let mut subscribed = self.subscribed.lock();
        let unused = count.try_lock().is_ok_and(|count| *count == 0);
        // The map's and this one.
        if unused && Arc::strong_count(count) == 2 {
            subscribed.remove(uri);
        }
    }

    /// A message that belongs to no call. Never blocks.
    fn hear(&self, event: Event) {
        match event {
            Event::Notification(message) => {
                let listeners = self.listeners.lock();
                listeners.iter().for_each(|listener| listener.hear(&message));
            }
            // Nobody can be asked outside a call.
            Event::Request(peer) => {
                let text = "the client can be asked in a call only";
                self.tasks.run_for(TELL, async move {
                    peer.refuse(rpc::METHOD_NOT_FOUND, text).await;
                });
            }
            Event::Paused | Event::InputRequired(_) | Event::Response(_) | Event::Failed(_) => {}
        }
    }
}

// === impl Listener ===

impl Listener {
    /// What the stream asked for and gets.
    pub(crate) fn narrow(&self, wants: Wants) {
        self.state.lock().wants = wants;
    }

    /// The next message.
    ///
    /// Cancel safe.
    pub(crate) async fn next(&self) -> Message {
        loop {
            // Asked for before the look: what comes in between is not missed.
            let heard = self.heard.notified();
            if let Some(message) = self.state.lock().waiting.pop_front() {
                return message;
            }
            heard.await;
        }
    }

    fn hear(&self, message: &Message) {
        let mut state = self.state.lock();
        let known = |waiting: &Message| waiting.bytes() == message.bytes();
        if !state.wants.covers(message) || state.waiting.iter().any(known) {
            return;
        }
        if state.waiting.len() >= QUEUE {
            state.waiting.pop_front();
        }
        state.waiting.push_back(message.clone());
        drop(state);
        self.heard.notify_one();
    }
}

// === impl Wants ===

impl Wants {
    fn covers(&self, message: &Message) -> bool {
        match message.method() {
            method::TOOLS_LIST_CHANGED => self.tools,
            method::PROMPTS_LIST_CHANGED => self.prompts,
            method::RESOURCES_LIST_CHANGED => self.resources,
            method::RESOURCES_UPDATED => self.covers_update(message),
            method::TASKS_CHANGED | method::TASKS_STATUS => self.covers_task(message),
            _ => false,
        }
    }

    fn covers_task(&self, message: &Message) -> bool {
        let params = message.params().unwrap_or_default();
        let Ok(object) = Object::parse(&params) else { return false };
        let Some(id) = object.get(task::ID).and_then(|member| member.as_str()) else {
            return false;
        };
        self.tasks.iter().any(|known| **known == *id)
    }

    /// An update of a resource, or of one that is part of it.
    fn covers_update(&self, message: &Message) -> bool {
        let params = message.params().unwrap_or_default();
        let Ok(object) = Object::parse(&params) else { return false };
        let Some(uri) = object.get("uri").and_then(|member| member.as_str()) else { return false };
        self.uris.iter().any(|held| {
            uri.strip_prefix(&**held).is_some_and(|rest| {
                rest.is_empty() || held.ends_with('/') || rest.starts_with(['/', '#', '?'])
            })
        })
    }
}
