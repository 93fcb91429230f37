//! What a session promises, seen from the backend: how it is connected, and whom it listens to.

use std::sync::Arc;

use serde_json::json;
use vmcp_auth::Caller;
use vmcp_backend::{BackendTarget, ClientHello, ConnectErrorKind, Endpoint, Hints, McpSession};
use vmcp_testkit::{Answer, Backend, Gate, Recorded};

use crate::rig::{Heard, connector, hello, open, run, streamable, t, text, tool, url, with_tool};

fn heard(backend: &Backend) -> Recorded {
    backend.heard("tools/call").pop().unwrap()
}

#[tokio::test]
async fn connecting_lists_all_that_is_advertised_in_one_go() {
    let backend = Backend::builder()
        .tool(tool("echo"), Answer::echo())
        .resource(
            json!({"uri": "x:1", "name": "n"}),
            Answer::result(json!({
                "contents": [{"uri": "x:1", "text": "hello"}]
            })),
        )
        .prompt(
            json!({"name": "p"}),
            Answer::result(json!({
                "messages": [{"role": "user", "content": {"type": "text", "text": "Hello!"}}]
            })),
        )
        .start()
        .await
        .unwrap();
    let target = Arc::new(streamable(&backend.url()));
    let connector = connector();
    let connected = connector.connect(&target, Caller::default(), hello(), None).await;
    let (session, list) = connected.unwrap();
    assert_eq!((list.tools.len(), list.resources.len(), list.prompts.len()), (1, 1, 1));
    // Whoever has it as the contract alone can use it all the same.
    let session: Arc<dyn McpSession> = Arc::new(session);
    let echoed = session.call_tool("echo", Some(r#"{"a":1.0}"#.into()), None).await.unwrap();
    assert_eq!(echoed.text(), r#"{"name":"echo","arguments":{"a":1.0}}"#);
    let read = session.read_resource("x:1").await.unwrap();
    assert_eq!(read.contents()[0].raw(), r#"{"uri":"x:1","text":"hello"}"#);
    let prompt = session.get_prompt("p", None).await.unwrap();
    assert_eq!(prompt.messages()[0].content.as_text(), Some("Hello!"));
    assert!(session.session_id().is_some());
    session.close().await;
    assert_eq!(backend.count("DELETE"), 1);
}

#[tokio::test]
async fn a_list_that_fails_leaves_no_session() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    backend.on("tools/list", Answer::error(-32601, "unknown"));
    let target = Arc::new(streamable(&backend.url()));
    let error = connector().connect(&target, Caller::default(), hello(), None).await.unwrap_err();
    assert!(matches!(&error.kind, ConnectErrorKind::List(text) if text.contains("tools/list")));
    assert!(error.to_string().starts_with("backend b: list failed: "), "{error}");
    backend.wait_for("DELETE", 1).await.unwrap();
}

#[tokio::test]
async fn all_kinds_are_asked_for_at_the_same_time() {
    let gate = Gate::new();
    let held = || Answer::usual().gate(&gate);
    let backend = Backend::builder()
        .tool(tool("t"), Answer::text("x"))
        .capabilities(json!({"tools": {}, "resources": {}, "prompts": {}}))
        .on("tools/list", held())
        .on("resources/list", held())
        .on("resources/templates/list", held())
        .on("prompts/list", held())
        .start()
        .await
        .unwrap();
    let session = open(streamable(&backend.url())).await;
    let opening = async {
        gate.reached(4).await.unwrap();
        gate.open();
    };
    let (list, ()) = tokio::join!(session.list(), opening);
    assert_eq!(list.unwrap().tools.len(), 1);
}

#[tokio::test]
async fn schemes_that_are_no_transport_are_refused_before_anything_is_dialled() {
    for text in ["ws://localhost/mcp", "ftp://localhost/mcp", "unix:/x", "data:,x"] {
        for endpoint in [
            Endpoint::Http { url: url(text) },
            Endpoint::StreamableHttp { url: url(text) },
            Endpoint::Sse { url: url(text) },
        ] {
            let target = Arc::new(BackendTarget::new("b", endpoint));
            let opened = connector().open(&target, Caller::default(), hello(), None).await;
            let error = opened.unwrap_err();
            assert!(matches!(error.kind, ConnectErrorKind::Config(_)), "{error}");
            assert!(error.to_string().contains("(supported: http, https)"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_earlier_session_is_hinted_at_in_the_handshake_only() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let target = Arc::new(streamable(&backend.url()));
    let hints = Hints::from(hello()).with_session_id("earlier-1");
    let session = connector().open(&target, Caller::default(), hints, None).await.unwrap();
    run(&session, t()).await;
    assert_eq!(backend.heard("initialize")[0].header("mcp-session-id"), Some("earlier-1"));
    assert_eq!(heard(&backend).header("mcp-session-id"), session.session_id().as_deref());
    assert_ne!(session.session_id().as_deref(), Some("earlier-1"));
}

#[tokio::test]
async fn a_backend_that_refuses_the_hint_is_asked_without_it() {
    for status in [400, 404] {
        let backend = with_tool(Answer::text("x")).start().await.unwrap();
        backend.on(
            "initialize",
            Answer::with(move |call| match call.headers.get("mcp-session-id") {
                Some(_) => Answer::status(status),
                None => Answer::usual(),
            }),
        );
        let target = Arc::new(streamable(&backend.url()));
        let hints = Hints::from(hello()).with_session_id("earlier-1");
        let session = connector().open(&target, Caller::default(), hints, None).await.unwrap();
        assert_eq!(text(&run(&session, t()).await), "x");
        assert_eq!(backend.count("initialize"), 2);
    }
}

#[tokio::test]
async fn a_hint_that_no_header_can_carry_is_refused() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let target = Arc::new(streamable(&backend.url()));
    for id in ["", "a b", "a\r\nb", "\u{7f}", "\u{e9}", &"x".repeat(2000)] {
        let hints = Hints::from(hello()).with_session_id(id);
        let opened = connector().open(&target, Caller::default(), hints, None).await;
        assert!(matches!(opened.unwrap_err().kind, ConnectErrorKind::Config(_)), "{id:?}");
    }
    assert!(backend.requests().is_empty());
    for id in ["!", "~"] {
        let hints = Hints::from(hello()).with_session_id(id);
        assert!(connector().open(&target, Caller::default(), hints, None).await.is_ok());
    }
}

#[tokio::test]
async fn says_who_it_is() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let target = Arc::new(streamable(&backend.url()));
    let hello = ClientHello::new("a \"client\"", "1.2");
    connector().open(&target, Caller::default(), hello, None).await.unwrap();
    let params = &backend.heard("initialize")[0].json()["params"];
    assert_eq!(params["clientInfo"], json!({"name": "a \"client\"", "version": "1.2"}));
    assert_eq!(params["capabilities"], json!({}));
}

#[tokio::test]
async fn a_slow_listener_does_not_hold_up_a_call_because_nothing_waits_for_it() {
    let backend =
        with_tool(Answer::text("x").notify("notifications/tools/list_changed", json!({})));
    let backend = backend.start().await.unwrap();
    let heard = Heard::default();
    let target = Arc::new(streamable(&backend.url()));
    let sink = Some(heard.sink());
    let session = connector().open(&target, Caller::default(), hello(), sink).await.unwrap();
    // Nobody reads what was heard: it is the sink's own to keep it or not.
    for _ in 0..100 {
        assert_eq!(text(&run(&session, t()).await), "x");
    }
    assert_eq!(heard.count(), 100);
}

#[tokio::test]
async fn who_connects_with_a_sink_listens_and_who_has_none_does_not() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let (target, connector) = (Arc::new(streamable(&backend.url())), connector());
    let connected = connector.connect(&target, Caller::default(), hello(), None).await;
    let (deaf, _) = connected.unwrap();
    deaf.listen();
    run(&deaf, t()).await;
    deaf.close().await;
    assert_eq!(backend.count("GET"), 0);
    let heard = Heard::default();
    let sink = Some(heard.sink());
    let connected = connector.connect(&target, Caller::default(), hello(), sink).await;
    let (_session, _) = connected.unwrap();
    backend.wait_listeners(1).await.unwrap();
    backend.list_changed("tools").await;
    heard.notification("notifications/tools/list_changed").await;
    assert_eq!(backend.count("GET"), 1);
}
