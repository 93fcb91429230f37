//! What a backend asks of the client, and messages that belong to no call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use vmcp_wire::task::TASK;
use vmcp_wire::{Edits, Kind, Message, Object, RawId, method, quote, rpc};

use crate::session::meta;
use crate::tasks::Errands;
use crate::transport::Answerer;
use crate::{Cancel, Outside, Sink, dialect};

/// A request from the backend to the client. Dropped without an answer it is refused.
pub struct PeerRequest {
    /// The request as it came, under the backend's own id.
    pub message: Message,
    id: RawId,
    answerer: Option<Answerer>,
    errands: Errands,
    open: Option<OpenRequest>,
}

/// The requests of one call that wait for an answer.
#[derive(Clone, Default)]
pub(crate) struct OpenRequests(Arc<Waits>);

/// Counts requests that wait for an answer: while there is one, the call's silence is the client's, not the backend's.
#[derive(Default)]
pub(crate) struct Waits {
    open: AtomicUsize,
    /// One was answered since somebody asked.
    answered: AtomicBool,
}

/// One that waits.
enum OpenRequest {
    /// It came with the call's reply, or on the pipe on which the call is the only one.
    OfReply(OpenRequests),
    /// Whoever has it says that it is the call's.
    OfCall(Cancel),
}

/// Questions as an answer tells them to a client that cannot be asked otherwise: a raw JSON object, `{"r1":{"method",
/// "params"}}`, without what means something on the backend's own connection only.
pub fn input_requests<'a>(questions: impl IntoIterator<Item = (u32, &'a Message)>) -> Vec<u8> {
    let mut out = b"{".to_vec();
    for (number, question) in questions {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(format!("\"r{number}\":{{\"method\":").as_bytes());
        out.extend_from_slice(&quote(question.method()));
        if let Some(params) = question.params() {
            out.extend_from_slice(b",\"params\":");
            out.extend_from_slice(&portable(&params));
        }
        out.push(b'}');
    }
    out.push(b'}');
    out
}

fn portable(params: &Bytes) -> Bytes {
    let params = dialect::unrelated(params);
    let Ok(object) = Object::parse(&params) else { return params };
    let mut edits = Edits::new();
    if let Some(meta) = object.get("_meta").and_then(|member| member.as_object()) {
        edits.rewrite(&meta, &["progressToken"], &[]);
    }
    edits.rewrite(&object, &["elicitationId", TASK], &[]);
    edits.apply(&params)
}

// === impl PeerRequest ===

impl PeerRequest {
    /// `None` if `message` is no request.
    pub(crate) fn new(
        message: Message,
        answerer: &Answerer,
        errands: &Errands,
        open: Option<&OpenRequests>,
    ) -> Option<Self> {
        let id = message.id().filter(|_| message.kind() == Kind::Request)?;
        let open = open.map(|open| OpenRequest::OfReply(open.clone()).begun());
        let (answerer, errands) = (Some(answerer.clone()), errands.clone());
        Some(Self { message, id, answerer, errands, open })
    }

    /// The same request, which was made outside calls, as one of the call with this handle: while it waits for an answer,
    /// the backend's silence in that call is not its own, as with requests that come with the call's reply.
    #[must_use]
    pub fn of_call(mut self, call: &Cancel) -> Self {
        self.open = Some(OpenRequest::OfCall(call.clone()).begun());
        self
    }

    /// Whether it was made outside calls, and became a call's later.
    pub fn is_from_outside(&self) -> bool {
        matches!(self.open, Some(OpenRequest::OfCall(_)))
    }

    /// The method asked for.
    pub fn method(&self) -> &str {
        self.message.method()
    }

    /// Sends `response` to the backend, under the id the backend gave its request and, as with requests, without the
    /// keys that the protocol reserves in the `_meta` of its result: they speak for the client's own hop.
    ///
    /// # Cancel safety
    /// Once polled, the answer is sent even if the future is dropped.
    pub async fn answer(mut self, response: &Message) {
        let answer = match response.kind() {
            Kind::Success => self.success(response),
            Kind::Failure => response.with_id(&self.id),
            Kind::Request | Kind::Notification => {
                rpc::failure(Some(&self.id), rpc::INTERNAL_ERROR, "no answer", None)
            }
        };
        self.send(answer).await;
    }

