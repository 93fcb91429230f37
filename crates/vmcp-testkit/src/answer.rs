//! What a backend does with one request: steps first, then an end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::call::Call;
use crate::gate::Gate;
use crate::json::Json;

/// What a backend does with one request. Cheap to clone.
///
/// Steps are added in order ([`notify`](Self::notify), [`wait`](Self::wait), ...); the constructor says how it ends.
/// An answer with messages before its end is always sent as an event stream, also by a backend that answers JSON.
#[derive(Clone)]
pub struct Answer {
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    pub(crate) cut: Option<usize>,
}

/// One thing done before the end.
#[derive(Clone)]
pub(crate) enum Step {
    Wait(Duration),
    Pass(Gate),
    Notify(String, Json),
    Progress(Json, Option<Json>, Option<String>),
    Ask(Vec<(String, String, Json)>),
    Again,
    Raw(Bytes),
    Flood(Bytes, u64),
    Execute,
    Close(Option<u64>),
}

type Resolve = Arc<dyn Fn(&Call) -> Answer + Send + Sync>;
type Run = Arc<dyn Fn(Call) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// How an answer ends.
#[derive(Clone)]
pub(crate) enum End {
    Result(Json),
    Error(Json),
    Never,
    Hangup,
    Nothing,
    Http { status: u16, headers: Vec<(String, String)>, body: Bytes },
    Data(Bytes),
    WithId(Json, Json),
    Twice(Json),
    Huge(u64),
    Usual,
    Resolve(Resolve),
    Run(Run),
    Sequence(Arc<(AtomicUsize, Vec<Answer>)>),
}

// === impl Answer ===

/// How it ends.
impl Answer {
    fn ending(end: End) -> Self {
        Self { steps: Vec::new(), end, cut: None }
    }

    /// A result: the raw JSON of the `result` member.
    pub fn result(result: impl Into<Json>) -> Self {
        Self::ending(End::Result(result.into()))
    }

    /// A tool result with one text block.
    pub fn text(text: impl Into<String>) -> Self {
        Self::result(json!({"content": [{"type": "text", "text": text.into()}]}))
    }

    /// A tool result whose one text block is the JSON of the call's params.
    pub fn echo() -> Self {
        Self::with(|call| Self::text(call.raw_params().text()))
    }

    /// A JSON-RPC error.
    pub fn error(code: i64, message: &str) -> Self {
        Self::error_object(json!({"code": code, "message": message}))
    }

    /// A JSON-RPC error: the raw JSON of the `error` member.
    pub fn error_object(error: impl Into<Json>) -> Self {
        Self::ending(End::Error(error.into()))
    }

    /// Takes the request and never answers. Without a message before it not even a response head is sent.
    pub fn never() -> Self {
        Self::ending(End::Never)
    }

    /// Closes the connection: before any byte of a response, or in the middle of the stream after messages.
    pub fn hangup() -> Self {
        Self::ending(End::Hangup)
    }

    /// Ends the stream (or sends an empty body) cleanly, but without a response in it.
    pub fn nothing() -> Self {
        Self::ending(End::Nothing)
    }

    /// A plain HTTP response in place of any MCP answer.
    pub fn http(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self::ending(End::Http { status, headers, body: body.into() })
    }

    /// An HTTP status with an empty body.
    pub fn status(status: u16) -> Self {
        Self::ending(End::Http { status, headers: Vec::new(), body: Bytes::new() })
    }

    /// An HTML error page, as reverse proxies send them.
    pub fn html(status: u16) -> Self {
        let page = format!(
            "<html><head><title>{status}</title></head><body><h1>{status}</h1><hr>proxy</body></html>"
        );
        Self::http(status, "text/html; charset=utf-8", page)
    }

    /// A redirect.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::status(status).header("location", location)
    }

    /// These bytes where the JSON-RPC message belongs: as the whole JSON body or as the data of one event.
    pub fn garbage(data: impl Into<Bytes>) -> Self {
        Self::ending(End::Data(data.into()))
    }

    /// A result under another id (raw JSON: `7`, `"7"`, `null`, `1.0`).
    pub fn wrong_id(id: impl Into<Json>, result: impl Into<Json>) -> Self {
        Self::ending(End::WithId(id.into(), result.into()))
    }

    /// The same response twice on one stream.
    pub fn twice(result: impl Into<Json>) -> Self {
        Self::ending(End::Twice(result.into()))
    }

    /// A tool result with one text block of so many bytes, made while it is sent.
    pub fn huge(bytes: u64) -> Self {
        Self::ending(End::Huge(bytes))
    }

    /// What the backend would do without a script; for steps before it.
    pub fn usual() -> Self {
        Self::ending(End::Usual)
    }

    /// Decided by the call.
    pub fn with(resolve: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        Self::ending(End::Resolve(Arc::new(resolve)))
    }

    /// Decided by code that may talk to the client first, through [`Call::notify`] and [`Call::ask`].
    ///
    /// Always answered as an event stream.
    pub fn run<F>(run: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        Self::ending(End::Run(Arc::new(move |call| Box::pin(run(call)))))
    }

    /// One after the other, one for each call; the last one stays.
    pub fn sequence(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::ending(End::Sequence(Arc::new((AtomicUsize::new(0), answers.into_iter().collect()))))
    }
}

