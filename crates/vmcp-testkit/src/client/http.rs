//! A streamable HTTP client, one TCP connection for each request.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::PATIENCE;
use crate::client::reply::RawReply;
use crate::json::Json;
use crate::tasks::Tasks;

/// A streamable HTTP client that shows every status, header and byte.
///
/// Each request has its own TCP connection, which ends with its [`RawReply`]: dropping a reply is going away.
/// Clones are the same client.
#[derive(Clone)]
pub struct RawClient {
    authority: String,
    state: Arc<Mutex<State>>,
    next_id: Arc<AtomicU64>,
}

/// What the client sends with each request.
#[derive(Clone, Default)]
struct State {
    path: String,
    session: Option<String>,
    revision: Option<String>,
    headers: Vec<(String, String)>,
}

// === impl RawClient ===

impl RawClient {
    /// A client of this URL.
    pub fn new(url: &str) -> io::Result<Self> {
        let uri: Uri = url.parse().map_err(io::Error::other)?;
        let authority = uri.authority().ok_or_else(|| io::Error::other("no host in the url"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            authority: authority.to_string(),
            state: Arc::new(Mutex::new(State { path: path.to_owned(), ..State::default() })),
            next_id: Arc::new(AtomicU64::new(1)),
        })
    }

    /// The same server, another session.
    pub fn fresh(&self) -> Self {
        let path = self.state.lock().path.clone();
        Self {
            authority: self.authority.clone(),
            state: Arc::new(Mutex::new(State { path, ..State::default() })),
            next_id: Arc::new(AtomicU64::new(1)),
        }
    }

    /// The session that the handshake opened.
    pub fn session(&self) -> Option<String> {
        self.state.lock().session.clone()
    }

    /// Names this session from now on.
    pub fn set_session(&self, session: Option<&str>) {
        self.state.lock().session = session.map(str::to_owned);
    }

    /// Names this revision in the version header from now on.
    pub fn set_revision(&self, revision: Option<&str>) {
        self.state.lock().revision = revision.map(str::to_owned);
    }

    /// Adds a header to each request from now on; a later one of the same name replaces the client's own.
    pub fn set_header(&self, name: &str, value: &str) {
        let mut state = self.state.lock();
        state.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        state.headers.push((name.to_owned(), value.to_owned()));
    }

    /// The whole handshake; gives the `result` of its first half.
    pub async fn handshake(
        &self,
        revision: &str,
        capabilities: impl Into<Json>,
    ) -> io::Result<Value> {
        let params = super::introduction(revision, &capabilities.into());
        let mut reply = self.request("initialize", params).await?;
        let session = reply.header("mcp-session-id").map(str::to_owned);
        let mut response = reply.response().await?;
        let result = response["result"].take();
        let Some(agreed) = result["protocolVersion"].as_str() else {
            return Err(io::Error::other(format!(
                "handshake refused: {} {response}",
                reply.status
            )));
        };
        {
            let mut state = self.state.lock();
            state.session = session;
            // The header is not part of the protocol before 2025-06-18.
            state.revision = (agreed >= "2025-06-18").then(|| agreed.to_owned());
        }
        self.notify("notifications/initialized", "{}").await?;
        Ok(result)
    }

    /// Sends a request and reads on until its response: the whole message.
    pub async fn call(&self, method: &str, params: impl Into<Json>) -> io::Result<Value> {
        self.request(method, params).await?.response().await
    }

    /// Calls a tool and gives the whole response message.
    pub async fn tool(&self, name: &str, arguments: impl Into<Json>) -> io::Result<Value> {
        let params = format!(r#"{{"name":{},"arguments":{}}}"#, json!(name), arguments.into());
        self.call("tools/call", params).await
    }

    /// Sends a request under an id of its own; the reply may be read piece by piece.
    pub async fn request(&self, method: &str, params: impl Into<Json>) -> io::Result<RawReply> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.request_as(&id.to_string(), method, params).await
    }

