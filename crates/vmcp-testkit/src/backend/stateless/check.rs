//! What is checked before anything is answered, in the order in which it is.

use http::HeaderMap;
use serde_json::{Value, json};

use super::{META, METHODS, REVISION, header, supported};
use crate::backend::script::Script;
use crate::json::Json;

/// Why a request is not answered.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    code: i64,
    message: String,
    data: Option<Value>,
}

// === impl Refusal ===

impl Refusal {
    /// One with the status 400.
    pub(crate) fn new(code: i64, message: &str) -> Self {
        Self { status: 400, code, message: message.to_owned(), data: None }
    }

    /// Headers and body differ.
    pub(crate) fn mismatch(message: impl Into<String>) -> Self {
        Self { status: 400, code: -32020, message: message.into(), data: None }
    }

    pub(super) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn error(&self) -> Json {
        match &self.data {
            Some(data) => json!({"code": self.code, "message": self.message, "data": data}).into(),
            None => json!({"code": self.code, "message": self.message}).into(),
        }
    }
}

/// Checks a request: that it says what it must, in headers and body alike, and asks for something that there is.
pub(super) fn request(
    script: &Script,
    method: &str,
    message: &Value,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let meta = &message["params"]["_meta"];
    let requested = &meta[format!("{META}protocolVersion")];
    if method == "initialize" && requested.is_null() {
        // Its clients cannot know better: the error is all that they can show.
        return Err(unsupported(script, &message["params"]["protocolVersion"]));
    }
    let named = header::single(headers, "mcp-protocol-version")?;
    let Some(requested) = requested.as_str() else {
        return Err(Refusal::new(-32602, "_meta says no protocol version"));
    };
    if named.is_none_or(|named| named != requested) {
        return Err(Refusal::mismatch("the header mcp-protocol-version and the body differ"));
    }
    let spoken = script.revision.as_deref().unwrap_or(REVISION);
    if requested != spoken {
        return Err(unsupported(script, &requested.into()));
    }
    if !meta[format!("{META}clientCapabilities")].is_object() {
        return Err(Refusal::new(-32602, "_meta says no capabilities"));
    }
    let info = &meta[format!("{META}clientInfo")];
    if !info.is_null() && !info["name"].is_string() {
        return Err(Refusal::new(-32602, "the client's name is no string"));
    }
    header::standard(headers, method, &message["params"])?;
    if !METHODS.contains(&method) && !script.overrides.contains_key(method) {
        let message = format!("method not found: {method}");
        return Err(Refusal { status: 404, code: -32601, message, data: None });
    }
    if method == "tools/call" {
        let name = message["params"]["name"].as_str().unwrap_or_default();
        if let Some(tool) = script.tools.iter().find(|tool| tool.key == name) {
            let arguments = &message["params"]["arguments"];
            header::params(headers, &tool.raw.value()["inputSchema"], arguments)?;
        }
    }
    Ok(())
}

fn unsupported(script: &Script, requested: &Value) -> Refusal {
    let data = json!({"supported": supported(script), "requested": requested});
    let message = "unsupported protocol version".to_owned();
    Refusal { status: 400, code: -32022, message, data: Some(data) }
}
