//! A gateway, its backends and its clients.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use vmcp_auth::{Caller, Identity, OutgoingAuthRegistry};
use vmcp_backend::{
    BackendTarget, Call, CallError, ClientHello, Connector, Endpoint, ErrorKind, Event,
    PeerRequest, Response, StdioCommand,
};
use vmcp_config::{Aggregation, Config, Naming, PrefixFormat, SafeUrl};
use vmcp_gateway::{Gateway, Index, MultiSession, Reply, Status};
use vmcp_net::Client;
use vmcp_testkit::{Backend, PATIENCE, stdio_peer};
use vmcp_wire::revision::Revision;
use vmcp_wire::{Limits, Message, Piece, rpc};

/// A gateway under test.
pub(crate) struct World {
    pub gateway: Arc<Gateway>,
}

/// One client of it.
pub(crate) struct TestClient {
    pub session: Arc<MultiSession>,
    outside: mpsc::UnboundedReceiver<Event>,
    /// Events read while another was looked for.
    kept: VecDeque<Event>,
}

/// Everything one call brought.
pub(crate) struct Heard {
    pub streamed: bool,
    pub notifications: Vec<Value>,
    pub response: Value,
}

// === impl World ===

impl World {
    /// In front of these, in this order.
    pub(crate) fn start(config: Config, targets: Vec<BackendTarget>) -> Self {
        Self::resumed(config, targets, None)
    }

    /// The same, with what an earlier one kept.
    pub(crate) fn resumed(
        config: Config,
        targets: Vec<BackendTarget>,
        index: Option<Index>,
    ) -> Self {
        let connector = Connector::new(Client::new(), OutgoingAuthRegistry::new());
        let targets = targets.into_iter().map(Arc::new).collect();
        Self { gateway: Gateway::resume(Arc::new(config), targets, Arc::new(connector), index) }
    }

    /// The same, with every backend tried to an end.
    pub(crate) async fn settled(config: Config, targets: Vec<BackendTarget>) -> Self {
        let world = Self::start(config, targets);
        assert!(world.gateway.settled(PATIENCE).await, "{:?}", world.gateway.status());
        world
    }

    /// A client that declares everything.
    pub(crate) async fn client(&self) -> TestClient {
        self.client_with(json!({"roots": {"listChanged": true}, "sampling": {}, "elicitation": {}}))
            .await
    }

    pub(crate) async fn client_with(&self, capabilities: Value) -> TestClient {
        self.client_as(capabilities, Identity::anonymous()).await
    }

    pub(crate) async fn client_as(&self, capabilities: Value, identity: Identity) -> TestClient {
        self.client_of(capabilities, Caller::from(identity)).await
    }

    pub(crate) async fn client_of(&self, capabilities: Value, caller: Caller) -> TestClient {
        self.client_under(Revision::LATEST_HANDSHAKE, capabilities, caller).await
    }

    /// A client whose every request says all about it, and that can do nothing for backends.
    pub(crate) async fn guest(&self) -> TestClient {
        let caller = Caller::from(Identity::anonymous());
        self.client_under(Revision::STATELESS, json!({}), caller).await
    }

    async fn client_under(
        &self,
        revision: Revision,
        capabilities: Value,
        caller: Caller,
    ) -> TestClient {
        let hello = ClientHello {
            revision,
            capabilities: capabilities.to_string().into(),
            client_info: Bytes::from_static(br#"{"name":"test","version":"1"}"#),
        };
        let (sender, outside) = mpsc::unbounded_channel();
        let sink = Arc::new(move |event| {
            let _ = sender.send(event);
        });
        let session = self.gateway.open(hello, caller, sink).await;
        TestClient { session, outside, kept: VecDeque::new() }
    }

    pub(crate) fn status(&self) -> Status {
        self.gateway.status()
    }

    /// Waits until the status is as expected.
    pub(crate) async fn until(&self, what: &str, holds: impl FnMut(&Status) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, self.gateway.when(holds)).await;
        assert!(waited.is_ok(), "waited in vain for {what}: {:?}", self.gateway.status());
    }
}

// === impl TestClient ===

impl TestClient {
    /// The result of a request that must succeed.
    pub(crate) async fn ok(&self, method: &'static str, params: Value) -> Value {
        let mut heard = self.hear(method, params).await.unwrap();
        assert!(heard.response.get("error").is_none(), "{method}: {}", heard.response);
        heard.response["result"].take()
    }

    /// The kind of error of a request that must fail before a backend answers.
    pub(crate) async fn refused(&self, method: &'static str, params: Value) -> ErrorKind {
        match self.hear(method, params).await {
            Ok(heard) => panic!("{method} succeeded: {}", heard.response),
            Err(error) => error.kind,
        }
    }

