//! What the tests of hostile backends have in common.

use serde_json::{Value, json};
use vmcp_backend::{CallError, Executed, Session};
use vmcp_testkit::{Backend, RawRequest, RawStep};

use crate::rig::{failure, t};

/// Makes a call that must fail. What its error says about execution must be true by the backend's ledger, and it must
/// have been sent once.
pub(crate) async fn fails_honestly(backend: &Backend, session: &Session) -> CallError {
    let (sent, ran) = (backend.count("tools/call"), backend.executions().len());
    let error = failure(session, t()).await;
    let (sent, ran) = (backend.count("tools/call") - sent, backend.executions().len() - ran);
    assert!(sent <= 1, "it was repeated: {error}");
    assert!(ran <= 1, "it ran twice: {error}");
    if error.executed == Executed::No {
        assert_eq!(ran, 0, "it ran after all: {error}");
    }
    error
}

/// An HTTP/1.1 response.
pub(crate) fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

/// What an orderly backend of one tool answers to a request, as JSON.
pub(crate) fn orderly(request: &RawRequest) -> RawStep {
    if request.body.is_none() {
        return RawStep::Read;
    }
    RawStep::Reply(answer(&request.json()).into())
}

/// The whole response of an orderly backend to this message.
pub(crate) fn answer(message: &Value) -> String {
    let result = match message["method"].as_str() {
        None => return http("405 Method Not Allowed", "", ""),
        Some("initialize") => json!({
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "raw", "version": "1"},
        }),
        Some(method) if method.starts_with("notifications/") => {
            return http("202 Accepted", "", "");
        }
        Some(_) => json!({"content": [{"type": "text", "text": "done"}]}),
    };
    let body = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
    http("200 OK", "content-type: application/json\r\n", &body)
}
