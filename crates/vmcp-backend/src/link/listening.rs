//! What a session hears outside of calls.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::Link;
use crate::dialect;
use crate::tasks::Task;
use crate::transport::{self, Connection};

impl Link {
    /// A turn to change what is listened for.
    pub(crate) async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Listens on this stream of changes, instead of the one before.
    pub(crate) fn listen_on(self: &Arc<Self>, stream: dialect::Stream) {
        if !self.closed.load(Ordering::Acquire) {
            let work = dialect::listen_on(Arc::downgrade(self), stream);
            *self.listener.lock() = Some(Task::start(work));
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
            self.asked.wait().await;
        }
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
        let _ = self.asked.set(());
    }

    /// The same, for whoever listens for a session without keeping it.
    pub(crate) fn was_asked(link: &Weak<Self>) {
        if let Some(link) = link.upgrade() {
            link.asked();
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
            *listener = Some(match stateless {
                true => Task::start(dialect::listen(link)),
                false => Task::start(transport::listen(link)),
            });
        }
    }
}
