//! Requests of servers to the client: their own id space, and who waits for each answer.
//!
//! A backend's id means something on its own connection only; two backends may both ask under id 0. So each
//! question gets a number of this session, and the request of the backend waits behind it until the client
//! answers, the time is over or the session ends. Every one is answered in the end, if only by a refusal.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;
use vmcp_backend::PeerRequest;
use vmcp_config::Config;
use vmcp_wire::asking::Declared;
use vmcp_wire::{Edits, Message, Object, RawId, method, rpc};

use crate::front::{Asked, Older};
use crate::tasks::Tasks;

/// How long telling a backend may take; it happens beside the client's own requests.
const TELL: Duration = Duration::from_secs(30);

/// The questions to one client.
pub(crate) struct Questions {
    declared: Declared,
    older: Older,
    limit: usize,
    patience: Duration,
    tasks: Tasks,
    /// Protects the table; held for a look or a change only.
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    open: BTreeMap<u64, Question>,
    closed: bool,
}

struct Question {
    peer: PeerRequest,
    way: Way,
    until: Instant,
}

/// The way a question came: on a call, or outside any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// On the call with this number (ours, not an id of anybody).
    Call(u32),
    /// Outside calls.
    Outside,
}

// === impl Questions ===

impl Questions {
    /// To a client that declared `capabilities`.
    pub(crate) fn new(capabilities: &[u8], older: Older, config: &Config, tasks: Tasks) -> Self {
        let declared = Declared::read(capabilities);
        let (limit, patience) = (config.limits.max_questions, config.timeouts.answer);
        Self { declared, older, limit, patience, tasks, table: Mutex::default() }
    }

    /// The request as the client gets it; `None` when it was refused on the client's behalf.
    pub(crate) fn ask(&self, peer: PeerRequest, way: Way) -> Option<Bytes> {
        let params = peer.message.params();
        if let Some(missing) = self.declared.lacks(peer.method(), params.as_deref()) {
            let (code, text) = missing.refusal();
            self.refuse(peer, code, text);
            return None;
        }
        let params = match self.older.asked(&peer.message) {
            Asked::AsItCame => None,
            Asked::Instead(params) => Some(params),
            Asked::Refused(text) => {
                self.refuse(peer, rpc::INVALID_PARAMS, text);
                return None;
            }
        };
        let mut table = self.table.lock();
        if table.closed || table.open.len() >= self.limit {
            drop(table);
            self.refuse(peer, rpc::INTERNAL_ERROR, "the client has too many requests to answer");
            return None;
        }
        let number = table.next;
        table.next += 1;
        let message = peer.message.rewrite(Some(&RawId::number(number)), params.as_deref());
        let until = Instant::now() + self.patience;
        table.open.insert(number, Question { peer, way, until });
        Some(message)
    }

    /// Hands the client's answer to whoever asked. Late and unknown answers are nobody's.
    pub(crate) fn answer(&self, response: Message) {
        let Some(number) = response.id().and_then(|id| id.as_u64()) else { return };
        let question = self.table.lock().open.remove(&number);
        if let Some(question) = question {
            self.tasks.run_for(TELL, async move { question.peer.answer(&response).await });
        }
    }

    /// A server takes its question back: the notification with the id that the client knows. `None` when
    /// there is no such question, or more than one that could be meant.
    pub(crate) fn withdraw(&self, notification: &Message, way: Way) -> Option<Bytes> {
        let params = notification.params()?;
        let object = Object::parse(&params).ok()?;
        let member = object.get("requestId")?;
        let mut table = self.table.lock();
        let mut meant = table.open.iter().filter(|(_, question)| {
            let id = question.peer.message.id();
            question.way == way && id.is_some_and(|id| id.as_bytes() == member.raw)
        });
        let (Some((&number, _)), None) = (meant.next(), meant.next()) else { return None };
        table.open.remove(&number);
        drop(table);
        let mut edits = Edits::new();
        edits.replace(member.span.clone(), Bytes::from(number.to_string()));
        Some(notification.with_params(&edits.apply(&params)))
    }

    /// Refuses what has waited for too long.
    pub(crate) fn expire(&self, now: Instant) {
        let late: Vec<Question> = {
            let mut table = self.table.lock();
            let late: Vec<u64> = table
                .open
                .iter()
                .filter(|(_, question)| question.until <= now)
                .map(|(number, _)| *number)
                .collect();
            late.iter().filter_map(|number| table.open.remove(number)).collect()
        };
        for question in late {
            self.refuse(question.peer, rpc::INTERNAL_ERROR, "the client did not answer in time");
        }
    }

    /// Refuses everything, now and later: the client is gone.
    pub(crate) fn close(&self) {
        let open = {
            let mut table = self.table.lock();
            table.closed = true;
            std::mem::take(&mut table.open)
        };
        for question in open.into_values() {
            self.refuse(question.peer, rpc::INTERNAL_ERROR, "the client ended its session");
        }
    }

    pub(crate) fn refuse(&self, peer: PeerRequest, code: i64, text: &'static str) {
        self.tasks.run_for(TELL, async move { peer.refuse(code, text).await });
    }
}

/// Whether a notification takes a server's question back.
pub(crate) fn is_withdrawal(notification: &Message) -> bool {
    notification.method() == method::CANCELLED
}
