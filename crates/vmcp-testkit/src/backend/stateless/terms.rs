//! What a request says of its client and of the rounds before it, and how its results are dressed.

use std::sync::atomic::AtomicUsize;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::input::{Question, Round, State};
use super::{META, Refusal};
use crate::backend::script::Script;
use crate::json::Json;

/// From the least to the most severe.
const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
/// Requests whose results a client may keep.
const CACHEABLE: [&str; 6] = [
    "server/discover",
    "tools/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
];

/// What a request of the stateless revision says of itself, and what the backend thinks of such requests.
pub(crate) struct Terms {
    pub(super) capabilities: Value,
    level: Option<String>,
    /// What of the request a state is bound to.
    pub(super) round: Round,
    /// What the state said, or the beginning.
    pub(super) state: State,
    /// What the client answers this time.
    given: Map<String, Value>,
    pub(super) presumptuous: bool,
    bare: bool,
    cache: (u64, String),
    server_info: Json,
    /// How many steps of the answer are behind a question of its code.
    pub(super) behind: AtomicUsize,
    /// How many questions the code of the answer has asked.
    pub(super) asked: AtomicUsize,
    /// The question of the code that nobody has answered; protected while it is handed over.
    pub(super) question: Mutex<Option<Question>>,
    pub(super) waits: Notify,
}

// === impl Terms ===

impl Terms {
    pub(super) fn read(script: &Script, method: &str, message: &Value) -> Result<Self, Refusal> {
        let params = &message["params"];
        let meta = |name: &str| &params["_meta"][format!("{META}{name}")];
        let level = meta("logLevel");
        if !level.is_null() && !level.as_str().is_some_and(|level| LEVELS.contains(&level)) {
            return Err(Refusal::new(-32602, "no such log level"));
        }
        let round = Round::new(method, &message["id"], params);
        let state = State::read(&params["requestState"], &round)?;
        let given = match &params["inputResponses"] {
            Value::Null => Map::new(),
            Value::Object(given) => given.clone(),
            _ => return Err(Refusal::new(-32602, "inputResponses is no object")),
        };
        Ok(Self {
            capabilities: meta("clientCapabilities").clone(),
            level: level.as_str().map(str::to_owned),
            round,
            state,
            given,
            presumptuous: script.presumptuous,
            bare: script.bare,
            cache: script.cache.clone(),
            server_info: script.server_info.clone(),
            behind: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            question: Mutex::default(),
            waits: Notify::new(),
        })
    }

    /// What the client answers this time, by key.
    pub(super) fn given(&self) -> &Map<String, Value> {
        &self.given
    }

    /// The answer to a question, of this round or one before.
    pub(super) fn answer_to(&self, key: &str) -> Option<&Value> {
        self.given.get(key).or_else(|| self.state.responses.get(key))
    }

    /// Whether the request follows no other.
    pub(crate) fn is_first(&self) -> bool {
        self.state.is_first
    }

    /// Whether the client wants to hear this during its request.
    pub(crate) fn wants(&self, method: &str, params: &Json) -> bool {
        if method != "notifications/message" {
            return true;
        }
        let rank = |level: &str| LEVELS.iter().position(|one| *one == level);
        let said = params.member("level").and_then(|level| rank(&level));
        match self.level.as_deref().and_then(rank) {
            Some(least) => said.is_none_or(|said| said >= least),
            None => false,
        }
    }

    /// A result of the script with what the revision wants in each. Its own bytes stay as they are.
    pub(crate) fn dressed(&self, method: &str, result: &Json) -> Json {
        let value = result.value();
        let Some(members) = value.as_object().filter(|_| !self.bare) else { return result.clone() };
        let kind = members.get("resultType").and_then(Value::as_str).unwrap_or("complete");
        let mut more = Vec::new();
        let mut add = |name: &str, value: String| {
            if !members.contains_key(name) {
                more.push(format!("{}:{value}", json!(name)));
            }
        };
        add("resultType", json!(kind).to_string());
        if kind == "complete" && CACHEABLE.contains(&method) {
            add("ttlMs", self.cache.0.to_string());
            add("cacheScope", json!(self.cache.1).to_string());
        }
        add("_meta", format!(r#"{{"{META}serverInfo":{}}}"#, self.server_info));
        let Some(start) = result.bytes().iter().position(|byte| *byte == b'{') else {
            return result.clone();
        };
        let comma = if members.is_empty() || more.is_empty() { "" } else { "," };
        let (before, after) = result.bytes().split_at(start + 1);
        let more = format!("{}{comma}", more.join(","));
        bytes::Bytes::from([before, more.as_bytes(), after].concat()).into()
    }
}
