//! Opening a session: what is agreed, what is refused before anything is dialled, which transport is found.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use vmcp_auth::{Custom, HeaderInjection, OutgoingAuth};
use vmcp_backend::{BackendTarget, ConnectErrorKind, Endpoint};
use vmcp_testkit::{Answer, RawServer, Transport};

use crate::rig::{
    PATIENCE, command, connector, hello, open, run, streamable, t, text, try_open, url, with_tool,
};

#[tokio::test]
async fn says_exactly_what_the_client_said_and_takes_any_revision() {
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let backend = with_tool(Answer::text("x")).revision(revision).start().await.unwrap();
        let session = open(streamable(&backend.url())).await;
        assert_eq!(session.hello().revision.as_str(), revision);
        assert!(session.session_id().is_some());
        assert_eq!(text(&run(&session, t()).await), "x");
        let opening = &backend.heard("initialize")[0];
        assert_eq!(
            opening.json()["params"]["capabilities"],
            json!({"roots": {"listChanged": true}})
        );
        assert_eq!(opening.json()["params"]["clientInfo"]["name"], "rig");
        assert_eq!(opening.header("mcp-protocol-version"), None);
        let call = &backend.heard("tools/call")[0];
        let named = revision >= "2025-06-18";
        assert_eq!(call.header("mcp-protocol-version"), named.then_some(revision));
        assert_eq!(call.header("accept"), Some("application/json, text/event-stream"));
        assert_eq!(call.header("content-type"), Some("application/json"));
        assert_eq!(call.session, session.session_id());
    }
}

#[tokio::test]
async fn refuses_a_revision_that_nobody_knows() {
    let backend = with_tool(Answer::text("x")).revision("1999-01-01").start().await.unwrap();
    let error = try_open(streamable(&backend.url())).await.unwrap_err();
    assert!(error.to_string().contains("1999-01-01"), "{error}");
}

#[tokio::test]
async fn takes_a_handshake_on_an_event_stream_with_other_messages_before_it() {
    let answer = Answer::usual().log("info", "starting");
    let backend = with_tool(Answer::text("x")).on("initialize", answer).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    assert_eq!(text(&run(&session, t()).await), "x");
}

#[tokio::test]
async fn puts_headers_and_credentials_on_every_request() {
    let backend = with_tool(Answer::text("x"))
        .require_header("authorization", "Bearer s3cr3t")
        .start()
        .await
        .unwrap();
    let mut target = streamable(&backend.url());
    target.headers = vec![
        ("X-Team".to_owned(), "blue".to_owned().into()),
        ("Authorization".to_owned(), "Bearer loses".to_owned().into()),
    ];
    target.auth = OutgoingAuth::HeaderInjection(HeaderInjection {
        name: "Authorization".to_owned(),
        value: "Bearer s3cr3t".to_owned().into(),
    });
    let session = open(target).await;
    assert_eq!(text(&run(&session, t()).await), "x");
    session.close().await;
    backend.wait_for("DELETE", 1).await.unwrap();
    for request in backend.requests() {
        assert_eq!(request.header("authorization"), Some("Bearer s3cr3t"));
        assert_eq!(request.header("x-team"), Some("blue"));
    }
}

#[tokio::test]
async fn refuses_bad_configuration_before_anything_is_dialled() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let mut targets = Vec::new();
    for header in ["Host", "Mcp-Session-Id", "Content-Length", "bad name", "Proxy-Authorization"] {
        let mut target = streamable(&backend.url());
        target.headers = vec![(header.to_owned(), "v".to_owned().into())];
        targets.push(target);
    }
    let mut target = streamable(&backend.url());
    let (strategy, settings) = ("passthrough".to_owned(), "{}".into());
    target.auth = OutgoingAuth::Custom(Custom { strategy, settings });
    targets.push(target);
    let mut target = streamable(&backend.url());
    target.ca_bundle = Some(vmcp_backend::CaBundle::Path("/nowhere/ca.pem".into()));
    targets.push(target);
    targets.push(streamable("ftp://localhost/"));
    targets.push(streamable("http://user:pw@localhost/"));
    for target in targets {
        let error = try_open(target).await.unwrap_err();
        assert!(matches!(error.kind, ConnectErrorKind::Config(_)), "{error}");
        assert!(!error.to_string().contains("pw"), "{error}");
    }
    assert!(backend.requests().is_empty());
}

