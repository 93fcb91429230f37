//! Reads lines, answers requests, each in a task of its own.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::options::Options;
use crate::stateless::Listen;
use crate::tools;

/// The one resource.
const RESOURCE: &str = "test://stdio";

/// What the tasks have in common.
pub(crate) struct Peer {
    pub(crate) options: Options,
    /// Names of tools that were added while it ran.
    pub(crate) added: Mutex<Vec<String>>,
    /// What stateless clients listen to.
    pub(crate) listens: Mutex<Vec<Listen>>,
    subscriptions: Mutex<HashSet<String>>,
    pending: Mutex<HashMap<String, oneshot::Sender<Value>>>,
    next_ask: AtomicU64,
}

/// Serves until the input ends.
pub(crate) async fn serve(options: Options) -> io::Result<()> {
    let peer = Arc::new(Peer {
        options,
        added: Mutex::default(),
        listens: Mutex::default(),
        subscriptions: Mutex::default(),
        pending: Mutex::default(),
        next_ask: AtomicU64::new(0),
    });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut calls = JoinSet::new();
    let mut running = HashMap::new();
    while let Some(line) = lines.next_line().await? {
        peer.options.note_line(&line)?;
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        while calls.try_join_next().is_some() {}
        match (message.get("method").and_then(Value::as_str), message.get("id")) {
            (Some(_), Some(id)) => {
                let (id, peer) = (id.to_string(), Arc::clone(&peer));
                let call = calls.spawn(async move { peer.answer(message, line).await });
                running.insert(id, call);
            }
            // Sessions are served to the end: their clients see what comes too late.
            (Some("notifications/cancelled"), None) if peer.is_stateless(&message) => {
                let id = &message["params"]["requestId"];
                peer.listens.lock().retain(|listen| listen.id != *id);
                if let Some(call) = running.remove(&id.to_string()) {
                    call.abort();
                }
            }
            (None, Some(id)) => peer.answered(id, message.clone()),
            _ => {}
        }
    }
    Ok(())
}

// === impl Peer ===

impl Peer {
    async fn answer(&self, message: Value, line: String) {
        let (id, params) = (&message["id"], &message["params"]);
        let method = message["method"].as_str().unwrap_or_default();
        if method == "server/discover" && self.options.silent_probe {
            return;
        }
        if self.is_stateless(&message) {
            return self.answer_stateless(&message, &line).await;
        }
        let result = match method {
            "initialize" => Ok(self.hello(params)),
            "ping" | "logging/setLevel" => Ok(json!({})),
            "tools/list" => Ok(json!({"tools": tools::list(self)})),
            "tools/call" if self.options.tasks && params["task"].is_object() => {
                return self.task(id, params);
            }
            "tasks/result" => Ok(self.end(params)),
            "tools/call" => match tools::call(self, &message, &line).await {
                Some(result) => result,
                None => return,
            },
            "resources/list" => Ok(json!({"resources": [{"uri": RESOURCE, "name": "stdio"}]})),
            "resources/templates/list" => Ok(json!({"resourceTemplates": []})),
            "resources/read" => {
                Ok(json!({"contents": [{"uri": params["uri"], "text": "content"}]}))
            }
            "resources/subscribe" => {
                self.subscriptions.lock().insert(params["uri"].to_string());
                Ok(json!({}))
            }
            "resources/unsubscribe" => {
                self.subscriptions.lock().remove(&params["uri"].to_string());
                Ok(json!({}))
            }
            "prompts/list" => Ok(json!({"prompts": [{"name": "greet"}]})),
            "prompts/get" => {
                let content = json!({"type": "text", "text": "hello"});
                Ok(json!({"messages": [{"role": "user", "content": content}]}))
            }
            method => Err((-32601, format!("method not found: {method}"))),
        };
        self.write(&match result {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err((code, message)) => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
            }
        });
    }

    /// Makes a task of a call. Its progress is reported in the same breath as the task; its id ends with its token.
    fn task(&self, id: &Value, params: &Value) {
        let token = &params["_meta"]["progressToken"];
        let task = json!({"taskId": format!("task-{token}"), "status": "working", "ttl": null});
        self.write(&json!({"jsonrpc": "2.0", "id": id, "result": {"task": task}}));
        self.progress(token, 1);
    }

    /// Reports progress of a task once more before its result; the result.
    fn end(&self, params: &Value) -> Value {
        let task = params["taskId"].as_str().unwrap_or_default();
        let token = task.trim_start_matches("task-").parse::<u64>().unwrap_or_default();
        self.progress(&json!(token), 2);
        json!({"content": []})
    }

    fn progress(&self, token: &Value, progress: u64) {
        let params = json!({"progressToken": token, "progress": progress});
        self.notify("notifications/progress", &params);
    }

    fn hello(&self, params: &Value) -> Value {
        let revision = self.options.revision.clone().map(Value::from);
        let mut hello = json!({
            "protocolVersion": revision.unwrap_or_else(|| params["protocolVersion"].clone()),
            "capabilities": {
                "tools": {"listChanged": true},
                "resources": {"subscribe": true, "listChanged": true},
                "prompts": {},
                "logging": {},
            },
            "serverInfo": {"name": self.options.name, "version": "1.0.0"},
        });
        if self.options.tasks {
            hello["capabilities"]["tasks"] = json!({"requests": {"tools": {"call": {}}}});
        }
        hello
    }

    /// Tells about the resource, if somebody subscribed to it.
    pub(crate) fn update(&self) {
        let params = json!({"uri": RESOURCE});
        self.tell_listens("notifications/resources/updated", &params);
        if self.subscriptions.lock().contains(&json!(RESOURCE).to_string()) {
            self.notify("notifications/resources/updated", &params);
        }
    }

    pub(crate) fn notify(&self, method: &str, params: &Value) {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Asks the client and waits for its whole response.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        let id = self.next_ask.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.pending.lock().insert(id.to_string(), sender);
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        receiver.await.unwrap_or_default()
    }

    fn answered(&self, id: &Value, message: Value) {
        if let Some(waiting) = self.pending.lock().remove(&id.to_string()) {
            let _ = waiting.send(message);
        }
    }

    pub(crate) fn write(&self, message: &Value) {
        self.raw(format!("{message}\n").as_bytes());
    }

    /// Writes bytes to the output at once.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        let mut output = io::stdout().lock();
        // A reader that is gone is noticed at the end of the input.
        let _ = output.write_all(bytes).and_then(|()| output.flush());
    }
}
