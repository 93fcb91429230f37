//! A client of the stateless revision 2026-07-28.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::client::http::RawClient;
use crate::client::reply::RawReply;
use crate::json::Json;

/// The revision's name.
pub(super) const REVISION: &str = "2026-07-28";
const META: &str = "io.modelcontextprotocol/";
/// How often a request is repeated with answers before something must be wrong.
const MAX_ROUNDS: usize = 16;

/// A client of the stateless revision that shows every status, header and byte.
///
/// Each request says all about the client, in `_meta` and in headers; each has its own TCP connection, which ends with
/// its [`RawReply`]: dropping a reply is the cancellation of its request. Clones are the same client.
#[derive(Clone)]
pub struct StatelessClient {
    raw: RawClient,
    said: Arc<Mutex<Said>>,
    next_id: Arc<AtomicU64>,
}

/// What the client says with each request.
struct Said {
    revision: String,
    capabilities: Json,
    level: Option<String>,
    /// The arguments that each tool wants in headers: where they are, and under which name.
    mirrored: HashMap<String, Vec<(Vec<String>, String)>>,
}

/// One request as it would be sent.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The headers that this revision wants. Others are added when it is sent.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// An open request to listen.
pub struct Listening {
    /// The id of the request.
    pub id: u64,
    /// The reply, behind its first message if that was the acknowledgement.
    pub reply: RawReply,
    /// The first message: what of the wishes is honoured.
    pub acknowledged: Value,
}

// === impl StatelessClient ===

impl StatelessClient {
    /// A client of this URL that declares no capability.
    pub fn new(url: &str) -> io::Result<Self> {
        let said = Said {
            revision: REVISION.to_owned(),
            capabilities: "{}".into(),
            level: None,
            mirrored: HashMap::new(),
        };
        Ok(Self {
            raw: RawClient::new(url)?,
            said: Arc::new(Mutex::new(said)),
            next_id: Arc::new(AtomicU64::new(1)),
        })
    }

    /// The client underneath: for headers that all requests carry, and for what is no request of this revision.
    pub fn raw(&self) -> &RawClient {
        &self.raw
    }

    /// Declares these capabilities from now on.
    pub fn set_capabilities(&self, capabilities: impl Into<Json>) {
        self.said.lock().capabilities = capabilities.into();
    }

    /// Asks for log messages of this level from now on, or for none.
    pub fn set_level(&self, level: Option<&str>) {
        self.said.lock().level = level.map(str::to_owned);
    }

    /// Names this revision from now on.
    pub fn set_revision(&self, revision: &str) {
        self.said.lock().revision = revision.to_owned();
    }

    /// Looks up which arguments of a tool have to be repeated in headers; calls of it do so from now on. `tool` is what
    /// a list says of it.
    pub fn learn(&self, tool: &Value) {
        let mut found = Vec::new();
        annotated(&tool["inputSchema"], &mut Vec::new(), &mut found);
        let name = tool["name"].as_str().unwrap_or_default().to_owned();
        self.said.lock().mirrored.insert(name, found);
    }

    /// Lists all tools, page by page, and [learns](Self::learn) each.
    pub async fn tools(&self) -> io::Result<Vec<Value>> {
        let mut tools = Vec::new();
        let mut params = json!({});
        loop {
            let mut response = self.call("tools/list", &params).await?;
            let page = response["result"]["tools"].take();
            let Value::Array(page) = page else {
                return Err(io::Error::other(format!("no list of tools: {response}")));
            };
            page.iter().for_each(|tool| self.learn(tool));
            tools.extend(page);
            match response["result"]["nextCursor"].take() {
                Value::Null => return Ok(tools),
                cursor => params = json!({"cursor": cursor}),
            }
        }
    }

