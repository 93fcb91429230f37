//! An MCP server on a real loopback socket that does exactly what it is told and records all it hears.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::answer::Answer;
use crate::gate::Gate;
use crate::json::Json;
use crate::record::{Recorded, Recorder};
use crate::tasks::Tasks;

mod builder;
mod http;
mod listen;
pub(crate) mod perform;
pub(crate) mod rpc;
mod script;
mod server;
pub(crate) mod session;
pub(crate) mod stateless;
pub(crate) mod stream;

pub use builder::Builder;
pub use script::{Era, Listing, Transport};

use listen::Listen;
use script::{Item, Script};
use session::Session;

/// A running backend; it and its connections end when it is dropped.
pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the connections of one backend have in common.
pub(crate) struct Shared {
    /// Protects what may be changed while the backend runs; held for look-ups.
    pub(crate) script: Mutex<Script>,
    pub(crate) recorder: Arc<Recorder>,
    /// Protects the table of live sessions.
    pub(crate) sessions: Mutex<HashMap<String, Arc<Session>>>,
    /// Protects what stateless clients listen to.
    pub(crate) listens: Mutex<Vec<Arc<Listen>>>,
    /// What those who begin to listen have to pass before they are told so.
    pub(crate) listen_gate: Mutex<Option<Gate>>,
    pub(crate) tasks: Tasks,
    pub(crate) next: AtomicU64,
}

// === impl Backend ===

impl Backend {
    /// A backend with nothing in it.
    pub fn builder() -> Builder {
        Builder::default()
    }

    async fn start(script: Script, port: Option<u16>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await?;
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            recorder: Arc::new(Recorder::new()),
            sessions: Mutex::default(),
            listens: Mutex::default(),
            listen_gate: Mutex::default(),
            tasks: Tasks::default(),
            next: AtomicU64::new(1),
        });
        let backend = Self { address: listener.local_addr()?, shared };
        backend.listen(listener);
        Ok(backend)
    }

    fn listen(&self, listener: TcpListener) {
        self.shared.tasks.spawn(server::accept(listener, Arc::clone(&self.shared)));
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that a client is given.
    pub fn url(&self) -> String {
        let script = self.shared.script.lock();
        let path = match script.transport {
            Transport::HttpSse => "/sse",
            _ => script.path.as_str(),
        };
        format!("http://{}{path}", self.address)
    }
}

/// What it heard.
impl Backend {
    /// All HTTP requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.recorder.requests()
    }

    /// The requests with this JSON-RPC method (or `GET`, `DELETE`), in order of arrival.
    pub fn heard(&self, method: &str) -> Vec<Recorded> {
        self.requests().into_iter().filter(|request| request.is(method)).collect()
    }

    /// How many requests had this JSON-RPC method (or `GET`, `DELETE`).
    pub fn count(&self, method: &str) -> usize {
        self.shared.recorder.count(method)
    }

    /// The ledger: the params of each `tools/call` that ran, in the order in which they began to.
    ///
    /// A call runs when its tool's answer is given in MCP, whatever becomes of the answer on its way, and where the
    /// answer says that it [does](Answer::executes). One that is answered by an HTTP status did not run otherwise.
    pub fn executions(&self) -> Vec<Value> {
        self.shared.recorder.executions()
    }

    /// How many TCP connections were accepted.
    pub fn connections(&self) -> u64 {
        self.shared.recorder.connections()
    }

    /// What clients answered to requests of this backend: whole messages.
    pub fn replies(&self) -> Vec<Value> {
        self.shared.recorder.replies()
    }

    /// The requests whose client went away before the answer was complete.
    pub fn abandoned(&self) -> Vec<Recorded> {
        self.shared.recorder.abandoned()
    }

    /// The ids of the live sessions.
    pub fn sessions(&self) -> Vec<String> {
        self.shared.sessions.lock().keys().cloned().collect()
    }

    /// How many sessions have a stream open for messages outside any call, and stateless clients listen.
    pub fn listeners(&self) -> usize {
        let sessions = self.shared.all_sessions();
        sessions.iter().filter(|session| session.listens()).count() + self.shared.listens().len()
    }

    /// Waits until this method was heard so often.
    pub async fn wait_for(&self, method: &str, count: usize) -> io::Result<()> {
        let recorder = &self.shared.recorder;
        recorder.until(&format!("{count} x {method}"), || recorder.count(method) >= count).await
    }

    /// Waits until so many sessions and stateless clients listen.
    pub async fn wait_listeners(&self, count: usize) -> io::Result<()> {
        self.shared.recorder.until("listeners", || self.listeners() >= count).await
    }

    /// Waits until so many requests were abandoned.
    pub async fn wait_abandoned(&self, count: usize) -> io::Result<()> {
        let recorder = &self.shared.recorder;
        recorder.until("abandoned requests", || recorder.abandoned().len() >= count).await
    }
}

/// What it says on its own.
impl Backend {
    /// Sends a notification outside any call to each listening session, and to stateless clients that listen for it;
    /// says to how many.
    pub async fn notify(&self, method: &str, params: impl Into<Json>) -> usize {
        let params = params.into();
        let message = rpc::notification(method, &params);
        let mut reached = self.shared.tell_listens(method, &params).await;
        for session in self.shared.all_sessions() {
            reached += usize::from(session.outside(message.clone()).await);
        }
        reached
    }