    /// Tells the backend that there will be no answer.
    ///
    /// # Cancel safety
    /// As [`answer`](Self::answer).
    pub async fn refuse(mut self, code: i64, text: &str) {
        let answer = rpc::failure(Some(&self.id), code, text, None);
        self.send(answer).await;
    }

    fn success(&self, response: &Message) -> Bytes {
        let Some(result) = response.result() else { return response.with_id(&self.id) };
        let given = result.len();
        let result = meta::without_reserved(result);
        let revision = self.answerer.as_ref().and_then(Answerer::revision);
        let answered = revision.map(|of| dialect::answered(of, self.method(), &result));
        let result = match answered {
            Some(Ok(Some(result))) => return rpc::success(&self.id, &result),
            Some(Err(text)) => {
                return rpc::failure(Some(&self.id), rpc::INTERNAL_ERROR, text, None);
            }
            Some(Ok(None)) | None => result,
        };
        // Besides, removing is all that happens to it.
        match result.len() == given {
            true => response.with_id(&self.id),
            false => rpc::success(&self.id, &result),
        }
    }

    async fn send(&mut self, answer: Bytes) {
        if let Some(answerer) = self.answerer.take() {
            self.errands.finish(async move { deliver(&answerer, answer).await }).await;
        }
    }
}

impl Drop for PeerRequest {
    fn drop(&mut self) {
        if let Some(answerer) = self.answerer.take() {
            let text = "the client did not answer";
            let answer = rpc::failure(Some(&self.id), rpc::INTERNAL_ERROR, text, None);
            self.errands.run(async move { deliver(&answerer, answer).await });
        }
    }
}

impl fmt::Debug for PeerRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerRequest").field("method", &self.method()).finish_non_exhaustive()
    }
}

// === impl OpenRequests ===

impl OpenRequests {
    pub(crate) fn waits(&self) -> &Waits {
        &self.0
    }
}

// === impl Waits ===

impl Waits {
    /// Whether any waits, or was answered since this was asked last: then the backend has had its answer for a short time
    /// only.
    pub(crate) fn excuse(&self) -> bool {
        // In this order: one that is answered in between counts in any case.
        self.open.load(Ordering::Acquire) > 0 || self.answered.swap(false, Ordering::AcqRel)
    }
}

// === impl OpenRequest ===

impl OpenRequest {
    fn begun(self) -> Self {
        self.waits().open.fetch_add(1, Ordering::AcqRel);
        self
    }

    fn waits(&self) -> &Waits {
        match self {
            Self::OfReply(open) => open.waits(),
            Self::OfCall(call) => call.waits(),
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let waits = self.waits();
        waits.answered.store(true, Ordering::Release);
        waits.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether it is the backend asking whether vmcp is there; then it is answered at once.
pub(crate) fn answer_ping(message: &Message, answerer: &Answerer, errands: &Errands) -> bool {
    let (Kind::Request, method::PING, Some(id)) = (message.kind(), message.method(), message.id())
    else {
        return false;
    };
    let (answerer, answer) = (answerer.clone(), rpc::success(&id, b"{}"));
    errands.run(async move { deliver(&answerer, answer).await });
    true
}

/// Hands a message that belongs to no call to the sink. Without one, requests are refused.
pub(crate) fn outside(
    sink: Option<&Sink>,
    answerer: &Answerer,
    errands: &Errands,
    message: Message,
) {
    if answer_ping(&message, answerer, errands) {
        return;
    }
    let outside = match message.kind() {
        Kind::Notification => Outside::Notification(message),
        Kind::Request => match PeerRequest::new(message, answerer, errands, None) {
            Some(request) => Outside::Request(request),
            None => return,
        },
        Kind::Success | Kind::Failure => {
            tracing::debug!("a response that belongs to no call was dropped");
            return;
        }
    };
    if let Some(sink) = sink {
        sink(outside);
    }
}

/// Notifications that are about the backend as a whole, whatever stream they come on.
pub(crate) fn is_about_the_backend(method: &str) -> bool {
    matches!(
        method,
        method::TOOLS_LIST_CHANGED | method::RESOURCES_LIST_CHANGED | method::PROMPTS_LIST_CHANGED
    )
}

async fn deliver(answerer: &Answerer, answer: Bytes) {
    if answerer.send(answer).await.is_err() {
        tracing::debug!("an answer could not be delivered to the backend");
    }
}
