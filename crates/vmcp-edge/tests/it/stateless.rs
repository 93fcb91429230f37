//! Requests without a session: whose they are, and what is refused.

use http::Method;
use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, Prepared, RawReply};

use crate::rig::{LATEST, Rig, body, one_tool, target, tool};

const META: &str = "io.modelcontextprotocol";

async fn refused(reply: &mut RawReply, status: u16, code: i64, id: &Value) -> Value {
    let found = reply.status;
    let message = body(reply).await;
    assert_eq!((found.as_u16(), &message["error"]["code"]), (status, &json!(code)), "{message}");
    assert_eq!(&message["id"], id, "{message}");
    message
}

#[tokio::test]
async fn what_there_is_is_told_without_a_handshake() {
    let backend = Backend::builder()
        .tool(tool("t"), Answer::text("done"))
        .instructions("be kind")
        .start()
        .await
        .unwrap();
    let rig = Rig::before(&backend).await;
    let mut reply = rig.stateless().request("server/discover", json!({})).await.unwrap();
    assert_eq!(reply.header("mcp-session-id"), None);
    let result = body(&mut reply).await["result"].take();
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["supportedVersions"][0], "2026-07-28");
    assert_eq!(result["supportedVersions"].as_array().unwrap().len(), 5);
    assert_eq!(result["capabilities"]["tools"], json!({"listChanged": true}));
    assert_eq!(result["instructions"], "be kind");
    assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(0), &json!("public")));
    let info = &result["_meta"][format!("{META}/serverInfo")];
    assert!(info["name"].is_string() && info["version"].is_string(), "{result}");
}

#[tokio::test]
async fn a_request_has_to_say_who_asks_and_how() {
    let rig = Rig::empty().await;
    let client = rig.stateless();
    let bent =
        |bend: fn(&mut Value)| client.prepare("\"x\"", "server/discover", json!({})).body(bend);
    let cases: [(Prepared, i64); 8] = [
        (bent(|message| message["params"] = json!({})), -32602),
        (bent(|message| drop(message["params"]["_meta"].take())), -32602),
        (bent(|message| drop(remove(message, "protocolVersion"))), -32602),
        (bent(|message| drop(remove(message, "clientCapabilities"))), -32602),
        (bent(|message| set(message, "clientCapabilities", json!([]))), -32602),
        (bent(|message| set(message, "clientInfo", json!("x"))), -32602),
        (bent(|message| set(message, "logLevel", json!("loud"))), -32602),
        (bent(|message| set(message, "protocolVersion", json!("2025-11-25"))), -32020),
    ];
    for (prepared, code) in cases {
        let text = prepared.body.clone();
        let mut reply = client.send(prepared).await.unwrap();
        let message = refused(&mut reply, 400, code, &json!("x")).await;
        assert!(message["error"]["message"].is_string(), "{text}");
    }
    let anonymous = bent(|message| drop(remove(message, "clientInfo")));
    assert_eq!(client.send(anonymous).await.unwrap().status, 200);
}

fn remove(message: &mut Value, key: &str) -> Option<Value> {
    message["params"]["_meta"].as_object_mut()?.remove(&format!("{META}/{key}"))
}

fn set(message: &mut Value, key: &str, value: Value) {
    message["params"]["_meta"][format!("{META}/{key}")] = value;
}

#[tokio::test]
async fn another_revision_is_answered_with_those_that_can_be_had() {
    let rig = Rig::empty().await;
    let client = rig.stateless();
    client.set_revision("2099-01-01");
    let mut reply = client.request_as("7", "server/discover", json!({})).await.unwrap();
    let error = refused(&mut reply, 400, -32022, &json!(7)).await["error"].take();
    assert_eq!(error["data"]["requested"], "2099-01-01");
    assert_eq!(error["data"]["supported"][0], "2026-07-28");
}