    /// Sends `notifications/{kind}/list_changed`; `kind` is `tools`, `resources` or `prompts`.
    pub async fn list_changed(&self, kind: &str) -> usize {
        self.notify(&format!("notifications/{kind}/list_changed"), "{}").await
    }

    /// Tells the subscribed sessions and stateless clients that a resource changed; says how many there were.
    pub async fn resource_updated(&self, uri: &str) -> usize {
        const METHOD: &str = "notifications/resources/updated";
        let params = Json::from(serde_json::json!({"uri": uri}));
        let message = rpc::notification(METHOD, &params);
        let mut reached = self.shared.tell_listens(METHOD, &params).await;
        for session in self.shared.all_sessions() {
            let subscribed = session.subscriptions.lock().contains(uri);
            if subscribed {
                reached += usize::from(session.outside(message.clone()).await);
            }
        }
        reached
    }

    /// Asks the clients of all listening sessions outside any call; gives their whole responses.
    pub async fn ask(&self, method: &str, params: impl Into<Json>) -> Vec<Value> {
        let params = params.into();
        let mut replies = Vec::new();
        for session in self.shared.all_sessions() {
            if let Some(listener) = session.listener() {
                replies.push(session.ask(&listener, method, &params).await);
            }
        }
        replies
    }
}

/// What changes while it runs. Nothing of it is announced: see [`Backend::list_changed`].
impl Backend {
    /// Adds a tool, or replaces the one of that name.
    pub fn set_tool(&self, tool: impl Into<Json>, answer: Answer) {
        put(&mut self.shared.script.lock().tools, Item::new("name", tool.into(), answer));
    }

    /// Takes a tool away.
    pub fn remove_tool(&self, name: &str) {
        self.shared.script.lock().tools.retain(|tool| tool.key != name);
    }

    /// Adds a resource, or replaces the one of that uri.
    pub fn set_resource(&self, resource: impl Into<Json>, answer: Answer) {
        put(&mut self.shared.script.lock().resources, Item::new("uri", resource.into(), answer));
    }

    /// Takes a resource away.
    pub fn remove_resource(&self, uri: &str) {
        self.shared.script.lock().resources.retain(|resource| resource.key != uri);
    }

    /// Adds a resource template, or replaces the one of that text.
    pub fn set_template(&self, template: impl Into<Json>, answer: Answer) {
        let item = Item::new("uriTemplate", template.into(), answer);
        put(&mut self.shared.script.lock().templates, item);
    }

    /// Takes a resource template away.
    pub fn remove_template(&self, text: &str) {
        self.shared.script.lock().templates.retain(|template| template.key != text);
    }

    /// Adds a prompt, or replaces the one of that name.
    pub fn set_prompt(&self, prompt: impl Into<Json>, answer: Answer) {
        put(&mut self.shared.script.lock().prompts, Item::new("name", prompt.into(), answer));
    }

    /// Takes a prompt away.
    pub fn remove_prompt(&self, name: &str) {
        self.shared.script.lock().prompts.retain(|prompt| prompt.key != name);
    }

    /// Another answer to a method: a JSON-RPC method, or `GET`, `DELETE`. `None` takes it away.
    pub fn on(&self, method: &str, answer: impl Into<Option<Answer>>) {
        let mut script = self.shared.script.lock();
        match answer.into() {
            Some(answer) => script.overrides.insert(method.to_owned(), answer),
            None => script.overrides.remove(method),
        };
    }

    /// One answer to every HTTP request from now on, whatever it is: `Answer::never()` is a black hole,
    /// `Answer::html(502)` a proxy without its server. `None` ends it.
    pub fn every(&self, answer: impl Into<Option<Answer>>) {
        self.shared.script.lock().every = answer.into();
    }

    /// Forgets all sessions, as a restarted server does. Their streams end.
    pub fn forget_sessions(&self) {
        self.shared.sessions.lock().clear();
    }

    /// Speaks the revisions of this family from now on, as after an upgrade. Sessions stay, unless they are
    /// [forgotten](Self::forget_sessions).
    pub fn set_era(&self, era: Era) {
        self.shared.script.lock().era = era;
    }

    /// Stops listening and closes all connections.
    pub async fn down(&self) {
        self.shared.tasks.clear().await;
    }

    /// Listens again, on the same port.
    pub async fn up(&self) -> io::Result<()> {
        self.listen(TcpListener::bind(self.address).await?);
        Ok(())
    }

    /// Goes down, forgets all sessions, and comes up again on the same port.
    pub async fn restart(&self) -> io::Result<()> {
        self.down().await;
        self.forget_sessions();
        self.up().await
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // The tasks hold `Shared`, which holds the tasks.
        self.shared.tasks.abort();
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn all_sessions(&self) -> Vec<Arc<Session>> {
        self.sessions.lock().values().cloned().collect()
    }
}

/// Adds an item, or replaces the one of its key.
fn put(items: &mut Vec<Item>, item: Item) {
    items.retain(|other| other.key != item.key);
    items.push(item);
}
