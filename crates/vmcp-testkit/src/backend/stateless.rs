//! The stateless revision 2026-07-28: each request is all that there is.
//!
//! What a client says of itself in `_meta` and what it repeats in headers is checked strictly, with the exact codes
//! and statuses of the specification, so that a client under test cannot be wrong and get away with it.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::answer::End;
use crate::backend::http::{Exchange, Served};
use crate::backend::perform::{self, Reply};
use crate::backend::script::{Era, Script};
use crate::backend::session::Session;
use crate::backend::{Transport, rpc};
use crate::body::ReplyBody;
use crate::json::{Json, lenient};

mod check;
mod header;
mod input;
mod terms;

pub(crate) use check::Refusal;
pub(crate) use input::question;
pub(crate) use terms::Terms;

/// The revision's name.
pub(crate) const REVISION: &str = "2026-07-28";
/// What begins the names of its members in `_meta`.
pub(crate) const META: &str = "io.modelcontextprotocol/";
/// All requests that it has.
const METHODS: [&str; 10] = [
    "server/discover",
    "subscriptions/listen",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
];

/// Whether a request is one of this revision, or the backend speaks no other.
pub(crate) fn is_meant(exchange: &Exchange) -> bool {
    let script = exchange.shared.script.lock();
    match script.era {
        _ if script.transport == Transport::HttpSse => false,
        Era::Legacy => false,
        Era::Modern => true,
        Era::Dual => {
            let message = lenient(&exchange.body);
            let named = exchange.parts.headers.get("mcp-protocol-version");
            !message["params"]["_meta"][format!("{META}protocolVersion")].is_null()
                || named.is_some_and(|named| named == REVISION)
        }
    }
}

/// Serves one request.
pub(crate) async fn serve(exchange: Exchange) -> Served {
    if exchange.parts.method != Method::POST {
        return exchange.status(405);
    }
    let message = lenient(&exchange.body);
    let Some(method) = exchange.method.clone() else {
        let refusal = Refusal::new(-32600, "neither a request nor a notification");
        return refuse(exchange, &refusal);
    };
    if message.get("id").is_none_or(Value::is_null) {
        return exchange.status(202);
    }
    let checked = {
        let script = exchange.shared.script.lock();
        check::request(&script, &method, &message, &exchange.parts.headers)
            .and_then(|()| Terms::read(&script, &method, &message))
    };
    let terms = match checked {
        Ok(terms) => Arc::new(terms),
        Err(refusal) => return refuse(exchange, &refusal),
    };
    for (key, result) in terms.given() {
        exchange.shared.recorder.reply(json!({"key": key, "result": result}));
    }
    let session = Arc::new(Session::momentary(&exchange.shared.recorder));
    let mut call = exchange.call(Some(&session));
    call.stateless = Some(Arc::clone(&terms));
    let scripted = exchange.shared.script.lock().overrides.contains_key(&method);
    if method == "subscriptions/listen" && !scripted {
        return exchange.open_listen(&session, &call);
    }
    let Some(answer) = exchange.answer(&call) else { return exchange.status(202) };
    let answer = terms.advance(answer);
    let shape = exchange.shared.script.lock().transport;
    // An error has a status of its own, which only a response that is no stream can carry.
    let streams = shape == Transport::Sse && !matches!(answer.end, End::Error(_));
    let reply = Reply { streams, session_header: None };
    perform::reply(exchange.shared, answer, call, exchange.watch, reply).await
}

fn refuse(mut exchange: Exchange, refusal: &Refusal) -> Served {
    exchange.watch.disarm();
    let id = crate::record::raw_id(&exchange.body).unwrap_or_else(|| "null".to_owned());
    let body: Bytes = rpc::failure(&id, &refusal.error());
    let headers = [("content-type", "application/json")];
    perform::response(refusal.status, &headers, ReplyBody::Full(body))
}

/// The HTTP status that goes with an end.
pub(crate) fn status(end: &End) -> u16 {
    let End::Error(error) = end else { return 200 };
    match error.value()["code"].as_i64() {
        Some(-32601) => 404,
        Some(-32022..=-32020) => 400,
        _ => 200,
    }
}

/// What the backend says of itself.
pub(crate) fn discover(script: &Script) -> Json {
    let capabilities = script.capabilities();
    let supported = Value::from(supported(script));
    let mut result = format!(r#"{{"supportedVersions":{supported},"capabilities":{capabilities}"#);
    if let Some(instructions) = &script.instructions {
        result.push_str(&format!(r#","instructions":{}"#, json!(instructions)));
    }
    result.push('}');
    result.into()
}

/// The revisions that the backend says it speaks, newest first.
fn supported(script: &Script) -> Vec<String> {
    match (&script.revision, script.era) {
        (Some(revision), _) => vec![revision.clone()],
        (None, Era::Dual) => {
            let others = crate::REVISIONS.iter().rev();
            std::iter::once(&REVISION).chain(others).map(|name| (*name).to_owned()).collect()
        }
        (None, _) => vec![REVISION.to_owned()],
    }
}
