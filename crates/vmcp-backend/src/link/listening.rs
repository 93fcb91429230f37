//! What a session hears outside of calls.
//!
//! A stream that opens tells what changes from then on. What changed before, after the session was listed or used, it
//! will never tell: then everything that the backend would tell about is said to have changed.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use vmcp_wire::{Message, Object, method, rpc};

use super::{Aside, Link};
use crate::tasks::Task;
use crate::transport::{self, Connection, Framing};
use crate::{Outside, dialect};

/// The lists, and the notification of each.
pub(crate) const LISTS: [(&str, &str); 3] = [
    ("tools", method::TOOLS_LIST_CHANGED),
    ("resources", method::RESOURCES_LIST_CHANGED),
    ("prompts", method::PROMPTS_LIST_CHANGED),
];

/// Why lists may have changed without anybody being told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    /// Nobody listened yet: what the backend tells about can have changed.
    Beginning,
    /// The stream broke: it may even be another backend by now.
    Gap,
}

impl Link {
    /// A turn to change what is listened for.
    pub(crate) async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Listens on this stream of changes, instead of the one before.
    pub(crate) fn listen_on(self: &Arc<Self>, stream: dialect::Stream) {
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        let work = dialect::listen_on(Arc::downgrade(self), stream);
        let before = self.listener.lock().replace(Task::start(work));
        if before.is_none_or(|before| before.is_over()) {
            self.catch_up(Missed::Beginning);
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
        let is_read = || self.listener.lock().as_ref().is_some_and(|task| !task.is_over());
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
        if listener.as_ref().is_none_or(Task::is_over) {
            self.aside.set(!stateless);
            *listener = Some(match stateless {
                true => Task::start(dialect::listen(link)),
                false => Task::start(transport::listen(link)),
            });
        }
    }
}
