//! Answers that ask back, and the answers to them.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::Notify;
use vmcp_wire::asking::{Declared, is_question, may_ask};
use vmcp_wire::revision::{
    COMPLETE, INPUT_REQUESTS, INPUT_REQUIRED, REQUEST_STATE, RESULT_TYPE, TASK,
};
use vmcp_wire::{
    Edits, Kind, Limits, Message, Noticed, Object, RawId, ResultWatch, method, quote, rpc,
};

use super::printable;
use crate::ClientHello;

/// Members of results that ask back.
const ASKING: [&str; 2] = [INPUT_REQUESTS, REQUEST_STATE];
/// Members of results that can be long, and are answers.
const ANSWERING: [&str; 4] = ["content", "structuredContent", "contents", "messages"];
/// Questions of one answer at most.
const MAX_QUESTIONS: usize = 256;

/// What a response means for its call.
pub(crate) enum Outcome {
    /// It is the answer.
    Complete,
    /// The backend asks back.
    Asks(Asked),
    /// It is none that can be understood.
    Wrong(String),
}

/// What a backend asks for in its answer.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// A raw JSON object of requests.
    pub(crate) requests: Option<Bytes>,
    /// A raw JSON string.
    pub(crate) state: Option<Bytes>,
}

/// One question, as a request to the client.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) message: Message,
    /// The key under which its answer goes back, as raw JSON.
    key: Bytes,
    /// A client that does not answer it can say so.
    can_be_cancelled: bool,
}

/// The answers to one round of questions, as they come.
#[derive(Debug)]
pub(crate) struct Answers {
    /// Protects the list; held to put one in or to take all.
    list: Mutex<Vec<(Bytes, bool, Option<Message>)>>,
    given: Notify,
}

/// What the response to a call of `method` means.
pub(crate) fn outcome(method: &str, response: &Message) -> Outcome {
    let Some(result) = response.result() else { return Outcome::Complete };
    let Ok(members) = Object::parse(&result) else {
        return Outcome::Wrong("the result is no object".to_owned());
    };
    let Some(kind) = members.get(RESULT_TYPE) else { return Outcome::Complete };
    let kind = kind.as_str().unwrap_or_default();
    match &*kind {
        COMPLETE | TASK => Outcome::Complete,
        INPUT_REQUIRED => {
            let requests = members.get(INPUT_REQUESTS).filter(|member| !member.is_null());
            let state = members.get(REQUEST_STATE).filter(|member| !member.is_null());
            if !may_ask(method) {
                return Outcome::Wrong(format!("{method} was answered with a question"));
            }
            if requests.is_none() && state.is_none() {
                return Outcome::Wrong("the backend asks for nothing".to_owned());
            }
            if requests.as_ref().is_some_and(|requests| requests.as_object().is_none())
                || state.as_ref().is_some_and(|state| state.as_str().is_none())
            {
                return Outcome::Wrong("the backend's questions are malformed".to_owned());
            }
            let slice = |member: vmcp_wire::Member<'_>| result.slice(member.span);
            Outcome::Asks(Asked { requests: requests.map(slice), state: state.map(slice) })
        }
        other => {
            Outcome::Wrong(format!("the result is of the unknown type \"{}\"", printable(other)))
        }
    }
}

/// The questions in an answer, each of which the client must have declared to take.
pub(crate) fn questions(
    asked: &Asked,
    hello: &ClientHello,
    limits: &Limits,
) -> Result<Vec<Question>, String> {
    let Some(raw) = &asked.requests else { return Ok(Vec::new()) };
    let malformed = || "the backend's questions are malformed".to_owned();
    let requests = Object::parse(raw).map_err(|_| malformed())?;
    if requests.len() > MAX_QUESTIONS {
        return Err(format!("the backend asks more than {MAX_QUESTIONS} questions at once"));
    }
    let declared = Declared::read(&hello.capabilities);
    let mut questions = Vec::with_capacity(requests.len());
    for (at, (key, request)) in requests.iter().enumerate() {
        let members = request.as_object().ok_or_else(malformed)?;
        let name = members.get("method").and_then(|name| name.as_str()).ok_or_else(malformed)?;
        let params = members.get("params").map(|params| params.raw);
        let inner = params.map(Object::parse).transpose().map_err(|_| malformed())?;
        if !is_question(&name) || declared.lacks(&name, params).is_some() {
            let name = printable(&name);
            return Err(format!("the backend violated the client's capabilities: {name}"));
        }
        let by_url = name == method::ELICITATION_CREATE && !hello.revision.stateless();
        let named = inner.as_ref().filter(|_| by_url).and_then(|inner| named(params?, inner));
        let params = named.as_deref().or(params);
        let id = RawId::number(at as u64 + 1);
        let message = Message::parse(rpc::request(&id, &name, params), limits);
        questions.push(Question {
            message: message.map_err(|_| malformed())?,
            key: quote(&key),
            can_be_cancelled: name == method::ELICITATION_CREATE,
        });
    }
    Ok(questions)
}