    /// Sends a request under this id (raw JSON).
    pub async fn request_as(
        &self,
        id: &str,
        method: &str,
        params: impl Into<Json>,
    ) -> io::Result<RawReply> {
        let params = params.into();
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":{},"params":{params}}}"#,
            json!(method)
        );
        self.post(body).await
    }

    /// Sends a notification.
    pub async fn notify(&self, method: &str, params: impl Into<Json>) -> io::Result<RawReply> {
        let params = params.into();
        self.post(format!(r#"{{"jsonrpc":"2.0","method":{},"params":{params}}}"#, json!(method)))
            .await
    }

    /// Answers a request of the server; `id` is taken from it.
    pub async fn answer(&self, request: &Value, result: impl Into<Json>) -> io::Result<RawReply> {
        let result = result.into();
        self.post(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, request["id"])).await
    }

    /// Answers a request of the server with an error object.
    pub async fn refuse(&self, request: &Value, error: impl Into<Json>) -> io::Result<RawReply> {
        let error = error.into();
        self.post(format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, request["id"])).await
    }

    /// POSTs these bytes.
    pub async fn post(&self, body: impl Into<Bytes>) -> io::Result<RawReply> {
        self.send(Method::POST, &[], body.into()).await
    }

    /// Opens the standalone stream.
    pub async fn get(&self) -> io::Result<RawReply> {
        self.send(Method::GET, &[], Bytes::new()).await
    }

    /// Resumes a stream after the event with this id.
    pub async fn resume(&self, last_event_id: &str) -> io::Result<RawReply> {
        self.send(Method::GET, &[("last-event-id", last_event_id)], Bytes::new()).await
    }

    /// HTTP+SSE: opens the channel and posts to its endpoint from now on. What the server says, answers included,
    /// comes through the channel.
    pub async fn open_channel(&self) -> io::Result<RawReply> {
        let mut channel = self.get().await?;
        let endpoint = channel.event().await?.unwrap_or_default();
        if endpoint.event.as_deref() != Some("endpoint") {
            return Err(io::Error::other(format!(
                "no endpoint but {} {endpoint:?}",
                channel.status
            )));
        }
        self.state.lock().path = endpoint.data;
        Ok(channel)
    }

    /// Ends the session.
    pub async fn delete(&self) -> io::Result<RawReply> {
        self.send(Method::DELETE, &[], Bytes::new()).await
    }

    /// Sends any request; `headers` win over the client's own, and one without a value takes that away.
    pub async fn send(
        &self,
        method: Method,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> io::Result<RawReply> {
        let request = self.build(method, headers, body)?;
        let exchange = async {
            let socket = TcpStream::connect(&self.authority).await?;
            socket.set_nodelay(true)?;
            let (mut sender, connection) =
                http1::handshake(TokioIo::new(socket)).await.map_err(io::Error::other)?;
            let tasks = Tasks::default();
            tasks.spawn(async move {
                let _ = connection.await;
            });
            let response = sender.send_request(request).await.map_err(io::Error::other)?;
            Ok(RawReply::new(response, tasks))
        };
        tokio::time::timeout(PATIENCE, exchange).await?
    }

    fn build(
        &self,
        method: Method,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> io::Result<Request<Full<Bytes>>> {
        let mut all: Vec<(String, String)> = vec![
            ("host".into(), self.authority.clone()),
            (
                "accept".into(),
                if method == Method::GET { "text/event-stream" } else { BOTH }.into(),
            ),
        ];
        if method == Method::POST {
            all.push(("content-type".into(), "application/json".into()));
        }
        let path = {
            let state = self.state.lock();
            let own =
                [("mcp-session-id", &state.session), ("mcp-protocol-version", &state.revision)];
            all.extend(
                own.iter().filter_map(|(name, value)| Some((name.to_string(), (*value).clone()?))),
            );
            for (name, value) in &state.headers {
                replace(&mut all, name, value);
            }
            state.path.clone()
        };
        // Several lines of one name are several lines.
        all.retain(|(other, _)| !headers.iter().any(|(name, _)| other.eq_ignore_ascii_case(name)));
        let given = headers.iter().filter(|(_, value)| !value.is_empty());
        all.extend(given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in all {
            request = request.header(name, value);
        }
        request.body(Full::new(body)).map_err(io::Error::other)
    }
}

const BOTH: &str = "application/json, text/event-stream";

/// Sets a header; an empty value removes it.
fn replace(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    if !value.is_empty() {
        headers.push((name.to_owned(), value.to_owned()));
    }
}