    /// An id that was not used.
    pub fn id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// A request with all that belongs to it, to be bent and [sent](Self::send). `id` is raw JSON.
    pub fn prepare(&self, id: &str, method: &str, params: impl Into<Json>) -> Prepared {
        let params = params.into();
        let said = self.said.lock();
        let mut headers = vec![
            ("mcp-protocol-version".to_owned(), said.revision.clone()),
            ("mcp-method".to_owned(), method.to_owned()),
        ];
        let value = params.value();
        let name = match method {
            "tools/call" | "prompts/get" => value["name"].as_str(),
            "resources/read" => value["uri"].as_str(),
            "tasks/get" | "tasks/update" | "tasks/cancel" => value["taskId"].as_str(),
            _ => None,
        };
        headers.extend(name.map(|name| ("mcp-name".to_owned(), encoded(name))));
        if method == "tools/call" {
            let mirrored = name.and_then(|name| said.mirrored.get(name));
            for (path, header) in mirrored.into_iter().flatten() {
                let argument = path.iter().fold(&value["arguments"], |at, key| &at[key]);
                let text = match argument {
                    Value::String(text) => encoded(text),
                    Value::Bool(_) | Value::Number(_) => argument.to_string(),
                    _ => continue,
                };
                headers.push((format!("mcp-param-{header}"), text));
            }
        }
        let mut meta = meta(&said.revision, &said.capabilities).value();
        if let Some(level) = &said.level {
            meta[format!("{META}logLevel")] = json!(level);
        }
        let params = with_meta(&params, &meta.into());
        let method = json!(method);
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{method},"params":{params}}}"#);
        Prepared { headers, body }
    }

    /// Sends a request as it is.
    pub async fn send(&self, prepared: Prepared) -> io::Result<RawReply> {
        let headers: Vec<_> =
            prepared.headers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        self.raw.send(Method::POST, &headers, prepared.body.into()).await
    }

    /// Sends a request under an id of its own; the reply may be read piece by piece.
    pub async fn request(&self, method: &str, params: impl Into<Json>) -> io::Result<RawReply> {
        self.request_as(&self.id().to_string(), method, params).await
    }

    /// Sends a request under this id (raw JSON).
    pub async fn request_as(
        &self,
        id: &str,
        method: &str,
        params: impl Into<Json>,
    ) -> io::Result<RawReply> {
        self.send(self.prepare(id, method, params)).await
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

    /// Asks the server what it is; gives the whole response message.
    pub async fn discover(&self) -> io::Result<Value> {
        self.call("server/discover", "{}").await
    }

    /// Opens a stream of what changes. `wishes` is the filter: `{"toolsListChanged": true}`.
    pub async fn listen(&self, wishes: impl Into<Json>) -> io::Result<Listening> {
        let id = self.id();
        let params = format!(r#"{{"notifications":{}}}"#, wishes.into());
        let mut reply = self.request_as(&id.to_string(), "subscriptions/listen", params).await?;
        let acknowledged = reply.message().await?.unwrap_or_default();
        Ok(Listening { id, reply, acknowledged })
    }

    /// Repeats a request, with answers to what its `result` asks for (an object, by key) and with its state. An empty
    /// object of answers is left out.
    pub async fn retry(
        &self,
        method: &str,
        params: impl Into<Json>,
        result: &Value,
        answers: Value,
    ) -> io::Result<RawReply> {
        let mut params = params.into().value();
        if answers.as_object().is_none_or(|answers| !answers.is_empty()) {
            params["inputResponses"] = answers;
        }
        if let Some(state) = result.get("requestState") {
            params["requestState"] = state.clone();
        }
        self.request(method, params).await
    }

    /// Sends a request and answers all that it asks for, round by round, until there is a response that asks for
    /// nothing: the whole message, and how many rounds there were.
    ///
    /// `answer` is given the key and the request (`method`, `params`) of each question.
    pub async fn fulfil(
        &self,
        method: &str,
        params: impl Into<Json>,
        mut answer: impl FnMut(&str, &Value) -> Value,
    ) -> io::Result<(Value, usize)> {
        let params = params.into();
        let mut response = self.call(method, params.clone()).await?;
        for round in 0..MAX_ROUNDS {
            let result = &response["result"];
            if result["resultType"] != "input_required" {
                return Ok((response, round));
            }
            let asked = result["inputRequests"].as_object().into_iter().flatten();
            let answers = asked.map(|(key, request)| (key.clone(), answer(key, request)));
            let answers = Value::Object(answers.collect());
            let mut reply = self.retry(method, params.clone(), result, answers).await?;
            response = reply.response().await?;
        }
        Err(io::Error::other(format!("asked more than {MAX_ROUNDS} times: {response}")))
    }
}

// === impl Prepared ===

impl Prepared {
    /// Replaces a header; an empty value takes it away.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.line(name, value)
    }

    /// Adds a line, also where there is one of that name.
    #[must_use]
    pub fn line(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Changes the body: `bend` is given the message.
    #[must_use]
    pub fn body(mut self, bend: impl FnOnce(&mut Value)) -> Self {
        let mut message = serde_json::from_str(&self.body).unwrap_or(Value::Null);
        bend(&mut message);
        self.body = message.to_string();
        self
    }
}

// === impl Listening ===

impl Listening {
    /// The next message; `None` at the clean end.
    pub async fn next(&mut self) -> io::Result<Option<Value>> {
        self.reply.message().await
    }
}

/// What a request says of its client.
pub(super) fn meta(revision: &str, capabilities: &Json) -> Json {
    let revision = json!(revision);
    format!(
        r#"{{"{META}protocolVersion":{revision},"{META}clientInfo":{{"name":"testkit","version":"1.0.0"}},"{META}clientCapabilities":{capabilities}}}"#
    )
    .into()
}

/// The params with these members in their `_meta`. What stands there already wins, and without a `_meta` of their own
/// they keep their spelling.
pub(super) fn with_meta(params: &Json, meta: &Json) -> Json {
    let mut value = params.value();
    if let Some(own) = value["_meta"].as_object() {
        let mut all = meta.value();
        for (key, member) in own {
            all[key] = member.clone();
        }
        value["_meta"] = all;
        return value.into();
    }
    let text = params.text();
    match text.trim_end().strip_suffix('}') {
        Some(open) if value.as_object().is_some_and(|members| !members.is_empty()) => {
            format!(r#"{open},"_meta":{meta}}}"#).into()
        }
        Some(open) if value.is_object() => format!(r#"{open}"_meta":{meta}}}"#).into(),
        _ => params.clone(),
    }
}

/// A text as the value of a header.
fn encoded(text: &str) -> String {
    let plain = text.bytes().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e));
    let marked = text.starts_with("=?base64?") && text.ends_with("?=");
    if plain && text.trim_matches([' ', '\t']) == text && !marked {
        return text.to_owned();
    }
    format!("=?base64?{}?=", STANDARD.encode(text))
}

/// The annotated properties of a schema.
fn annotated(schema: &Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        path.push(key.clone());
        if let Some(header) = property["x-mcp-header"].as_str() {
            found.push((path.clone(), header.to_owned()));
        }
        annotated(property, path, found);
        path.pop();
    }
}
