//! What the provider answers instead of, or on top of, the right thing.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::backend::perform::response;
use crate::body::ReplyBody;
use crate::gate::Gate;
use crate::json::Json;
use crate::tasks::Tasks;

/// What the provider answers: a constructor says what, the other methods add to it. Cheap to clone.
#[derive(Clone)]
pub struct IdpAnswer {
    steps: Vec<Step>,
    end: End,
    headers: Vec<(String, String)>,
    cut: Option<usize>,
}

#[derive(Clone)]
enum Step {
    Wait(Duration),
    Pass(Gate),
}

#[derive(Clone)]
enum End {
    Usual(Vec<(String, Option<Json>)>),
    Http(u16, Bytes),
    Never,
    Hangup,
    Sequence(Arc<(AtomicUsize, Vec<IdpAnswer>)>),
}

/// A response before it is dressed in HTTP.
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: OutcomeBody,
}

pub(crate) enum OutcomeBody {
    Json(Map<String, Value>),
    Bytes(Bytes),
}

// === impl IdpAnswer ===

impl IdpAnswer {
    fn ending(end: End) -> Self {
        Self { steps: Vec::new(), end, headers: Vec::new(), cut: None }
    }

    /// The right answer, to add something to.
    pub fn usual() -> Self {
        Self::ending(End::Usual(Vec::new()))
    }

    /// An OAuth error (RFC 6749 §5.2).
    pub fn error(status: u16, code: &str, description: &str) -> Self {
        let body = json!({"error": code, "error_description": description});
        Self::http(status, "application/json", body.to_string())
    }

    /// These bytes with this status.
    pub fn http(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::ending(End::Http(status, body.into())).header("content-type", content_type)
    }

    /// A status with an empty body.
    pub fn status(status: u16) -> Self {
        Self::ending(End::Http(status, Bytes::new()))
    }

    /// A redirect.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::status(status).header("location", location)
    }

    /// A token response whose token has so many bytes.
    pub fn huge(bytes: usize) -> Self {
        let token = "x".repeat(bytes);
        let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
        Self::http(200, "application/json", body.to_string())
    }

    /// Takes the request and never answers.
    pub fn never() -> Self {
        Self::ending(End::Never)
    }

    /// Closes the connection without a byte.
    pub fn hangup() -> Self {
        Self::ending(End::Hangup)
    }

    /// One after the other, one for each request; the last one stays.
    pub fn sequence(answers: impl IntoIterator<Item = IdpAnswer>) -> Self {
        Self::ending(End::Sequence(Arc::new((AtomicUsize::new(0), answers.into_iter().collect()))))
    }

    /// The right answer with another member: raw JSON (`"3600"`, `1e400`, `null`), also what is none.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Json>) -> Self {
        if let End::Usual(members) = &mut self.end {
            members.push((name.to_owned(), Some(value.into())));
        }
        self
    }

    /// The right answer without a member.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        if let End::Usual(members) = &mut self.end {
            members.push((name.to_owned(), None));
        }
        self
    }

    /// Waits first.
    #[must_use]
    pub fn wait(mut self, time: Duration) -> Self {
        self.steps.push(Step::Wait(time));
        self
    }

    /// Waits until the test opens the gate.
    #[must_use]
    pub fn gate(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Pass(gate.clone()));
        self
    }

    /// Adds a header, or replaces the usual one of that name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Breaks the connection after so many bytes of the body.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }
}

impl IdpAnswer {
    /// Carries the answer out; `usual` is asked for the right answer, after all waiting. An error closes the
    /// connection.
    pub(crate) async fn perform(
        &self,
        tasks: &Tasks,
        usual: impl AsyncFnOnce() -> Outcome,
    ) -> io::Result<Response<ReplyBody>> {
        let mut answer = self.clone();
        loop {
            for step in &answer.steps {
                match step {
                    Step::Wait(time) => tokio::time::sleep(*time).await,
                    Step::Pass(gate) => gate.pass().await,
                }
            }
            let End::Sequence(sequence) = &answer.end else { break };
            let turn = sequence.0.fetch_add(1, Ordering::Relaxed);
            let next = sequence.1.get(turn).or(sequence.1.last()).cloned();
            answer = next.unwrap_or_else(Self::never);
        }
        match answer.end {
            End::Never | End::Sequence(_) => pending().await,
            End::Hangup => Err(io::ErrorKind::ConnectionReset.into()),
            End::Http(status, body) => dress(status, &answer.headers, body, answer.cut, tasks),
            End::Usual(members) => {
                let outcome = usual().await;
                let mut headers = outcome.headers;
                headers.retain(|(name, _)| !answer.headers.iter().any(|(other, _)| other == name));
                headers.extend(answer.headers);
                let body = match outcome.body {
                    OutcomeBody::Bytes(bytes) => bytes,
                    OutcomeBody::Json(usual) => object(&usual, &members),
                };
                dress(outcome.status, &headers, body, answer.cut, tasks)
            }
        }
    }
}

/// The members with the changes; written by hand so that a change may be anything.
fn object(usual: &Map<String, Value>, changes: &[(String, Option<Json>)]) -> Bytes {
    let mut members: Vec<(&str, String)> =
        usual.iter().map(|(name, value)| (name.as_str(), value.to_string())).collect();
    for (name, value) in changes {
        members.retain(|(other, _)| other != name);
        members.extend(value.as_ref().map(|value| (name.as_str(), value.text())));
    }
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}", members.join(",")).into()
}

fn dress(
    status: u16,
    headers: &[(String, String)],
    body: Bytes,
    cut: Option<usize>,
    tasks: &Tasks,
) -> io::Result<Response<ReplyBody>> {
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let Some(cut) = cut else { return response(status, &headers, ReplyBody::Full(body)) };
    let (sender, pieces) = mpsc::channel(2);
    tasks.spawn(async move {
        let _ = sender.send(Ok(body.slice(..cut.min(body.len())))).await;
        let _ = sender.send(Err(io::ErrorKind::ConnectionReset.into())).await;
    });
    response(status, &headers, ReplyBody::channel(pieces, None))
}

// === impl Outcome ===

impl Outcome {
    /// A JSON object that nobody may cache (RFC 6749 §5.1).
    pub(crate) fn json(status: u16, body: Value) -> Self {
        let headers = [("content-type", "application/json"), ("cache-control", "no-store")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let body = match body {
            Value::Object(members) => OutcomeBody::Json(members),
            other => OutcomeBody::Bytes(other.to_string().into()),
        };
        Self { status, headers, body }
    }

    /// An OAuth error (RFC 6749 §5.2).
    pub(crate) fn error(status: u16, code: &str, description: impl Into<String>) -> Self {
        let description: String = description.into();
        Self::json(status, json!({"error": code, "error_description": description}))
    }

    /// A member of its JSON that is text.
    pub(crate) fn member(&self, name: &str) -> Option<String> {
        match &self.body {
            OutcomeBody::Json(members) => members.get(name)?.as_str().map(str::to_owned),
            OutcomeBody::Bytes(_) => None,
        }
    }

    /// An empty response.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: OutcomeBody::Bytes(Bytes::new()) }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
