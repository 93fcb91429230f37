//! What the client answers when a server asks, and where it writes down what reached it.

use std::sync::Arc;

use parking_lot::Mutex;
use rmcp::RoleClient;
use rmcp::model::{
    ClientConfig, ClientResult, CreateMessageResult, ElicitResult, EmptyResult, ErrorData,
    ListRootsResult, ServerNotification, ServerRequest,
};
use rmcp::service::{NotificationContext, RequestContext, Service};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

/// The root that the client has.
pub(crate) const ROOT: &str = "file:///e2e/root";

/// Everything that reached the client, and whoever waits for it.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Inner>);

#[derive(Default)]
struct Inner {
    notifications: Mutex<Vec<Value>>,
    changed: Notify,
}

/// The client's side of the conversation.
pub(crate) struct Client {
    pub(crate) heard: Heard,
}

// === impl Heard ===

impl Heard {
    pub(crate) fn note(&self, notification: &ServerNotification) {
        self.0.notifications.lock().push(serde_json::to_value(notification).unwrap_or_default());
        self.0.changed.notify_waiters();
    }

    /// The parameters of all notifications of a method, in their order.
    pub(crate) fn of(&self, method: &str) -> Vec<Value> {
        let all = self.0.notifications.lock();
        all.iter().filter(|one| one["method"] == method).map(|one| one["params"].clone()).collect()
    }

    /// Waits for this many notifications of a method.
    pub(crate) async fn until(&self, method: &str, count: usize) {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.of(method).len() >= count {
                return;
            }
            changed.await;
        }
    }
}

// === impl Client ===

impl Service<RoleClient> for Client {
    async fn handle_request(
        &self,
        request: ServerRequest,
        _: RequestContext<RoleClient>,
    ) -> Result<ClientResult, ErrorData> {
        let asked = serde_json::to_value(&request).unwrap_or_default();
        match asked["method"].as_str().unwrap_or_default() {
            "sampling/createMessage" => {
                let content = json!({"type": "text", "text": "sampled by the client"});
                typed::<CreateMessageResult>(
                    json!({"role": "assistant", "model": "e2e", "content": content}),
                )
                .map(ClientResult::from)
            }
            "elicitation/create" => {
                let content = filled(&asked["params"]["requestedSchema"]["properties"]);
                typed::<ElicitResult>(json!({"action": "accept", "content": content}))
                    .map(ClientResult::from)
            }
            "roots/list" => {
                typed::<ListRootsResult>(json!({"roots": [{"uri": ROOT, "name": "e2e"}]}))
                    .map(ClientResult::from)
            }
            _ => Ok(ClientResult::from(EmptyResult {})),
        }
    }

    async fn handle_notification(
        &self,
        notification: ServerNotification,
        _: NotificationContext<RoleClient>,
    ) -> Result<(), ErrorData> {
        self.heard.note(&notification);
        Ok(())
    }

    fn get_info(&self) -> ClientConfig {
        let info = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"sampling": {}, "elicitation": {}, "roots": {"listChanged": true}},
            "clientInfo": {"name": "e2e-rmcp", "version": "1.0.0"},
        });
        typed(info).unwrap_or_default()
    }
}

/// Something acceptable for each simple field of a form.
fn filled(fields: &Value) -> Value {
    let fields = fields.as_object().cloned().unwrap_or_default();
    let answer = |field: &Value| match field["type"].as_str() {
        Some("string") if field["format"].is_null() => {
            let first = field["enum"].get(0).or_else(|| field["oneOf"].get(0)?.get("const"));
            Some(first.cloned().unwrap_or_else(|| json!("word")))
        }
        Some("integer") => Some(json!(30)),
        Some("number") => Some(json!(0.5)),
        Some("boolean") => Some(json!(true)),
        _ => None,
    };
    let content = fields.iter().filter_map(|(name, field)| Some((name.clone(), answer(field)?)));
    Value::Object(content.collect::<Map<_, _>>())
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}