/// What happens before the end.
impl Answer {
    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Waits.
    pub fn wait(self, time: Duration) -> Self {
        self.step(Step::Wait(time))
    }

    /// Waits until the test opens the gate.
    pub fn gate(self, gate: &Gate) -> Self {
        self.step(Step::Pass(gate.clone()))
    }

    /// Sends a notification on the call's stream.
    pub fn notify(self, method: &str, params: impl Into<Json>) -> Self {
        self.step(Step::Notify(method.to_owned(), params.into()))
    }

    /// Sends progress under the call's own token, if the call has one.
    pub fn progress(
        self,
        progress: impl Into<Value>,
        total: Option<f64>,
        message: Option<&str>,
    ) -> Self {
        let total = total.map(|total| Json::from(Value::from(total)));
        self.step(Step::Progress(progress.into().into(), total, message.map(str::to_owned)))
    }

    /// Sends a log message on the call's stream.
    pub fn log(self, level: &str, data: impl Into<Value>) -> Self {
        let params = json!({"level": level, "logger": "testkit", "data": data.into()});
        self.notify("notifications/message", params)
    }

    /// Asks the client (sampling, elicitation, roots) and waits; [`Backend::replies`](crate::Backend::replies) shows
    /// what it said.
    pub fn ask(self, method: &str, params: impl Into<Json>) -> Self {
        let key = format!("ask-{}", self.steps.len());
        self.step(Step::Ask(vec![(key, method.to_owned(), params.into())]))
    }

    /// Asks the client several things in one round: under which key, by which method, with which params.
    ///
    /// A stateless client gets all of a round as one `input_required` result, under these keys, with a `requestState`
    /// that the backend verifies when it comes back: it fits this request and no other, and what was answered in
    /// earlier rounds is in it. What is not answered is asked again. Sessions are asked one after the other.
    pub fn asks<'a>(
        self,
        round: impl IntoIterator<Item = (&'a str, &'a str, serde_json::Value)>,
    ) -> Self {
        let round = round
            .into_iter()
            .map(|(key, method, params)| (key.to_owned(), method.to_owned(), params.into()));
        self.step(Step::Ask(round.collect()))
    }

    /// Has a stateless client call once more, with a `requestState` and nothing to answer. Sessions notice nothing.
    pub fn again(self) -> Self {
        self.step(Step::Again)
    }

    /// Writes these bytes on the stream as they are.
    pub fn raw(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Raw(bytes.into()))
    }

    /// Writes these bytes on the stream so many times, as fast as the client reads, or until it is gone.
    pub fn flood(self, bytes: impl Into<Bytes>, times: u64) -> Self {
        self.step(Step::Flood(bytes.into(), times))
    }

    /// Says that the tool runs here, although what the client gets is a mere HTTP status: a proxy's 502, a crash
    /// after the work was done. Shows in [`Backend::executions`](crate::Backend::executions).
    pub fn executes(self) -> Self {
        self.step(Step::Execute)
    }

    /// Closes the stream's connection here, after a `retry:` in milliseconds if one is given. What follows is kept
    /// and delivered to whoever resumes with the last event id; the backend must be
    /// [resumable](crate::Builder::resumable).
    pub fn close_stream(self, retry: Option<u64>) -> Self {
        self.step(Step::Close(retry))
    }

    /// Breaks the connection after so many bytes of the response's body.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }

    /// Adds a header to an HTTP response made by [`http`](Self::http), [`status`](Self::status) or
    /// [`redirect`](Self::redirect).
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let End::Http { headers, .. } = &mut self.end {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

impl Answer {
    /// Follows sequences and decisions to an answer that can be carried out.
    pub(crate) fn resolve(&self, call: &Call) -> Answer {
        let next = match &self.end {
            End::Resolve(resolve) => resolve(call),
            End::Sequence(sequence) => {
                let turn = sequence.0.fetch_add(1, Ordering::Relaxed);
                match sequence.1.get(turn).or(sequence.1.last()) {
                    Some(answer) => answer.clone(),
                    None => Answer::never(),
                }
            }
            _ => return self.clone(),
        };
        let next = next.resolve(call);
        let steps = self.steps.iter().chain(&next.steps).cloned().collect();
        Answer { steps, end: next.end, cut: next.cut.or(self.cut) }
    }

    /// Whether something is said on a stream before the end.
    pub(crate) fn needs_stream(&self) -> bool {
        let speaks = |step: &Step| {
            !matches!(step, Step::Wait(_) | Step::Pass(_) | Step::Execute | Step::Again)
        };
        matches!(self.end, End::Run(_) | End::Twice(_)) || self.steps.iter().any(speaks)
    }
}
