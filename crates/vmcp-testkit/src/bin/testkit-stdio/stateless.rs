//! The revision without a handshake: each request says all about its client.

use serde_json::{Value, json};

use crate::peer::Peer;
use crate::tools::{self, Outcome};

const REVISION: &str = "2026-07-28";
const META: &str = "io.modelcontextprotocol/";

/// A request to be told what changes.
pub(crate) struct Listen {
    pub(crate) id: Value,
    filter: Value,
}

/// Why a request is refused: code, message and data.
type Refusal = (i64, String, Value);

// === impl Peer ===

impl Peer {
    /// Whether a message is one of this revision, or no other is spoken.
    pub(crate) fn is_stateless(&self, message: &Value) -> bool {
        let named = &message["params"]["_meta"][format!("{META}protocolVersion")];
        let is_cancelled = message["method"] == "notifications/cancelled";
        self.options.stateless || (self.options.dual && (is_cancelled || !named.is_null()))
    }

    pub(crate) async fn answer_stateless(&self, message: &Value, line: &str) {
        let id = &message["id"];
        let answer = match refusal(message) {
            Some(refusal) => Err(refusal),
            None => match self.result(message, line).await {
                Some(Ok(result)) => Ok(result),
                Some(Err((code, message))) => Err((code, message, Value::Null)),
                None => return,
            },
        };
        self.write(&match answer {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": self.dressed(result)}),
            Err((code, message, Value::Null)) => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
            }
            Err((code, message, data)) => {
                let error = json!({"code": code, "message": message, "data": data});
                json!({"jsonrpc": "2.0", "id": id, "error": error})
            }
        });
    }

    async fn result(&self, message: &Value, line: &str) -> Option<Outcome> {
        let params = &message["params"];
        Some(Ok(match message["method"].as_str().unwrap_or_default() {
            "server/discover" => json!({
                "supportedVersions": [REVISION],
                "capabilities": {
                    "tools": {"listChanged": true},
                    "resources": {"subscribe": true, "listChanged": true},
                    "prompts": {},
                    "logging": {},
                },
            }),
            "subscriptions/listen" => {
                self.listen(message);
                return None;
            }
            "tools/list" => json!({"tools": tools::list(self)}),
            "tools/call" => return self.tool(message, line).await,
            "resources/list" => json!({"resources": [{"uri": "test://stdio", "name": "stdio"}]}),
            "resources/templates/list" => json!({"resourceTemplates": []}),
            "resources/read" => {
                json!({"contents": [{"uri": params["uri"], "text": "content"}]})
            }
            "prompts/list" => json!({"prompts": [{"name": "greet"}]}),
            "prompts/get" => {
                let content = json!({"type": "text", "text": "hello"});
                json!({"messages": [{"role": "user", "content": content}]})
            }
            method => return Some(Err((-32601, format!("method not found: {method}")))),
        }))
    }

    async fn tool(&self, message: &Value, line: &str) -> Option<Outcome> {
        let params = &message["params"];
        match params["name"].as_str().unwrap_or_default() {
            name @ ("sample" | "elicit" | "roots") => Some(ask(name, params)),
            "log" if params["_meta"][format!("{META}logLevel")].is_null() => {
                Some(Ok(tools::text("spoken")))
            }
            // Not listed: it is about the connection.
            "end-listens" => {
                for listen in std::mem::take(&mut *self.listens.lock()) {
                    let tag = json!({format!("{META}subscriptionId"): listen.id});
                    let result = json!({"resultType": "complete", "_meta": tag});
                    self.write(&json!({"jsonrpc": "2.0", "id": listen.id, "result": result}));
                }
                Some(Ok(tools::text("ended")))
            }
            _ => tools::call(self, message, line).await,
        }
    }

    fn listen(&self, message: &Value) {
        let mut filter = message["params"]["notifications"].clone();
        if let Some(wishes) = filter.as_object_mut() {
            let known = ["toolsListChanged", "resourcesListChanged", "resourceSubscriptions"];
            wishes.retain(|wish, _| known.contains(&wish.as_str()));
        }
        let listen = Listen { id: message["id"].clone(), filter };
        let params = json!({"notifications": listen.filter});
        self.tell(&listen, "notifications/subscriptions/acknowledged", &params);
        self.listens.lock().push(listen);
    }

    /// Tells those that listen for it.
    pub(crate) fn tell_listens(&self, method: &str, params: &Value) {
        for listen in self.listens.lock().iter() {
            let uris = listen.filter["resourceSubscriptions"].as_array();
            let wanted = match method {
                "notifications/tools/list_changed" => listen.filter["toolsListChanged"] == true,
                _ => uris.is_some_and(|uris| uris.contains(&params["uri"])),
            };
            if wanted {
                self.tell(listen, method, params);
            }
        }
    }

    fn tell(&self, listen: &Listen, method: &str, params: &Value) {
        let mut params = params.clone();
        params["_meta"][format!("{META}subscriptionId")] = listen.id.clone();
        self.notify(method, &params);
    }

    /// A result with what the revision wants in each.
    fn dressed(&self, mut result: Value) -> Value {
        if result["resultType"].is_null() {
            result["resultType"] = json!("complete");
        }
        if result["resultType"] == "complete" && result["content"].is_null() {
            result["ttlMs"] = json!(0);
            result["cacheScope"] = json!("private");
        }
        let info = json!({"name": self.options.name, "version": "1.0.0"});
        result["_meta"][format!("{META}serverInfo")] = info;
        result
    }
}

/// Why a request cannot be answered at all.
fn refusal(message: &Value) -> Option<Refusal> {
    let params = &message["params"];
    let meta = |name: &str| &params["_meta"][format!("{META}{name}")];
    let requested = match message["method"].as_str() {
        Some("initialize") => &params["protocolVersion"],
        _ => meta("protocolVersion"),
    };
    if !requested.is_string() {
        return Some((-32602, "_meta says no protocol version".to_owned(), Value::Null));
    }
    if meta("protocolVersion") != REVISION {
        let data = json!({"supported": [REVISION], "requested": requested});
        return Some((-32022, "unsupported protocol version".to_owned(), data));
    }
    if !meta("clientCapabilities").is_object() {
        return Some((-32602, "_meta says no capabilities".to_owned(), Value::Null));
    }
    let capability = match params["name"].as_str().filter(|_| message["method"] == "tools/call") {
        Some("sample") => "sampling",
        Some("elicit") => "elicitation",
        Some("roots") => "roots",
        _ => return None,
    };
    let declared = meta("clientCapabilities")[capability].is_object();
    let data = json!({"requiredCapabilities": {capability: {}}});
    (!declared).then(|| (-32021, format!("this needs the capability {capability}"), data))
}

/// Asks by the answer, or answers with what the client said.
fn ask(name: &str, params: &Value) -> Outcome {
    let state = format!("asked by {name}");
    match &params["requestState"] {
        Value::Null => {
            let (method, asked) = tools::question(name);
            let requests = json!({"answer": {"method": method, "params": asked}});
            let kind = "input_required";
            Ok(json!({"resultType": kind, "inputRequests": requests, "requestState": state}))
        }
        given if *given == state => {
            let answer = json!({"result": params["inputResponses"]["answer"]});
            Ok(tools::text(&answer.to_string()))
        }
        _ => Err((-32602, "invalid requestState".to_owned())),
    }
}