/// Finds out of a long response, as it comes, whether it is an answer or asks back.
#[derive(Default)]
pub(crate) struct Judge {
    watch: ResultWatch,
    /// The member that went by last says it.
    is_kind: bool,
    verdict: Option<Verdict>,
}

/// What a long response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// An answer: it can be passed on as it comes.
    Answers,
    /// It has to be read whole: it asks back, or is nothing that is known.
    Asks,
}

impl Judge {
    /// Reads on. `None` as long as there is no telling.
    pub(crate) fn read(&mut self, piece: &[u8]) -> Option<Verdict> {
        let Self { watch, is_kind, verdict } = self;
        watch.read(piece, |_, noticed| {
            let found = match noticed {
                Noticed::Name(name) => {
                    *is_kind = name.is(RESULT_TYPE);
                    match () {
                        () if ASKING.iter().any(|key| name.is(key)) => Some(Verdict::Asks),
                        () if ANSWERING.iter().any(|key| name.is(key)) => Some(Verdict::Answers),
                        () => None,
                    }
                }
                Noticed::Text(kind) if *is_kind => match kind.is(COMPLETE) || kind.is(TASK) {
                    true => Some(Verdict::Answers),
                    false => Some(Verdict::Asks),
                },
                Noticed::Text(_) => None,
                // Without a word about its kind it is an answer.
                Noticed::End { .. } => Some(Verdict::Answers),
            };
            // The first sign counts: servers say what they say in one way or the other.
            *verdict = verdict.or(found);
        });
        *verdict
    }
}

/// The params of a question by URL with an id, which older revisions want and the backend's does not have.
fn named(raw: &[u8], params: &Object<'_>) -> Option<Bytes> {
    let by_url = params.get("mode")?.as_str()? == "url" && params.get("elicitationId").is_none();
    by_url.then(|| {
        let id = format!("\"vmcp-{:016x}{:016x}\"", random(), random());
        let mut edits = Edits::new();
        edits.insert_member(params, "elicitationId", id.as_bytes());
        edits.apply(raw)
    })
}

fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // A fresh RandomState is seeded per instance: unique is all that this has to be.
    RandomState::new().hash_one(0_u8)
}

// === impl Answers ===

impl Answers {
    pub(crate) fn to(questions: &[Question]) -> Arc<Self> {
        let list = questions.iter().map(|one| (one.key.clone(), one.can_be_cancelled, None));
        Arc::new(Self { list: Mutex::new(list.collect()), given: Notify::new() })
    }

    /// What the client says to the question at this place: a whole response. The first one counts.
    pub(crate) fn give(&self, at: usize, answer: Bytes, limits: &Limits) {
        let Ok(answer) = Message::parse(answer, limits) else { return };
        if let Some((_, _, place)) = self.list.lock().get_mut(at) {
            place.get_or_insert(answer);
        }
        self.given.notify_one();
    }

    /// Returns once every question is answered. Cancel-safe; for one waiter.
    pub(crate) async fn complete(&self) {
        while self.list.lock().iter().any(|(_, _, answer)| answer.is_none()) {
            self.given.notified().await;
        }
    }

    /// The answers as one raw object; or the error with which the client ends its call.
    pub(crate) fn collected(&self) -> Result<Bytes, Box<Message>> {
        let mut text = BytesMut::from("{");
        for (key, can_be_cancelled, answer) in self.list.lock().iter() {
            let result = match answer {
                Some(answer) if answer.kind() == Kind::Success => answer.result(),
                _ if *can_be_cancelled => Some(Bytes::from_static(b"{\"action\":\"cancel\"}")),
                Some(error) => return Err(Box::new(error.clone())),
                None => None,
            };
            let Some(result) = result else { continue };
            if text.len() > 1 {
                text.extend_from_slice(b",");
            }
            text.extend_from_slice(key);
            text.extend_from_slice(b":");
            text.extend_from_slice(&result);
        }
        text.extend_from_slice(b"}");
        Ok(text.freeze())
    }
}
