//! What the tests have in common: targets, sessions, and replies read to their end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;
use vmcp_auth::{Caller, OutgoingAuthRegistry};
use vmcp_backend::{
    BackendTarget, Call, CallError, ClientHello, ConnectError, Connector, Endpoint, Event, Outside,
    Reply, Response, Session, Sink, StdioCommand,
};
use vmcp_config::SafeUrl;
use vmcp_net::Client;
use vmcp_testkit::{Answer, Backend, Builder, stdio_peer};
use vmcp_wire::revision::Revision;
use vmcp_wire::{Message, Piece};

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn connector() -> Connector {
    Connector::new(Client::new(), OutgoingAuthRegistry::new())
}

pub(crate) fn hello() -> ClientHello {
    ClientHello {
        revision: Revision::LATEST_HANDSHAKE,
        capabilities: Bytes::from_static(br#"{"roots":{"listChanged":true}}"#),
        client_info: Bytes::from_static(br#"{"name":"rig","version":"1.0"}"#),
    }
}

pub(crate) fn url(text: &str) -> SafeUrl {
    SafeUrl::from(url::Url::parse(text).unwrap())
}

pub(crate) fn streamable(at: &str) -> BackendTarget {
    BackendTarget::new("b", Endpoint::StreamableHttp { url: url(at) })
}

/// A child process of the testkit.
pub(crate) fn child(args: &[&str]) -> BackendTarget {
    let path = stdio_peer().unwrap();
    assert!(path.exists(), "build it first: cargo build -p vmcp-testkit");
    command(&path.to_string_lossy(), args)
}

pub(crate) fn command(program: &str, args: &[&str]) -> BackendTarget {
    let command = StdioCommand {
        command: program.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: Vec::new(),
        cwd: None,
    };
    BackendTarget::new("b", Endpoint::Stdio(command))
}

/// What a session says outside calls.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Inner>);

#[derive(Default)]
struct Inner {
    items: Mutex<Vec<Outside>>,
    changed: Notify,
}

impl Heard {
    pub(crate) fn sink(&self) -> Sink {
        let inner = Arc::clone(&self.0);
        Arc::new(move |outside| {
            inner.items.lock().push(outside);
            inner.changed.notify_waiters();
        })
    }

    /// Takes the first thing that `pick` takes, waiting for it.
    pub(crate) async fn take<T>(
        &self,
        pick: impl Fn(&Outside) -> bool,
        give: impl FnOnce(Outside) -> T,
    ) -> T {
        let waiting = async {
            loop {
                let mut changed = std::pin::pin!(self.0.changed.notified());
                changed.as_mut().enable();
                {
                    let mut items = self.0.items.lock();
                    if let Some(at) = items.iter().position(&pick) {
                        return items.remove(at);
                    }
                }
                changed.await;
            }
        };
        give(tokio::time::timeout(PATIENCE, waiting).await.unwrap())
    }

    /// Waits for a notification.
    pub(crate) async fn notification(&self, method: &str) -> Value {
        self.take(
            |outside| matches!(outside, Outside::Notification(message) if message.method() == method),
            |outside| match outside {
                Outside::Notification(message) => value(&message),
                _ => Value::Null,
            },
        )
        .await
    }

    pub(crate) async fn lost(&self) {
        self.take(|outside| matches!(outside, Outside::Lost), drop).await;
    }

    pub(crate) fn count(&self) -> usize {
        self.0.items.lock().len()
    }
}

pub(crate) async fn try_open(target: BackendTarget) -> Result<Session, ConnectError> {
    connector().open(&Arc::new(target), Caller::default(), hello(), None).await
}

pub(crate) async fn open(target: BackendTarget) -> Session {
    try_open(target).await.unwrap()
}

pub(crate) async fn open_heard(target: BackendTarget) -> (Session, Heard) {
    let heard = Heard::default();
    let session = connector()
        .open(&Arc::new(target), Caller::default(), hello(), Some(heard.sink()))
        .await
        .unwrap();
    (session, heard)
}

/// A backend with one tool `t`.
pub(crate) fn with_tool(answer: Answer) -> Builder {
    Backend::builder().tool(tool("t"), answer)
}

/// A started backend with one tool `t`, and a session with it.
pub(crate) async fn pair(answer: Answer) -> (Backend, Session) {
    let backend = with_tool(answer).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    (backend, session)
}

pub(crate) fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object"}})
}

pub(crate) fn call(params: &Value) -> Call {
    Call::new("tools/call", Some(params.to_string().into()))
}

/// A call of the tool `t`.
pub(crate) fn t() -> Call {
    call(&json!({"name": "t", "arguments": {}}))
}

pub(crate) fn value(message: &Message) -> Value {
    serde_json::from_slice(message.bytes()).unwrap()
}

/// Everything that came back from one call.
#[derive(Debug, Default)]
pub(crate) struct All {
    pub(crate) notifications: Vec<Value>,
    pub(crate) response: Value,
    pub(crate) error: Option<CallError>,
}

/// Reads a reply to its end; requests of the backend are answered with `answer`.
pub(crate) async fn read(mut reply: Reply, answer: &Value) -> All {
    let mut all = All::default();
    while let Some(event) = reply.next().await {
        match event {
            Event::Notification(message) => all.notifications.push(value(&message)),
            Event::Request(request) => {
                let text = json!({"jsonrpc": "2.0", "id": "client's", "result": answer});
                let message =
                    Message::parse(text.to_string().into(), &vmcp_wire::Limits::default()).unwrap();
                request.answer(&message).await;
            }
            Event::Paused => {}
            Event::InputRequired(asked) => all.response = value(&asked.raw),
            Event::Failed(error) => all.error = Some(error),
            Event::Response(Response::Whole(message)) => all.response = value(&message),
            Event::Response(Response::Made(result)) => {
                all.response = serde_json::from_slice(&result).unwrap();
            }
            Event::Response(Response::Parts(mut parts)) => {
                let mut text = Vec::new();
                while let Some(piece) = parts.next().await {
                    match piece {
                        Ok(Piece::Bytes(bytes)) => text.extend_from_slice(&bytes),
                        Ok(Piece::Id(id)) => text.extend_from_slice(id.as_bytes()),
                        Err(error) => all.error = Some(error),
                    }
                }
                if all.error.is_none() {
                    all.response = serde_json::from_slice(&text).unwrap();
                }
            }
        }
    }
    all
}

/// Makes a call and reads its reply to its end.
pub(crate) async fn run(session: &Session, call: Call) -> All {
    match session.forward(call).await {
        Ok(reply) => read(reply, &json!({})).await,
        Err(error) => All { error: Some(error), ..All::default() },
    }
}

/// Makes a call that must fail.
pub(crate) async fn failure(session: &Session, call: Call) -> CallError {
    let all = run(session, call).await;
    all.error.unwrap_or_else(|| panic!("no failure but {}", all.response))
}

/// The text of a tool's result.
pub(crate) fn text(all: &All) -> &str {
    all.response["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{all:?}"))
}
