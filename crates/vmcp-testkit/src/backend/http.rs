//! From an HTTP request to the answer that the script has for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::mpsc;

use crate::answer::Answer;
use crate::backend::perform::{self, Reply};
use crate::backend::script::SessionIds;
use crate::backend::session::Session;
use crate::backend::stream::{Outlet, Stream, Style};
use crate::backend::{Shared, Transport, rpc, stateless};
use crate::body::{Piece, ReplyBody};
use crate::call::Call;
use crate::json::lenient;
use crate::record::{Recorded, Watch, raw_id};

/// How many pieces of a stream may wait for its client.
pub(crate) const QUEUE: usize = 8;

pub(crate) type Served = io::Result<Response<ReplyBody>>;

/// One request on its way through the backend.
pub(crate) struct Exchange {
    pub(crate) shared: Arc<Shared>,
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
    pub(crate) watch: Watch,
    session_id: Option<String>,
    pub(crate) method: Option<String>,
    recorded: Recorded,
}

/// Serves one request; an error closes the connection without a response.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    connection: u64,
    request: Request<Incoming>,
) -> Served {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let session_id = named_session(&parts);
    let message = lenient(&body);
    let method = message["method"].as_str().map(str::to_owned);
    let mut recorded = Recorded {
        seq: 0,
        at: Instant::now(),
        connection,
        http_method: parts.method.clone(),
        path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: parts.headers.clone(),
        body: body.clone(),
        session: session_id.clone(),
        method: method.clone(),
    };
    let seq = shared.recorder.request(|seq| {
        recorded.seq = seq;
        recorded.clone()
    });
    let watch = Watch::new(&shared.recorder, seq);
    Exchange { shared, parts, body, watch, session_id, method, recorded }.serve().await
}

fn named_session(parts: &Parts) -> Option<String> {
    let header = parts.headers.get("mcp-session-id").and_then(|value| value.to_str().ok());
    let query = parts.uri.query().and_then(|query| query.strip_prefix("sessionId="));
    header.or(query).map(str::to_owned)
}

// === impl Exchange ===

impl Exchange {
    async fn serve(self) -> Served {
        if let Some(answer) = self.before_mcp() {
            let call = self.call(None);
            let answer = answer.resolve(&call);
            return perform::reply(self.shared, answer, call, self.watch, Reply::plain()).await;
        }
        if stateless::is_meant(&self) {
            return stateless::serve(self).await;
        }
        let transport = self.shared.script.lock().transport;
        match (transport, self.parts.method.as_str()) {
            (Transport::HttpSse, "GET") => self.open_channel(),
            (Transport::HttpSse, "POST") => self.post_to_channel().await,
            (Transport::HttpSse, _) => self.status(405),
            (_, "POST") => self.post().await,
            (_, "GET") => self.listen().await,
            (_, "DELETE") => self.end_session(),
            _ => self.status(405),
        }
    }

    /// What is answered before anybody looks at the message.
    fn before_mcp(&self) -> Option<Answer> {
        let script = self.shared.script.lock();
        let path = self.parts.uri.path();
        if let Some(answer) = script.every.as_ref().or_else(|| script.paths.get(path)) {
            return Some(answer.clone());
        }
        if let Some(answer) = script.guards.iter().find_map(|guard| guard(&self.recorded)) {
            return Some(answer);
        }
        if let Some((name, value)) = &script.required_header {
            let given = self.parts.headers.get(name).map(http::HeaderValue::as_bytes);
            if given != Some(value.as_bytes()) {
                return Some(Answer::status(401).header("www-authenticate", "Bearer"));
            }
        }
        if self.method.is_none()
            && let Some(answer) = script.overrides.get(self.parts.method.as_str())
        {
            return Some(answer.clone());
        }
        let known = match (script.transport, self.parts.method.as_str()) {
            (Transport::HttpSse, "GET") => "/sse",
            (Transport::HttpSse, _) => "/message",
            _ => script.path.as_str(),
        };
        (path != known).then(|| Answer::status(404))
    }

    /// Streamable HTTP: a message from the client.
    async fn post(self) -> Served {
        let opens = self.method.as_deref() == Some("initialize");
        if let Some(answer) = self.to_a_probe() {
            let call = self.call(None);
            let answer = answer.resolve(&call);
            return perform::reply(self.shared, answer, call, self.watch, Reply::plain()).await;
        }
        let session = match self.find_session() {
            _ if opens => self.open_session(),
            Some(session) => session,
            None => return self.lost(),
        };
        let Some(method) = self.method.clone() else {
            session.answered(&self.body);
            let status = if self.body.starts_with(b"[") { 400 } else { 202 };
            return self.status(status);
        };
        self.note(&session, &method);
        let call = self.call(Some(&session));
        let Some(answer) = self.answer(&call) else { return self.status(202) };
        let shape = self.shared.script.lock().transport;
        let session_header = (opens && !session.id.is_empty()).then(|| session.id.clone());
        let reply = Reply { streams: shape == Transport::Sse, session_header };
        perform::reply(self.shared, answer, call, self.watch, reply).await
    }

    /// What the script has for a client that looks for another era.
    fn to_a_probe(&self) -> Option<Answer> {
        let method = self.method.as_deref().filter(|method| *method == "server/discover")?;
        self.shared.script.lock().overrides.get(method).cloned()
    }

    /// The answer to a message; none for a notification that the script does not mention.
    pub(crate) fn answer(&self, call: &Call) -> Option<Answer> {
        let layers = {
            let script = self.shared.script.lock();
            let mentioned = script.overrides.contains_key(&call.method);
            if !mentioned && call.id().is_none() {
                return None;
            }
            rpc::layers(&script, call)
        };
        Some(rpc::settle(layers, call))
    }