#[tokio::test]
async fn headers_must_say_what_the_body_says() {
    let backend = one_tool("t", Answer::text("done")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    let good = || client.prepare("1", "tools/call", json!({"name": "t"}));
    for bad in [
        good().header("mcp-method", ""),
        good().header("mcp-method", "tools/list"),
        good().header("mcp-method", "Tools/Call"),
        good().line("mcp-method", "tools/call"),
        good().header("mcp-name", ""),
        good().header("mcp-name", "u"),
        good().line("mcp-name", "t"),
        good().header("mcp-name", "=?base64?####?="),
        good().header("mcp-protocol-version", ""),
        good().line("mcp-protocol-version", "2026-07-28"),
        good().line("mcp-protocol-version", "2025-11-25"),
    ] {
        let text = format!("{bad:?}");
        let mut reply = client.send(bad).await.unwrap();
        let message = refused(&mut reply, 400, -32020, &json!(1)).await;
        assert!(message["error"]["message"].is_string(), "{text}");
    }
    assert_eq!(backend.count("tools/call"), 0);
    for well in [
        good().header("mcp-name", "=?base64?dA==?="),
        good().header("mcp-method", " tools/call "),
        good().header("mcp-session-id", "anything"),
    ] {
        let mut reply = client.send(well).await.unwrap();
        assert_eq!(reply.response().await.unwrap()["result"]["resultType"], "complete");
    }
}

#[tokio::test]
async fn headers_that_a_schema_asks_for_are_checked_under_the_advertised_name() {
    let schema = json!({"type": "object", "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "n": {"type": "integer", "x-mcp-header": "N"}}});
    let annotated = json!({"name": "t", "inputSchema": schema});
    let backend = Backend::builder().tool(annotated, Answer::text("done")).start().await.unwrap();
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    client.tools().await.unwrap();
    let call = |arguments: Value| {
        client.prepare("1", "tools/call", json!({"name": "t", "arguments": arguments}))
    };
    let full = || call(json!({"region": "w\u{f6}", "n": 42}));
    for (prepared, well) in [
        (full(), true),
        (full().header("mcp-param-n", "42.0"), true),
        (call(json!({})), true),
        (full().header("mcp-param-region", "east"), false),
        (full().header("mcp-param-region", ""), false),
        (full().line("mcp-param-n", "42"), false),
        (call(json!({"n": null})).header("mcp-param-n", "1"), false),
        (full().header("mcp-param-other", "x"), true),
    ] {
        let text = format!("{prepared:?}");
        let reply = client.send(prepared).await.unwrap();
        assert_eq!(reply.status.as_u16(), if well { 200 } else { 400 }, "{text}");
    }
}

#[tokio::test]
async fn methods_that_are_no_more_and_methods_that_never_were_do_not_exist() {
    let backend = one_tool("t", Answer::text("done")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "tasks/result",
        "no/such",
        // Nobody behind this gateway has any.
        "prompts/list",
        "resources/list",
        "resources/templates/list",
    ] {
        let mut reply = client.request_as("5", method, json!({})).await.unwrap();
        refused(&mut reply, 404, -32601, &json!(5)).await;
    }
}

#[tokio::test]
async fn what_is_done_to_sessions_cannot_be_done_without_one() {
    let rig = Rig::empty().await;
    let client = rig.stateless();
    let named = [("mcp-protocol-version", "2026-07-28")];
    for method in [Method::GET, Method::DELETE] {
        let reply = client.raw().send(method, &named, bytes::Bytes::new()).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, Some("POST")));
    }
    let batch = client.prepare("1", "server/discover", json!({}));
    let batch = Prepared { body: format!("[{}]", batch.body), ..batch };
    assert_eq!(client.send(batch).await.unwrap().status, 400);
    let answer = client.prepare("1", "server/discover", json!({}));
    let answer = Prepared { body: r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.into(), ..answer };
    assert_eq!(client.send(answer).await.unwrap().status, 400);
    let notice = client.prepare("1", "notifications/cancelled", json!({"requestId": 1}));
    let notice = notice.body(|message| drop(message.as_object_mut().unwrap().remove("id")));
    assert_eq!(client.send(notice).await.unwrap().status, 202);
}

#[tokio::test]
async fn stray_words_in_a_session_do_not_take_it_away() {
    let backend = one_tool("t", Answer::text("done")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    for version in [json!({}), json!({"io.modelcontextprotocol/protocolVersion": LATEST})] {
        let mut meta = version;
        meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "n", "version": "0"});
        let message = client.call("tools/call", json!({"name": "t", "_meta": meta})).await.unwrap();
        assert!(message["result"].get("resultType").is_none(), "{message}");
        assert_eq!(message["result"]["content"][0]["text"], "done");
    }
}

#[tokio::test]
async fn both_kinds_of_clients_are_served_at_the_same_time() {
    let one = one_tool("t", Answer::text("one")).await;
    let two = one_tool("u", Answer::text("two")).await;
    let rig = Rig::with(vec![target("b", &one), target("c", &two)], |_| {}).await;
    let (with, without) = (rig.session(LATEST).await, rig.stateless());
    let (first, second) = tokio::join!(with.tool("t", json!({})), without.tool("u", json!({})));
    assert_eq!(first.unwrap()["result"]["content"][0]["text"], "one");
    assert_eq!(second.unwrap()["result"]["content"][0]["text"], "two");
}
