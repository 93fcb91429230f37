//! A request that the backend has, or may have, and that is not answered yet.

use std::sync::Arc;

use bytes::Bytes;
use vmcp_auth::Caller;
use vmcp_wire::{Message, RawId, method, quote, rpc};

use crate::Cancel;
use crate::link::{Link, Live, Note};
use crate::transport::Mark;

/// Dropped before it is settled, it tells the backend that the request is no longer wanted.
pub(crate) struct Ticket {
    pub(crate) link: Arc<Link>,
    pub(crate) live: Arc<Live>,
    pub(crate) id: u64,
    /// The caller's progress token.
    pub(crate) token: Option<RawId>,
    /// What its response says of a task.
    pub(crate) mark: Option<Box<Mark>>,
    note: Option<Note>,
    cancel: Cancel,
    /// On whose behalf it was sent.
    pub(crate) caller: Caller,
    settled: bool,
}

// === impl Ticket ===

impl Ticket {
    pub(crate) fn new(
        link: &Arc<Link>,
        live: &Arc<Live>,
        id: u64,
        token: Option<RawId>,
        note: Option<Note>,
        cancel: &Cancel,
        caller: &Caller,
    ) -> Self {
        let (link, live) = (Arc::clone(link), Arc::clone(live));
        let (cancel, caller) = (cancel.clone(), caller.clone());
        Self { link, live, id, token, mark: None, note, cancel, caller, settled: false }
    }

    /// The backend has nothing more to do for this request.
    pub(crate) fn settle(&mut self) {
        self.settled = true;
    }

    /// The backend did what was asked.
    pub(crate) fn succeeded(&mut self) {
        if let Some(note) = self.note.take() {
            self.link.note(note);
        }
    }

    /// The backend answered; without `response` it does so at length.
    pub(crate) fn answered(&mut self, response: Option<&Message>) {
        if let Some(mark) = self.mark.take() {
            self.link.living().answered(*mark, response);
        }
    }

    fn notice(&self) -> Bytes {
        let id = RawId::number(self.id);
        let mut params = [b"{\"requestId\":", id.as_bytes()].concat();
        if let Some(reason) = self.cancel.reason() {
            params.extend_from_slice(b",\"reason\":");
            params.extend_from_slice(&quote(&reason));
        }
        params.push(b'}');
        rpc::notification(method::CANCELLED, Some(&params))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Where nothing is kept, a request ends with its stream.
        if self.settled || (self.live.is_stateless() && !self.live.connection.is_shared()) {
            return;
        }
        let (notice, answerer) = (self.notice(), self.live.connection.answerer(&self.caller));
        self.link.errands().run(async move {
            if answerer.send(notice).await.is_err() {
                tracing::debug!("the backend could not be told that a call is no longer wanted");
            }
        });
    }
}
