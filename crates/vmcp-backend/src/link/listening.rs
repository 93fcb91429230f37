//! What a session hears outside of calls.
//!
//! A stream that opens tells what changes from then on. What changed before, after the session was listed or used, it
//! will never tell: then everything that the backend would tell about is said to have changed.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;
use vmcp_wire::{Message, Object, method, rpc};

use super::{Aside, Link};
use crate::tasks::Task;
use crate::transport::{self, Connection, Framing, Living};
use crate::{Outside, Sink, dialect};

/// The lists, and the notification of each.
pub(crate) const LISTS: [(&str, &str); 3] = [
    ("tools", method::TOOLS_LIST_CHANGED),
    ("resources", method::RESOURCES_LIST_CHANGED),
    ("prompts", method::PROMPTS_LIST_CHANGED),
];

/// How long a stream that was replaced may go on saying things. No setting: one that falls silent is left at once.
const HAND_OVER: Duration = Duration::from_secs(1);

/// Why lists may have changed without anybody being told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    /// Nobody listened yet: what the backend tells about can have changed.
    Beginning,
    /// The stream broke: it may even be another backend by now.
    Gap,
}

/// Who listens, until this is dropped.
pub(super) struct Listener {
    task: Task,
    /// How another takes over, if that can happen.
    relief: Option<Arc<Relief>>,
}

/// How whoever reads a stream of changes is relieved by another, who has one that is open already.
pub(crate) struct Relief {
    /// Told when the other is there.
    pub(crate) come: Notify,
    /// What is not heard if the other begins now. Held to read or to replace it.
    missed: Mutex<Option<Missed>>,
}

impl Link {
    /// The sink, for what is said outside calls.
    pub(crate) fn outside(&self) -> Option<&Sink> {
        self.dialler.outside.as_ref()
    }

    /// Tasks whose progress is told.
    pub(crate) fn living(&self) -> &Arc<Living> {
        &self.dialler.living
    }

    /// A turn to change what is listened for.
    pub(crate) async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Listens on this stream of changes, once all is read that had come on the one before.
    pub(crate) fn listen_on(self: &Arc<Self>, stream: dialect::Stream) {
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        let relief = Relief::new(None);
        let work = dialect::listen_on(Arc::downgrade(self), stream, Arc::clone(&relief));
        let mut listener = self.listener.lock();
        let before = listener.take();
        let missed = match &before {
            Some(before) if !before.task.is_over() => before.missed(),
            _ => Some(Missed::Beginning),
        };
        let task = Task::start(async move {
            if let Some(before) = before {
                before.relieve().await;
            }
            work.await;
        });
        *listener = Some(Listener { task, relief: Some(relief) });
        drop(listener);
        if let Some(missed) = missed {
            self.catch_up(missed);
        }
    }

    /// Opens the stream outside of calls, once. See [`transport::listen`].
    pub(crate) fn listen(self: &Arc<Self>) {
        self.listens.store(true, Ordering::Release);
        self.keep_listening();
    }

    /// The same, whatever was listened on before.
    pub(crate) fn listen_anew(self: &Arc<Self>) {
        self.listener.lock().take();
        self.keep_listening();
    }

    /// Waits until the stream outside of calls is open, or will not be for now.
    pub(crate) async fn listening(&self) {
        let started = self.listener.lock().is_some();
        if started {
            self.aside.asked.wait().await;
        }
    }

    /// The stream that the backend has beside its replies.
    pub(crate) fn aside(&self) -> &Aside {
        &self.aside
    }

    /// Whether what the backend says outside of calls is heard, now or as soon as a broken stream is there again.
    pub(crate) fn hears(&self) -> bool {
        let live = Arc::clone(&self.live.lock());
        let is_pipe = live.connection.is_shared() && !live.is_stateless();
        let is_read =
            || self.listener.lock().as_ref().is_some_and(|listener| !listener.task.is_over());
        self.sink().is_some() && (is_pipe || is_read())
    }

    /// Something came of asking for the stream outside of calls: whoever waits for it waits no longer.
    pub(crate) fn asked(&self) {
        // Only the first time is waited for.
        let _ = self.aside.asked.set(());
    }

    /// The same, for whoever listens for a session without keeping it.
    pub(crate) fn was_asked(link: &Weak<Self>) {
        if let Some(link) = link.upgrade() {
            link.asked();
        }
    }

    /// A request is about to be sent.
    pub(crate) fn uses(&self) {
        self.used.store(true, Ordering::Release);
    }

    /// The stream outside of calls is open; says what may have changed before.
    pub(crate) fn catch_up(&self, missed: Missed) {
        let Some(sink) = self.sink() else { return };
        // Who asked nothing yet knows nothing that could have changed.
        if missed == Missed::Beginning && !self.used.load(Ordering::Acquire) {
            return;
        }
        let limits = Framing::from(&self.target().limits).limits;
        let hello = self.hello();
        let Ok(capabilities) = Object::parse(&hello.capabilities) else { return };
        for (kind, changed) in LISTS {
            let Some(kind) = capabilities.get(kind) else { continue };
            let told = kind.as_object().and_then(|kind| kind.get("listChanged")?.as_bool());
            if missed == Missed::Beginning && told != Some(true) {
                continue;
            }
            if let Ok(message) = Message::parse(rpc::notification(changed, None), &limits) {
                sink(Outside::Notification(message));
            }
        }
    }

    pub(super) fn keep_listening(self: &Arc<Self>) {
        if self.sink().is_none() || self.closed.load(Ordering::Acquire) {
            return;
        }
        let live = Arc::clone(&self.live.lock());
        let stateless = live.is_stateless();
        match &live.connection {
            _ if stateless => {}
            Connection::Http(exchange) if !exchange.refuses_stream() => {}
            _ => return,
        }
        let link = Arc::downgrade(self);
        let mut listener = self.listener.lock();
        if listener.as_ref().is_none_or(|listener| listener.task.is_over()) {
            self.aside.set(!stateless);
            let relief = stateless.then(|| Relief::new(Some(Missed::Beginning)));
            let task = match &relief {
                Some(relief) => Task::start(dialect::listen(link, Arc::clone(relief))),
                None => Task::start(transport::listen(link)),
            };
            *listener = Some(Listener { task, relief });
        }
    }
}

// === impl Listener ===

impl Listener {
    fn missed(&self) -> Option<Missed> {
        self.relief.as_ref().and_then(|relief| relief.missed())
    }

    /// Waits until what had come is handed on.
    async fn relieve(mut self) {
        if let Some(relief) = &self.relief
            && relief.missed().is_none()
        {
            relief.come.notify_one();
            let _ = timeout(HAND_OVER, self.task.ended()).await;
        }
    }
}

// === impl Relief ===

impl Relief {
    fn new(missed: Option<Missed>) -> Arc<Self> {
        Arc::new(Self { come: Notify::new(), missed: Mutex::new(missed) })
    }

    /// What is not heard if another begins now; nothing while a stream is read.
    pub(crate) fn missed(&self) -> Option<Missed> {
        *self.missed.lock()
    }

    /// From now on it is this.
    pub(crate) fn set_missed(&self, missed: Option<Missed>) {
        *self.missed.lock() = missed;
    }
}