#[tokio::test]
async fn names_refused_credentials() {
    let backend = with_tool(Answer::text("x")).require_header("x-key", "k").start().await.unwrap();
    let error = try_open(streamable(&backend.url())).await.unwrap_err();
    assert_eq!(error.kind, ConnectErrorKind::Unauthorized(401));
}

#[tokio::test]
async fn follows_no_redirect_to_another_origin() {
    let thief = with_tool(Answer::text("x")).start().await.unwrap();
    for status in [301, 302, 303, 307, 308] {
        let backend = with_tool(Answer::text("x")).start().await.unwrap();
        backend.every(Answer::redirect(status, &thief.url()));
        let mut target = streamable(&backend.url());
        target.headers = vec![("X-Key".to_owned(), "s3cr3t".to_owned().into())];
        let error = try_open(target).await.unwrap_err();
        assert!(error.to_string().contains("refusing"), "{error}");
    }
    assert!(thief.requests().is_empty());
}

#[tokio::test]
async fn refuses_session_ids_that_are_none() {
    for id in ["with blank", "\u{e9}", &"x".repeat(2000)] {
        let backend = with_tool(Answer::text("x")).session_id(id).start().await.unwrap();
        let error = try_open(streamable(&backend.url())).await.unwrap_err();
        assert!(matches!(error.kind, ConnectErrorKind::Handshake(_)), "{error}");
    }
}

#[tokio::test]
async fn a_url_without_a_type_is_tried_as_streamable_first() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let target = BackendTarget::new("b", Endpoint::Http { url: url(&backend.url()) });
    let session = open(target).await;
    assert_eq!(text(&run(&session, t()).await), "x");
    assert_eq!(backend.count("GET"), 0);
}

#[tokio::test]
async fn a_url_without_a_type_falls_back_and_that_is_remembered() {
    let backend = with_tool(Answer::text("x")).transport(Transport::HttpSse).start().await.unwrap();
    let target = Arc::new(BackendTarget::new("b", Endpoint::Http { url: url(&backend.url()) }));
    let connector = connector();
    for round in 0..3 {
        let session = connector.open(&target, Default::default(), hello(), None).await.unwrap();
        assert_eq!(text(&run(&session, t()).await), "x");
        assert_eq!(backend.count("GET"), round + 1);
    }
    // One of the first POST, and one for each session.
    assert_eq!(backend.count("initialize"), 4);
}

#[tokio::test]
async fn no_fallback_where_credentials_or_the_server_are_missing() {
    for status in [401, 403, 429, 500, 503] {
        let backend = with_tool(Answer::text("x")).start().await.unwrap();
        backend.every(Answer::html(status));
        let target = BackendTarget::new("b", Endpoint::Http { url: url(&backend.url()) });
        assert!(try_open(target).await.is_err());
        assert_eq!(backend.count("GET"), 0, "{status}");
    }
}

#[tokio::test]
async fn gives_up_a_backend_that_never_answers() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    backend.every(Answer::never());
    let mut target = streamable(&backend.url());
    target.timeouts.connect = Duration::from_millis(100);
    let opening = tokio::time::timeout(PATIENCE, try_open(target)).await.unwrap();
    assert_eq!(opening.unwrap_err().kind, ConnectErrorKind::Timeout(Duration::from_millis(100)));
}

#[tokio::test]
async fn takes_no_page_of_text_for_a_handshake() {
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<p/>";
    let server = RawServer::start(page).await.unwrap();
    let error = try_open(streamable(&server.url())).await.unwrap_err();
    assert!(matches!(error.kind, ConnectErrorKind::Handshake(_)), "{error}");
}

#[tokio::test]
async fn says_when_there_is_nobody() {
    let error = try_open(streamable("http://127.0.0.1:9/mcp")).await.unwrap_err();
    assert!(matches!(error.kind, ConnectErrorKind::Unreachable(_)), "{error}");
    let error = try_open(command("/nowhere/program", &[])).await.unwrap_err();
    assert!(matches!(error.kind, ConnectErrorKind::Unreachable(_)), "{error}");
}
