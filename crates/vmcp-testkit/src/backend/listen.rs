//! `subscriptions/listen`: a request whose answer is a stream of what changes.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::backend::http::{Exchange, QUEUE, Served};
use crate::backend::session::Session;
use crate::backend::stateless::META;
use crate::backend::stream::{Outlet, Stream};
use crate::backend::{Backend, Shared, rpc};
use crate::call::Call;
use crate::gate::Gate;
use crate::json::Json;

/// One client that listens.
pub(crate) struct Listen {
    /// The id of its request, as it was spelled.
    id: String,
    /// What of its wishes is honoured.
    filter: Value,
    stream: Arc<Stream>,
}

/// The notifications that are listened for, and the filter's word for each.
const LISTS: [(&str, &str); 3] = [
    ("notifications/tools/list_changed", "toolsListChanged"),
    ("notifications/prompts/list_changed", "promptsListChanged"),
    ("notifications/resources/list_changed", "resourcesListChanged"),
];

/// What becomes of the stateless clients that listen.
impl Backend {
    /// What is honoured of the wishes of each client that listens, oldest first.
    pub fn listens(&self) -> Vec<Value> {
        self.shared.listens().iter().map(|listen| listen.filter.clone()).collect()
    }

    /// Waits until what clients listen for is so.
    pub async fn wait_listens(&self, holds: impl Fn(&[Value]) -> bool) -> std::io::Result<()> {
        self.shared.recorder.until("listens", || holds(&self.listens())).await
    }

    /// Who begins to listen from now on is told so when the gate is open.
    pub fn hold_listens(&self, gate: &Gate) {
        *self.shared.listen_gate.lock() = Some(gate.clone());
    }

    /// Sends a notification to each client that listens, whether it wants it or not; says to how many.
    pub async fn tell_anyway(&self, method: &str, params: impl Into<Json>) -> usize {
        let params = params.into();
        let listens = self.shared.listens();
        for listen in &listens {
            listen.tell(method, &params).await;
        }
        listens.len()
    }

    /// Answers each request to listen, which ends its stream; says how many there were.
    pub async fn end_listens(&self) -> usize {
        let listens = std::mem::take(&mut *self.shared.listens.lock());
        for listen in &listens {
            let result = format!(
                r#"{{"resultType":"complete","_meta":{{"{META}subscriptionId":{}}}}}"#,
                listen.id
            );
            listen.stream.message(rpc::success(&listen.id, &result.into())).await;
            listen.stream.close(None).await;
        }
        listens.len()
    }

    /// Breaks the connection of each client that listens; says how many there were.
    pub async fn break_listens(&self) -> usize {
        let listens = std::mem::take(&mut *self.shared.listens.lock());
        for listen in &listens {
            listen.stream.break_off().await;
        }
        listens.len()
    }
}

// === impl Exchange ===

impl Exchange {
    /// Opens a stream and says what of the wishes is honoured.
    pub(crate) fn open_listen(self, session: &Session, call: &Call) -> Served {
        let shared = Arc::clone(&self.shared);
        let wishes = call.params()["notifications"].take();
        let capabilities = shared.script.lock().capabilities().value();
        let (sender, pieces) = mpsc::channel(QUEUE);
        let stream = shared.stream(session, true, Outlet { sender, budget: None });
        let filter = honoured(&wishes, &capabilities);
        let id = call.id().unwrap_or_default();
        let listen = Arc::new(Listen { id, filter: filter.clone(), stream });
        shared.tasks.spawn({
            let shared = Arc::clone(&shared);
            async move {
                let gate = shared.listen_gate.lock().clone();
                if let Some(gate) = gate {
                    gate.pass().await;
                }
                let params = json!({"notifications": filter}).into();
                listen.tell("notifications/subscriptions/acknowledged", &params).await;
                // Only now, so that nothing can come before it.
                shared.listens.lock().push(listen);
                shared.recorder.touch();
            }
        });
        Ok(self.event_stream(pieces))
    }
}

/// The wishes that the backend can fulfil.
fn honoured(wishes: &Value, capabilities: &Value) -> Value {
    let mut filter = Map::new();
    for (_, word) in LISTS {
        let kind = word.trim_end_matches("ListChanged");
        if wishes[word] == true && capabilities[kind]["listChanged"] == true {
            filter.insert(word.to_owned(), true.into());
        }
    }
    if wishes["resourceSubscriptions"].is_array() && capabilities["resources"]["subscribe"] == true
    {
        filter.insert("resourceSubscriptions".to_owned(), wishes["resourceSubscriptions"].clone());
    }
    // Only a client that can follow tasks may ask for them.
    let extensions = &capabilities["extensions"];
    if wishes["taskIds"].is_array() && extensions.get("io.modelcontextprotocol/tasks").is_some() {
        filter.insert("taskIds".to_owned(), wishes["taskIds"].clone());
    }
    filter.into()
}

// === impl Listen ===

impl Listen {
    fn wants(&self, method: &str, params: &Value) -> bool {
        if let Some((_, word)) = LISTS.iter().find(|(list, _)| *list == method) {
            return self.filter[word] == true;
        }
        if method == "notifications/tasks" {
            let tasks = self.filter["taskIds"].as_array();
            return tasks.is_some_and(|tasks| tasks.contains(&params["taskId"]));
        }
        let uris = self.filter["resourceSubscriptions"].as_array();
        method == "notifications/resources/updated"
            && uris.is_some_and(|uris| uris.contains(&params["uri"]))
    }

    async fn tell(&self, method: &str, params: &Json) {
        self.stream.message(self.tagged(method, params)).await;
    }

    /// A notification that says for whom it is.
    fn tagged(&self, method: &str, params: &Json) -> Bytes {
        let mut params = params.value();
        let id = serde_json::from_str(&self.id).unwrap_or(Value::Null);
        if params.is_null() {
            params = json!({});
        }
        params["_meta"][format!("{META}subscriptionId")] = id;
        rpc::notification(method, &params.into())
    }
}

// === impl Shared ===

impl Shared {
    /// The clients that still listen.
    pub(crate) fn listens(&self) -> Vec<Arc<Listen>> {
        let mut listens = self.listens.lock();
        listens.retain(|listen| listen.stream.carried());
        listens.clone()
    }

    /// Tells those that listen for it; says how many did.
    pub(crate) async fn tell_listens(&self, method: &str, params: &Json) -> usize {
        let mut reached = 0;
        let value = params.value();
        for listen in self.listens().iter().filter(|listen| listen.wants(method, &value)) {
            listen.tell(method, params).await;
            reached += 1;
        }
        reached
    }
}