    /// Streamable HTTP: the client listens, or resumes a stream.
    async fn listen(self) -> Served {
        let Some(session) = self.find_session() else { return self.lost() };
        let (sender, pieces) = mpsc::channel(QUEUE);
        let outlet = Outlet { sender, budget: None };
        let last = self.parts.headers.get("last-event-id").and_then(|value| value.to_str().ok());
        match last.and_then(|last| last.split_once('_')) {
            Some((stream, seen)) => {
                let stream =
                    stream.parse().ok().and_then(|id| session.streams.lock().get(&id).cloned());
                let (Some(stream), Ok(seen)) = (stream, seen.parse()) else {
                    return self.status(400);
                };
                // Replaying waits for the client to read, so that it must not delay the response head.
                self.shared.tasks.spawn(async move { stream.resume(outlet, seen).await });
            }
            None => {
                let stream = self.shared.stream(&session, true, outlet);
                session.listeners.lock().push(Arc::clone(&stream));
                self.shared.tasks.spawn(async move { stream.prime().await });
            }
        }
        self.shared.recorder.touch();
        Ok(self.event_stream(pieces))
    }

    /// HTTP+SSE: the client opens its channel, which is its session.
    fn open_channel(self) -> Served {
        let session = self.open_session();
        let (sender, pieces) = mpsc::channel(QUEUE);
        let stream = self.shared.stream(&session, true, Outlet { sender, budget: None });
        session.listeners.lock().push(Arc::clone(&stream));
        let endpoint = format!("event: endpoint\ndata: /message?sessionId={}\n\n", session.id);
        self.shared.tasks.spawn(async move { stream.raw(endpoint.into()).await });
        self.shared.recorder.touch();
        Ok(self.event_stream(pieces))
    }

    /// HTTP+SSE: a message from the client; its answer goes through the channel.
    async fn post_to_channel(self) -> Served {
        let Some(session) = self.find_session() else { return self.lost() };
        let Some(method) = self.method.clone() else {
            session.answered(&self.body);
            return self.status(202);
        };
        self.note(&session, &method);
        let mut call = self.call(Some(&session));
        call.stream = session.listener();
        let Some(answer) = self.answer(&call) else { return self.status(202) };
        if perform::is_http(&answer) {
            return perform::reply(self.shared, answer, call, self.watch, Reply::plain()).await;
        }
        self.shared.tasks.spawn(perform::run(answer, call));
        self.status(202)
    }

    fn end_session(self) -> Served {
        let Some(session) = self.find_session() else { return self.lost() };
        self.shared.sessions.lock().remove(&session.id);
        self.status(200)
    }

    /// What a backend remembers of a message whatever it answers.
    fn note(&self, session: &Session, method: &str) {
        let uri = || self.call(None).params()["uri"].as_str().unwrap_or_default().to_owned();
        match method {
            "resources/subscribe" => drop(session.subscriptions.lock().insert(uri())),
            "resources/unsubscribe" => drop(session.subscriptions.lock().remove(&uri())),
            _ => {}
        }
    }

    fn find_session(&self) -> Option<Arc<Session>> {
        let id = match self.shared.script.lock().session_ids {
            SessionIds::None => Some(""),
            _ => self.session_id.as_deref(),
        };
        self.shared.sessions.lock().get(id?).cloned()
    }

    fn open_session(&self) -> Arc<Session> {
        let channel = self.shared.script.lock().transport == Transport::HttpSse;
        let ids = self.shared.script.lock().session_ids.clone();
        let id = match ids {
            SessionIds::None if !channel => String::new(),
            SessionIds::Fixed(id) => id,
            _ => format!("session-{}", self.shared.next.fetch_add(1, Ordering::Relaxed)),
        };
        let session = Arc::new(Session::new(id.clone(), &self.shared.recorder));
        self.shared.sessions.lock().insert(id, Arc::clone(&session));
        session
    }

    pub(crate) fn call(&self, session: Option<&Arc<Session>>) -> Call {
        Call {
            method: self.method.clone().unwrap_or_else(|| self.parts.method.to_string()),
            message: self.body.clone(),
            headers: self.parts.headers.clone(),
            session_id: self.session_id.clone(),
            session: session.cloned(),
            stream: None,
            stateless: None,
        }
    }

    /// Names a session that is not (or no longer) there, or none.
    fn lost(mut self) -> Served {
        let status = match self.session_id {
            Some(_) => self.shared.script.lock().lost_status,
            None => 400,
        };
        let id = raw_id(&self.body).unwrap_or_else(|| "null".to_owned());
        let body = rpc::failure(&id, &r#"{"code":-32001,"message":"session not found"}"#.into());
        self.watch.disarm();
        perform::response(status, &[("content-type", "application/json")], ReplyBody::Full(body))
    }

    pub(crate) fn status(mut self, status: u16) -> Served {
        self.watch.disarm();
        perform::response(status, &[], ReplyBody::Full(Bytes::new()))
    }

    pub(crate) fn event_stream(self, pieces: mpsc::Receiver<Piece>) -> Response<ReplyBody> {
        let body = ReplyBody::channel(pieces, Some(self.watch));
        perform::event_stream(body)
    }
}

// === impl Shared ===

impl Shared {
    /// A new stream of a session; a lasting one carries more than one call.
    pub(crate) fn stream(&self, session: &Session, lasting: bool, outlet: Outlet) -> Arc<Stream> {
        let script = self.script.lock();
        let ids = script.resumable && !session.momentary && script.transport != Transport::HttpSse;
        let named = script.named_events || script.transport == Transport::HttpSse;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let stream = Arc::new(Stream::new(id, Style { ids, named, lasting }, outlet));
        if ids {
            session.streams.lock().insert(id, Arc::clone(&stream));
        }
        stream
    }
}
