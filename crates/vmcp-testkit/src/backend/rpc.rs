//! JSON-RPC text, and what a backend answers when its script says nothing else.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::answer::{Answer, End};
use crate::backend::script::{Item, Listing, Script};
use crate::backend::stateless;
use crate::call::Call;
use crate::json::Json;

pub(crate) fn request(id: &str, method: &str, params: &Json) -> Bytes {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{},"params":{params}}}"#, json!(method)).into()
}

pub(crate) fn notification(method: &str, params: &Json) -> Bytes {
    format!(r#"{{"jsonrpc":"2.0","method":{},"params":{params}}}"#, json!(method)).into()
}

pub(crate) fn success(id: &str, result: &Json) -> Bytes {
    joined(&[br#"{"jsonrpc":"2.0","id":"#, id.as_bytes(), br#","result":"#, result.bytes(), b"}"])
}

pub(crate) fn failure(id: &str, error: &Json) -> Bytes {
    joined(&[br#"{"jsonrpc":"2.0","id":"#, id.as_bytes(), br#","error":"#, error.bytes(), b"}"])
}

/// The parts of a result around a text that is made while it is sent.
pub(crate) fn around_text(id: &str) -> (Bytes, Bytes) {
    let before =
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":""#);
    (before.into(), Bytes::from_static(br#""}]}}"#))
}

// Scripts may contain bytes that are no UTF-8, so that messages are joined as bytes.
fn joined(parts: &[&[u8]]) -> Bytes {
    parts.concat().into()
}

/// What the script has for a call, what counts most first. Looked up under the script's lock, so that nothing of the
/// test's own code runs here.
pub(crate) fn layers(script: &Script, call: &Call) -> Vec<Answer> {
    let mut layers: Vec<Answer> = script.overrides.get(&call.method).cloned().into_iter().collect();
    usual(script, call, &mut layers);
    layers
}

/// The first layer that does not leave its end to the next one; the steps of those before it come first.
pub(crate) fn settle(layers: Vec<Answer>, call: &Call) -> Answer {
    let mut settled = Answer::usual();
    for layer in layers {
        let next = layer.resolve(call);
        settled.steps.extend(next.steps);
        settled.cut = settled.cut.or(next.cut);
        settled.end = next.end;
        if !matches!(settled.end, End::Usual) {
            break;
        }
    }
    settled
}

fn usual(script: &Script, call: &Call, layers: &mut Vec<Answer>) {
    let params = call.params();
    let text = |name: &str| params[name].as_str().unwrap_or_default().to_owned();
    let last = match call.method.as_str() {
        "initialize" => Answer::result(hello(script, &text("protocolVersion"))),
        "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => {
            Answer::result(json!({}))
        }
        "server/discover" if call.stateless.is_some() => {
            Answer::result(stateless::discover(script))
        }
        "tools/list" => list("tools", &script.tools, script.listing, &params),
        "resources/list" => list("resources", &script.resources, script.listing, &params),
        "resources/templates/list" => {
            list("resourceTemplates", &script.templates, script.listing, &params)
        }
        "prompts/list" => list("prompts", &script.prompts, script.listing, &params),
        "tools/call" => one(&script.tools, &text("name"), "unknown tool", layers),
        "prompts/get" => one(&script.prompts, &text("name"), "unknown prompt", layers),
        "resources/read" => read(script, &text("uri"), call.stateless.is_some(), layers),
        "completion/complete" => {
            Answer::result(json!({"completion": {"values": [], "total": 0, "hasMore": false}}))
        }
        method if method.starts_with("notifications/") => Answer::status(202),
        method => Answer::error(-32601, &format!("method not found: {method}")),
    };
    layers.push(last);
}

fn hello(script: &Script, requested: &str) -> Json {
    let agreed = match &script.revision {
        Some(revision) => revision.as_str(),
        None if crate::REVISIONS.contains(&requested) => requested,
        None => crate::REVISIONS[crate::REVISIONS.len() - 1],
    };
    let capabilities = script.capabilities();
    let info = &script.server_info;
    let mut hello = format!(
        r#"{{"protocolVersion":{},"capabilities":{capabilities},"serverInfo":{info}"#,
        json!(agreed)
    );
    if let Some(instructions) = &script.instructions {
        hello.push_str(&format!(r#","instructions":{}"#, json!(instructions)));
    }
    hello.push('}');
    hello.into()
}

fn list(member: &str, items: &[Item], listing: Listing, params: &Value) -> Answer {
    let cursor = params["cursor"].as_str();
    let (items, next) = match listing.page(items, cursor) {
        Ok(page) => page,
        Err(message) => return Answer::error(-32602, message),
    };
    let raw: Vec<String> = items.iter().map(|item| item.raw.text()).collect();
    let mut result = format!(r#"{{"{member}":[{}]"#, raw.join(","));
    if let Some(next) = next {
        result.push_str(&format!(r#","nextCursor":{}"#, json!(next)));
    }
    result.push('}');
    Answer::result(result)
}

fn one(items: &[Item], key: &str, missing: &str, layers: &mut Vec<Answer>) -> Answer {
    let found = items.iter().find(|item| item.key == key);
    let Some(item) = found else { return Answer::error(-32602, &format!("{missing}: {key}")) };
    layers.push(item.answer.clone());
    Answer::text("done")
}

fn read(script: &Script, uri: &str, stateless: bool, layers: &mut Vec<Answer>) -> Answer {
    let exact = script.resources.iter().find(|item| item.key == uri);
    // A template matches by the text before its first variable: enough for a fixture.
    let fits =
        |item: &&Item| item.key.split('{').next().is_some_and(|start| uri.starts_with(start));
    let Some(item) = exact.or_else(|| script.templates.iter().find(fits)) else {
        let code = if stateless { -32602 } else { -32002 };
        let error = json!({"code": code, "message": "resource not found", "data": {"uri": uri}});
        return Answer::error_object(error);
    };
    layers.push(item.answer.clone());
    Answer::result(json!({"contents": [{"uri": uri, "mimeType": "text/plain", "text": "content"}]}))
}
