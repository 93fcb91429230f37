//! One request at a backend, as the code that answers it sees it.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

use crate::backend::session::Session;
use crate::backend::stateless::Terms;
use crate::backend::stream::Stream;
use crate::json::{Json, lenient};
use crate::record::raw_id;

/// One request at a backend, with the way back to its client.
#[derive(Clone)]
pub struct Call {
    /// The JSON-RPC method, or the HTTP method for GET and DELETE.
    pub method: String,
    /// The message's bytes.
    pub message: Bytes,
    /// The HTTP headers it came with.
    pub headers: HeaderMap,
    /// The session it belongs to.
    pub session_id: Option<String>,
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) stream: Option<Arc<Stream>>,
    /// What the request says of itself, if it is one of the stateless revision.
    pub(crate) stateless: Option<Arc<Terms>>,
}

// === impl Call ===

impl Call {
    /// The whole message.
    pub fn json(&self) -> Value {
        lenient(&self.message)
    }

    /// The params.
    pub fn params(&self) -> Value {
        self.json()["params"].take()
    }

    /// The params exactly as they were spelled; `null` if there are none.
    pub fn raw_params(&self) -> Json {
        #[derive(serde::Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            params: Option<&'a serde_json::value::RawValue>,
        }
        let envelope = serde_json::from_slice::<Envelope<'_>>(&self.message);
        envelope.ok().and_then(|envelope| envelope.params).map_or("null", |raw| raw.get()).into()
    }

    /// The arguments of a tool or prompt.
    pub fn arguments(&self) -> Value {
        self.params()["arguments"].take()
    }

    /// The id's spelling.
    pub fn id(&self) -> Option<String> {
        raw_id(&self.message)
    }

    /// Sends a notification on this call's stream.
    pub async fn notify(&self, method: &str, params: impl Into<Json>) {
        let params = params.into();
        if self.stateless.as_ref().is_some_and(|terms| !terms.wants(method, &params)) {
            return;
        }
        if let Some(stream) = &self.stream {
            stream.message(crate::backend::rpc::notification(method, &params)).await;
        }
    }

    /// Sends progress under the call's token; nothing if the call has none.
    pub async fn progress(
        &self,
        progress: impl Into<Json>,
        total: Option<Json>,
        message: Option<&str>,
    ) {
        let token = self.params()["_meta"]["progressToken"].take();
        if token.is_null() {
            return;
        }
        let mut params = format!(r#"{{"progressToken":{token},"progress":{}"#, progress.into());
        if let Some(total) = total {
            params.push_str(&format!(r#","total":{total}"#));
        }
        if let Some(message) = message {
            params.push_str(&format!(r#","message":{}"#, json!(message)));
        }
        params.push('}');
        self.notify("notifications/progress", params).await;
    }

    /// Sends a request to the client on this call's stream and waits for the whole response message. A stateless
    /// client gets the question as the answer of its call; when it calls again, the code runs again from its start,
    /// and the same question is answered at once.
    ///
    /// `null` if the client ended the session instead.
    pub async fn ask(&self, method: &str, params: impl Into<Json>) -> Value {
        if let Some(terms) = &self.stateless {
            return terms.ask(method, &params.into()).await;
        }
        match (&self.session, &self.stream) {
            (Some(session), Some(stream)) => session.ask(stream, method, &params.into()).await,
            _ => Value::Null,
        }
    }

    /// Closes the stream's connection but not the stream: what follows waits for a client that resumes.
    pub async fn close_stream(&self, retry: Option<u64>) {
        if let Some(stream) = &self.stream {
            stream.close(retry).await;
        }
    }
}