    /// Everything a request brings.
    pub(crate) async fn hear(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<Heard, CallError> {
        self.hear_as(method, params, None).await
    }

    /// The same, with a caller of its own.
    pub(crate) async fn hear_as(
        &self,
        method: &'static str,
        params: Value,
        caller: Option<Caller>,
    ) -> Result<Heard, CallError> {
        let params = (!params.is_null()).then(|| params.to_string().into());
        let mut call = Call::new(method, params);
        call.caller = caller;
        read(self.session.call(call).await?).await
    }

    /// Calls a tool and gives its first text.
    pub(crate) async fn text(&self, tool: &str, arguments: Value) -> String {
        let result = self.ok("tools/call", json!({"name": tool, "arguments": arguments})).await;
        result["content"][0]["text"].as_str().unwrap_or_default().to_owned()
    }

    /// The keys of a whole list.
    pub(crate) async fn list(&self, method: &'static str) -> Vec<String> {
        let result = self.ok(method, Value::Null).await;
        let (items, key) = match method {
            "tools/list" => (&result["tools"], "name"),
            "prompts/list" => (&result["prompts"], "name"),
            "resources/list" => (&result["resources"], "uri"),
            _ => (&result["resourceTemplates"], "uriTemplate"),
        };
        let items = items.as_array().unwrap();
        items.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
    }

    /// The next notification outside a call with this method.
    pub(crate) async fn told(&mut self, method: &str) -> Value {
        let is = |event: &Event| matches!(event, Event::Notification(message) if message.method() == method);
        match self.find(method, is).await {
            Event::Notification(message) => json_of(&message),
            other => panic!("not a notification: {other:?}"),
        }
    }

    /// The next request outside a call.
    pub(crate) async fn asked(&mut self) -> PeerRequest {
        match self.find("a request", |event| matches!(event, Event::Request(_))).await {
            Event::Request(request) => request,
            other => panic!("not a request: {other:?}"),
        }
    }

    /// The methods of what came outside calls so far, without waiting.
    pub(crate) fn so_far(&mut self) -> Vec<String> {
        while let Ok(event) = self.outside.try_recv() {
            self.kept.push_back(event);
        }
        let method = |event: &Event| match event {
            Event::Notification(message) => message.method().to_owned(),
            Event::Request(request) => request.message.method().to_owned(),
            _ => "?".to_owned(),
        };
        self.kept.iter().map(method).collect()
    }

    /// Waits for such an event; keeps the others.
    async fn find(&mut self, what: &str, is: impl Fn(&Event) -> bool) -> Event {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.kept.iter().position(&is) {
                return self.kept.remove(at).unwrap();
            }
            match tokio::time::timeout_at(deadline, self.outside.recv()).await {
                Ok(Some(event)) => self.kept.push_back(event),
                _ => panic!("waited in vain for {what}; there is {:?}", self.so_far()),
            }
        }
    }
}

/// Reads a reply to its end.
pub(crate) async fn read(mut reply: Reply) -> Result<Heard, CallError> {
    let mut heard =
        Heard { streamed: reply.streamed, notifications: Vec::new(), response: Value::Null };
    while let Some(event) = reply.next().await {
        match event {
            Event::Notification(message) => heard.notifications.push(json_of(&message)),
            Event::Request(request) => answer(request, json!({"answered": true})).await,
            Event::Paused => {}
            Event::InputRequired(asked) => heard.response = json_of(&asked.raw),
            Event::Response(Response::Whole(message)) => heard.response = json_of(&message),
            Event::Response(Response::Made(result)) => {
                heard.response =
                    json!({"result": serde_json::from_slice::<Value>(&result).unwrap()});
            }
            Event::Response(Response::Parts(mut parts)) => {
                let mut whole = Vec::new();
                while let Some(piece) = parts.next().await {
                    match piece? {
                        Piece::Bytes(bytes) => whole.extend_from_slice(&bytes),
                        Piece::Id(_) => whole.push(b'1'),
                    }
                }
                heard.response = serde_json::from_slice(&whole).unwrap();
            }
            Event::Failed(error) => return Err(error),
        }
    }
    Ok(heard)
}

/// Answers a request of a backend.
pub(crate) async fn answer(request: PeerRequest, result: Value) {
    let id = request.message.id().unwrap();
    let bytes = rpc::success(&id, result.to_string().as_bytes());
    request.answer(&Message::parse(bytes, &Limits::default()).unwrap()).await;
}

pub(crate) fn json_of(message: &Message) -> Value {
    serde_json::from_slice(message.bytes()).unwrap()
}

/// A backend on a socket.
pub(crate) fn http(id: &str, backend: &Backend) -> BackendTarget {
    at(id, &backend.url())
}

/// A backend at a URL.
pub(crate) fn at(id: &str, url: &str) -> BackendTarget {
    let url = SafeUrl::from(url::Url::parse(url).unwrap());
    BackendTarget::new(id, Endpoint::StreamableHttp { url })
}

/// A backend that is a child process.
pub(crate) fn child(id: &str, args: &[&str]) -> BackendTarget {
    let command = stdio_peer().unwrap().to_string_lossy().into_owned();
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    BackendTarget::new(
        id,
        Endpoint::Stdio(StdioCommand { command, args, env: Vec::new(), cwd: None }),
    )
}

/// Names as they are, so that tests read like the backends.
pub(crate) fn bare() -> Config {
    let naming = Naming::Prefix { format: PrefixFormat::none() };
    Config { aggregation: Aggregation { naming, ..Aggregation::default() }, ..Config::default() }
}

pub(crate) fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object"}})
}

pub(crate) fn resource(uri: &str) -> Value {
    json!({"uri": uri, "name": uri})
}

pub(crate) fn prompt(name: &str) -> Value {
    json!({"name": name})
}
