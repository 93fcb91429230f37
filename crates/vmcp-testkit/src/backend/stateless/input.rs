//! Questions to the client, which are answers to its request, and the state that it brings back.
//!
//! The state is signed, so that the backend needs to remember nothing: which step of the answer was reached, what was
//! answered before, and under which id. It is bound to the rest of the request.

use std::future::pending;
use std::sync::atomic::Ordering;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::{Refusal, Terms};
use crate::answer::{Answer, Step};
use crate::call::Call;
use crate::json::Json;

/// All backends of all tests: any of them is a replica of any other.
const KEY: &[u8] = b"testkit: no secret at all";

/// Key, method and params of one question.
pub(super) type Question = (String, String, Json);

/// A request as far as a state is bound to it.
pub(super) struct Round {
    id: Value,
    bound: String,
}

/// How far the rounds before came.
pub(super) struct State {
    pub(super) is_first: bool,
    pub(super) step: usize,
    pub(super) responses: Map<String, Value>,
}

// === impl Round ===

impl Round {
    pub(super) fn new(method: &str, id: &Value, params: &Value) -> Self {
        let mut rest = params.clone();
        if let Some(members) = rest.as_object_mut() {
            members.retain(|key, _| !["_meta", "inputResponses", "requestState"].contains(&&**key));
        }
        Self { id: id.clone(), bound: format!("{method}\n{rest}") }
    }

    fn sign(&self, step: usize, responses: &Map<String, Value>) -> String {
        let state = json!({"id": self.id, "step": step, "responses": responses}).to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, KEY);
        let tag = hmac::sign(&key, self.signed(&state).as_bytes());
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&state), URL_SAFE_NO_PAD.encode(tag))
    }

    fn verify(&self, text: &str) -> Option<Value> {
        let (state, tag) = text.split_once('.')?;
        let state = String::from_utf8(URL_SAFE_NO_PAD.decode(state).ok()?).ok()?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, KEY);
        hmac::verify(&key, self.signed(&state).as_bytes(), &tag).ok()?;
        serde_json::from_str(&state).ok()
    }

    fn signed(&self, state: &str) -> String {
        format!("{state}\n{}", self.bound)
    }
}

// === impl State ===

impl State {
    pub(super) fn read(text: &Value, round: &Round) -> Result<Self, Refusal> {
        if text.is_null() {
            return Ok(Self { is_first: true, step: 0, responses: Map::new() });
        }
        let state = text.as_str().and_then(|text| round.verify(text));
        let Some(mut state) = state else {
            return Err(Refusal::new(-32602, "invalid requestState").with_status(200));
        };
        if state["id"] == round.id {
            return Err(Refusal::new(-32600, "the same request id again"));
        }
        let step = state["step"].as_u64().and_then(|step| usize::try_from(step).ok());
        let responses = match state["responses"].take() {
            Value::Object(responses) => responses,
            _ => Map::new(),
        };
        Ok(Self { is_first: false, step: step.unwrap_or(0), responses })
    }
}

// === impl Terms ===

impl Terms {
    /// The answer from where the rounds before came to, up to the next question.
    pub(crate) fn advance(&self, answer: Answer) -> Answer {
        let mut steps = Vec::new();
        for (index, step) in answer.steps.iter().enumerate() {
            match step {
                Step::Ask(round) => {
                    let answered = |one: &&Question| self.answer_to(&one.0).is_some();
                    let open: Vec<_> = round.iter().filter(|one| !answered(one)).cloned().collect();
                    if !open.is_empty() {
                        return self.interrupted(steps, &open, index);
                    }
                }
                Step::Again if index >= self.state.step => {
                    return self.interrupted(steps, &[], index + 1);
                }
                Step::Again | Step::Close(_) => {}
                _ if index < self.state.step => {}
                step => steps.push(step.clone()),
            }
        }
        self.behind.store(answer.steps.len(), Ordering::Relaxed);
        Answer { steps, ..answer }
    }

    fn interrupted(&self, steps: Vec<Step>, open: &[Question], step: usize) -> Answer {
        if let Some(error) = self.undeclared(open) {
            return Answer::error_object(error);
        }
        Answer { steps, ..self.required(open, step) }
    }

    /// The answer that asks for more.
    fn required(&self, open: &[Question], step: usize) -> Answer {
        let mut responses = self.state.responses.clone();
        responses.extend(self.given().clone());
        let state = json!(self.round.sign(step, &responses));
        let requests: Vec<_> = open
            .iter()
            .map(|(key, method, params)| {
                format!(r#"{}:{{"method":{},"params":{params}}}"#, json!(key), json!(method))
            })
            .collect();
        let requests = match requests.is_empty() {
            true => String::new(),
            false => format!(r#""inputRequests":{{{}}},"#, requests.join(",")),
        };
        Answer::result(format!(
            r#"{{"resultType":"input_required",{requests}"requestState":{state}}}"#
        ))
    }

    /// The error for a client that did not declare what it would be asked for.
    fn undeclared(&self, open: &[Question]) -> Option<Json> {
        let declared = &self.capabilities;
        let missing = open.iter().find_map(|(_, method, params)| match method.as_str() {
            "sampling/createMessage" if !declared["sampling"].is_object() => {
                Some(json!({"sampling": {}}))
            }
            "roots/list" if !declared["roots"].is_object() => Some(json!({"roots": {}})),
            "elicitation/create" if params.value()["mode"] == "url" => {
                let url = declared["elicitation"]["url"].is_object();
                (!url).then(|| json!({"elicitation": {"url": {}}}))
            }
            "elicitation/create" if !declared["elicitation"].is_object() => {
                Some(json!({"elicitation": {}}))
            }
            _ => None,
        });
        let missing = missing.filter(|_| !self.presumptuous)?;
        let message = "the client did not declare a capability that this needs";
        let data = json!({"requiredCapabilities": missing});
        Some(json!({"code": -32021, "message": message, "data": data}).into())
    }

    /// What a client says to a question of an answer's code. If it has not said it yet, this never ends, and
    /// [`question`] becomes the answer.
    pub(crate) async fn ask(&self, method: &str, params: &Json) -> Value {
        let key = format!("run-{}", self.asked.fetch_add(1, Ordering::Relaxed));
        if let Some(result) = self.answer_to(&key) {
            return json!({"result": result});
        }
        *self.question.lock() = Some((key, method.to_owned(), params.clone()));
        self.waits.notify_one();
        pending().await
    }
}

/// What becomes the answer of a stateless call when its code asks the client something.
pub(crate) async fn question(call: &Call) -> Answer {
    let Some(terms) = &call.stateless else { return pending().await };
    terms.waits.notified().await;
    let open: Vec<_> = terms.question.lock().take().into_iter().collect();
    terms.interrupted(Vec::new(), &open, terms.behind.load(Ordering::Relaxed))
}
