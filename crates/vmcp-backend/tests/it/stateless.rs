//! Backends of the revision without sessions: how they are met, and calls of them.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use vmcp_auth::Caller;
use vmcp_backend::{BackendTarget, Call, ClientHello, Connector, ErrorKind, Executed, Session};
use vmcp_testkit::{Answer, Backend, Builder, Transport};
use vmcp_wire::revision::{Protocol, Revision};

use crate::rig::{
    PATIENCE, call, child, connector, failure, hello, open, open_heard, read, run, streamable, t,
    text, tool, try_open, with_tool,
};

pub(crate) const META: &str = "io.modelcontextprotocol/";

/// A client that has no session itself.
pub(crate) fn stateless_hello() -> ClientHello {
    ClientHello { revision: Revision::STATELESS, ..hello() }
}

pub(crate) async fn open_as(
    connector: &Connector,
    target: &Arc<BackendTarget>,
    hello: ClientHello,
) -> Session {
    connector.open(target, Caller::default(), hello, None).await.unwrap()
}

pub(crate) fn target(backend: &Backend) -> Arc<BackendTarget> {
    Arc::new(streamable(&backend.url()))
}

fn meta(message: &Value) -> &Value {
    &message["params"]["_meta"]
}

#[tokio::test]
async fn a_session_is_no_handshake_and_each_request_says_who_asks() {
    for transport in [Transport::Json, Transport::Sse] {
        let answer = Answer::result(r#"{ "n":1.0,"content":[{"type":"text","text":"hi"}] }"#);
        let backend = with_tool(answer).stateless().transport(transport).start().await.unwrap();
        let session = connector()
            .open(&target(&backend), Caller::default(), stateless_hello(), None)
            .await
            .unwrap();
        assert!(session.hello().revision.stateless());
        assert_eq!(session.session_id(), None);
        let params = json!({"name": "t", "arguments": {"a": 1}, "_meta": {
            "mine": [1.0], "progressToken": "x",
            format!("{META}protocolVersion"): "1999-01-01",
            format!("{META}clientCapabilities"): {"sampling": {}},
        }});
        let all = run(&session, call(&params)).await;
        assert_eq!(all.response["result"]["resultType"], "complete", "{all:?}");
        assert_eq!(text(&all), "hi");
        let heard = backend.requests();
        assert_eq!(heard.len(), 2, "one question what it is, one call: {heard:?}");
        let called = &backend.heard("tools/call")[0];
        assert_eq!(called.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(called.header("mcp-method"), Some("tools/call"));
        assert_eq!(called.header("mcp-name"), Some("t"));
        assert_eq!(called.header("mcp-session-id"), None);
        let body = called.json();
        assert_eq!(meta(&body)["mine"], json!([1.0]));
        assert_eq!(meta(&body)["progressToken"], body["id"]);
        assert_eq!(meta(&body)[format!("{META}protocolVersion")], "2026-07-28");
        let declared = json!({"roots": {"listChanged": true}});
        assert_eq!(meta(&body)[format!("{META}clientCapabilities")], declared);
        assert_eq!(meta(&body)[format!("{META}clientInfo")]["name"], "rig");
        assert_eq!(meta(&body).get(format!("{META}logLevel")), None);
        session.close().await;
        assert_eq!(backend.requests().len(), 2, "there is nothing to end");
    }
}

#[tokio::test]
async fn whoever_has_both_speaks_as_the_client_does() {
    let backend = with_tool(Answer::text("hi")).dual().start().await.unwrap();
    let (connector, target) = (connector(), target(&backend));
    let older = open_as(&connector, &target, hello()).await;
    assert_eq!(older.hello().revision, Revision::V2025_11_25);
    assert_eq!(backend.count("server/discover"), 0);
    run(&older, call(&json!({"name": "t", "_meta": {format!("{META}logLevel"): "info"}}))).await;
    let heard = backend.heard("tools/call")[0].json();
    assert!(!heard.to_string().contains(META), "{heard}");
    let newer = open_as(&connector, &target, stateless_hello()).await;
    assert!(newer.hello().revision.stateless());
    assert_eq!((backend.count("initialize"), backend.count("server/discover")), (1, 1));
    let again = open_as(&connector, &target, hello()).await;
    assert!(!again.hello().revision.stateless());
    for session in [&older, &newer, &again] {
        assert_eq!(text(&run(session, t()).await), "hi");
    }
}

#[tokio::test]
async fn a_client_with_a_session_uses_what_has_none_and_the_reverse() {
    let backend = with_tool(Answer::text("hi")).stateless().start().await.unwrap();
    let (connector, goal) = (connector(), target(&backend));
    for attempts in 1..=3 {
        let session = open_as(&connector, &goal, hello()).await;
        assert!(session.hello().revision.stateless());
        assert_eq!(text(&run(&session, t()).await), "hi");
        assert_eq!(backend.count("initialize"), 1, "it is known after the first");
        assert_eq!(backend.count("server/discover"), attempts);
    }
    let backend = with_tool(Answer::text("hi")).start().await.unwrap();
    let goal = target(&backend);
    for attempts in 1..=3 {
        let session = open_as(&connector, &goal, stateless_hello()).await;
        assert_eq!(session.hello().revision, Revision::LATEST_HANDSHAKE);
        assert_eq!(text(&run(&session, t()).await), "hi");
        assert_eq!(backend.count("server/discover"), 1, "it is known after the first");
        assert_eq!(backend.count("initialize"), attempts);
    }
}

#[tokio::test]
async fn what_is_configured_decides() {
    let backend = with_tool(Answer::text("hi")).dual().start().await.unwrap();
    let with = |protocol| BackendTarget { protocol, ..streamable(&backend.url()) };
    let session = open(with(Protocol::Stateless)).await;
    assert!(session.hello().revision.stateless());
    let session = open(with(Protocol::Exactly(Revision::V2025_06_18))).await;
    assert_eq!(session.hello().revision, Revision::V2025_06_18);
    let hint = with(Protocol::Handshake);
    let session = open_as(&connector(), &Arc::new(hint), stateless_hello()).await;
    assert_eq!(session.hello().revision, Revision::LATEST_HANDSHAKE);

    let older = Backend::builder().revision("2025-03-26").start().await.unwrap();
    let protocol = Protocol::Exactly(Revision::V2025_06_18);
    let error = try_open(BackendTarget { protocol, ..streamable(&older.url()) }).await.unwrap_err();
    assert!(error.to_string().contains("agrees on 2025-03-26 only"), "{error}");
    let protocol = Protocol::Stateless;
    let error = try_open(BackendTarget { protocol, ..streamable(&older.url()) }).await;
    assert!(error.is_err());
    assert_eq!(older.count("initialize"), 1);
}

#[tokio::test]
async fn a_backend_that_does_not_say_what_it_is_is_not_waited_for() {
    let backend = with_tool(Answer::text("hi")).on("server/discover", Answer::never());
    let backend = backend.start().await.unwrap();
    let (connector, target) = (connector(), target(&backend));
    let opening = || open_as(&connector, &target, stateless_hello());
    let before = tokio::time::Instant::now();
    let sessions = tokio::join!(opening(), opening(), opening());
    assert!(before.elapsed() < PATIENCE / 4);
    assert_eq!(backend.count("server/discover"), 1, "one finds out for all");
    for session in [sessions.0, sessions.1, sessions.2] {
        assert_eq!(text(&run(&session, t()).await), "hi");
    }
}

#[tokio::test]
async fn missing_credentials_conclude_nothing() {
    let backend = with_tool(Answer::text("hi")).stateless().start().await.unwrap();
    let (connector, target) = (connector(), target(&backend));
    let attempt = || connector.open(&target, Caller::default(), stateless_hello(), None);
    for (status, handshakes) in [(401, 0), (403, 0), (429, 0), (503, 1)] {
        backend.on("server/discover", Answer::status(status));
        backend.on("initialize", Answer::status(status));
        let before = backend.count("initialize");
        assert!(attempt().await.is_err(), "{status}");
        assert_eq!(backend.count("initialize") - before, handshakes, "{status}");
    }
    backend.on("server/discover", None);
    backend.on("initialize", None);
    let before = backend.count("initialize");
    assert!(attempt().await.unwrap().hello().revision.stateless());
    assert_eq!(backend.count("initialize"), before);
}

#[tokio::test]
async fn errors_reach_the_caller_as_they_are() {
    let needs = json!({"code": -32021, "message": "no", "data": {"requiredCapabilities": {}}});
    let backend = Backend::builder()
        .stateless()
        .tool(tool("t"), Answer::error_object(needs.clone()))
        .resource(json!({"uri": "r://1", "name": "r"}), Answer::error(-32602, "no such"))
        .start()
        .await
        .unwrap();
    let session = open(streamable(&backend.url())).await;
    assert_eq!(run(&session, t()).await.response["error"], needs);
    let all = run(&session, Call::new("nobody/knows", None)).await;
    assert_eq!(all.response["error"]["code"], -32601, "404 is an answer: {all:?}");
    assert_eq!(backend.count("server/discover"), 1, "and no lost session");
    // A resource that there is not is another code to a client of before.
    let read = Call::new("resources/read", Some(r#"{"uri":"r://1"}"#.into()));
    assert_eq!(run(&session, read.clone()).await.response["error"]["code"], -32002);
    let newer = open_as(&connector(), &target(&backend), stateless_hello()).await;
    assert_eq!(run(&newer, read).await.response["error"]["code"], -32602);
}

#[tokio::test]
async fn a_result_of_an_unknown_kind_is_none() {
    let answer = Answer::result(r#"{"resultType":"riddle","content":[]}"#);
    let backend = with_tool(answer).stateless().start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let error = failure(&session, t()).await;
    assert!(matches!(&error.kind, ErrorKind::Protocol(text) if text.contains("riddle")), "{error}");
    assert_eq!(error.executed, Executed::Unknown);
    let plain = with_tool(Answer::text("hi")).stateless().bare_results().start().await.unwrap();
    assert_eq!(text(&run(&open(streamable(&plain.url())).await, t()).await), "hi");
}

#[tokio::test]
async fn arguments_are_repeated_in_headers_whatever_is_known_of_the_tool() {
    let annotated = |name: &str| {
        json!({"name": "t", "inputSchema": {"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": name},
        }}})
    };
    let builder = Backend::builder().stateless().tool(annotated("Region"), Answer::text("hi"));
    let backend = builder.start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let params = json!({"name": "t", "arguments": {"region": " \u{e9}"}});
    // Never listed: refused once, listed, repeated.
    assert_eq!(text(&run(&session, call(&params)).await), "hi");
    assert_eq!(backend.executions().len(), 1);
    let heard = backend.heard("tools/call");
    assert_eq!(heard[1].header("mcp-param-region"), Some("=?base64?IMOp?="));
    assert_ne!(heard[0].id(), heard[1].id());
    assert_eq!(text(&run(&session, call(&params)).await), "hi");
    assert_eq!(backend.count("tools/call"), 3, "now it is known");
    backend.set_tool(annotated("Zone"), Answer::text("hi"));
    assert_eq!(text(&run(&session, call(&params)).await), "hi");
    assert_eq!(backend.executions().len(), 3);
}

#[tokio::test]
async fn lists_say_how_long_they_are_fresh_and_are_read_to_their_end() {
    let mut builder: Builder = Backend::builder().stateless().cacheable(5000, "public");
    for at in 0..5 {
        builder = builder.tool(tool(&format!("t{at}")), Answer::usual());
    }
    let bad = json!({"name": "bad", "inputSchema": {"properties": {
        "a": {"type": "number", "x-mcp-header": "A"},
    }}});
    let builder = builder.tool(bad, Answer::usual()).listing(vmcp_testkit::Listing::Pages(2));
    let backend = builder.start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let list = session.list().await.unwrap();
    assert_eq!(list.tools.len(), 5, "{list:?}");
    let fresh = list.freshness.tools.unwrap();
    assert_eq!((fresh.time.as_millis(), fresh.private), (5000, false));
    let older = with_tool(Answer::usual()).start().await.unwrap();
    assert_eq!((list.freshness.prompts, list.freshness.resources), (None, None));
    assert_eq!(session.hello().freshness.unwrap(), fresh);
    let older = open(streamable(&older.url())).await;
    assert_eq!(older.list().await.unwrap().freshness.tools, None);
    assert_eq!(older.hello().freshness, None);
}

#[tokio::test]
async fn levels_of_messages_go_with_each_request() {
    let answer = Answer::text("hi").log("debug", "d").log("error", "e");
    let backend = with_tool(answer).stateless().start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    assert_eq!(run(&session, t()).await.notifications.len(), 0);
    let level = |level: &str| {
        let params = json!({"level": level}).to_string();
        Call::new("logging/setLevel", Some(params.into()))
    };
    let all = run(&session, level("loud")).await;
    assert_eq!(all.response["error"]["code"], -32602, "{all:?}");
    run(&session, level("error")).await;
    assert_eq!(run(&session, t()).await.notifications.len(), 1);
    let mut loud = t();
    loud.log_level = Some("debug".into());
    assert_eq!(run(&session, loud).await.notifications.len(), 2, "a request's own level wins");
    assert_eq!(backend.count("logging/setLevel"), 0);
}

#[tokio::test]
async fn progress_comes_back_under_the_callers_token() {
    let answer = Answer::text("hi").progress(1, Some(2.0), None);
    let backend = with_tool(answer).stateless().start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let params = json!({"name": "t", "_meta": {"progressToken": 0}});
    let all = run(&session, call(&params)).await;
    assert_eq!(all.notifications[0]["params"]["progressToken"], 0);
    assert_eq!(all.notifications[0]["params"]["total"], 2.0);
}

#[tokio::test]
async fn a_call_that_is_taken_back_ends_its_stream_and_nothing_else() {
    let backend = with_tool(Answer::never().progress(1, None, None)).stateless();
    let backend = backend.start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let params = json!({"name": "t", "_meta": {"progressToken": 0}});
    let mut reply = session.forward(call(&params)).await.unwrap();
    assert!(reply.next().await.is_some());
    drop(reply);
    let waiting = async {
        while backend.abandoned().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    assert_eq!(backend.count("notifications/cancelled"), 0);
}

#[tokio::test]
async fn a_broken_stream_is_a_lost_request_and_never_a_second_one() {
    let answer = Answer::hangup().progress(1, None, None).executes();
    let backend = with_tool(answer).stateless().resumable().start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let error = failure(&session, t()).await;
    assert_eq!(error.executed, Executed::Unknown);
    assert_eq!((backend.count("tools/call"), backend.count("GET")), (1, 0));
}

#[tokio::test]
async fn processes_are_met_in_the_same_way() {
    for (args, first, stateless) in [
        (&["--stateless"][..], hello(), true),
        (&["--stateless"], stateless_hello(), true),
        (&["--dual"], hello(), false),
        (&["--dual"], stateless_hello(), true),
        (&[], stateless_hello(), false),
        (&["--silent-probe"], stateless_hello(), false),
    ] {
        let session = open_as(&connector(), &Arc::new(child(args)), first).await;
        assert_eq!(session.hello().revision.stateless(), stateless, "{args:?}");
        let list = session.list().await.unwrap();
        assert!(!list.tools.is_empty());
        let all = run(&session, call(&json!({"name": "echo", "arguments": {}}))).await;
        let line: Value = serde_json::from_str(text(&all)).unwrap();
        let said = meta(&line)[format!("{META}protocolVersion")].is_string();
        assert_eq!(said, stateless, "{line}");
        session.close().await;
    }
}

#[tokio::test]
async fn a_process_is_told_what_is_no_longer_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let args = ["--stateless", "--journal", journal.to_str().unwrap()];
    let (session, _heard) = open_heard(child(&args)).await;
    let call = call(&json!({"name": "never"}));
    let cancel = call.cancel.clone();
    let calling = async {
        let error = failure(&session, call).await;
        assert_eq!(error.kind, ErrorKind::Cancelled);
    };
    let cancelling = async {
        let written = || std::fs::read_to_string(&journal).unwrap_or_default();
        while !written().contains("\"never\"") {
            tokio::task::yield_now().await;
        }
        cancel.cancel(None);
        while !written().contains("notifications/cancelled") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, async { tokio::join!(calling, cancelling) }).await.unwrap();
}

#[tokio::test]
async fn long_results_stream_and_long_questions_do_not() {
    let long = "x".repeat(2 << 20);
    let backend = with_tool(Answer::text(&long)).stateless().start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    assert_eq!(text(&run(&session, t()).await).len(), long.len());
    let asks = Answer::text("done")
        .ask("sampling/createMessage", json!({"messages": [], "systemPrompt": long}));
    backend.set_tool(tool("t"), asks);
    let hello = ClientHello { capabilities: Bytes::from_static(b"{\"sampling\":{}}"), ..hello() };
    let session = open_as(&connector(), &target(&backend), hello).await;
    let reply = session.forward(t()).await.unwrap();
    assert_eq!(text(&read(reply, &json!({"role": "assistant"})).await), "done");
}
