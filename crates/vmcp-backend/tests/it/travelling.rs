//! What travels with a call: headers of its caller, its trace, its `_meta`; and what stays behind.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use vmcp_auth::{Caller, HeaderInjection, OutgoingAuth};
use vmcp_backend::{ErrorKind, Executed, Side, TraceContext};
use vmcp_testkit::{Answer, Backend, Recorded};

use crate::rig::{
    call, connector, failure, hello, open, read, run, streamable, t, text, with_tool,
};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn caller(headers: &[(&'static str, &'static str)]) -> Caller {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static(value))
    };
    Caller::default().with_headers(Arc::new(headers.iter().map(pair).collect::<HeaderMap>()))
}

fn heard(backend: &Backend) -> Recorded {
    backend.heard("tools/call").pop().unwrap()
}

#[tokio::test]
async fn a_callers_headers_travel_with_the_call() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let target = Arc::new(streamable(&backend.url()));
    let captured = caller(&[("x-tenant", "first")]);
    let session = connector().open(&target, captured, hello(), None).await.unwrap();
    assert_eq!(backend.heard("initialize")[0].header("x-tenant"), Some("first"));
    run(&session, t()).await;
    assert_eq!(heard(&backend).header("x-tenant"), Some("first"));
    // A call's own caller counts as a whole: nothing of the captured one is mixed in.
    run(&session, t().with_caller(caller(&[("x-request", "second")]))).await;
    assert_eq!(heard(&backend).header("x-tenant"), None);
    assert_eq!(heard(&backend).header("x-request"), Some("second"));
    session.close().await;
    assert_eq!(backend.heard("DELETE")[0].header("x-tenant"), Some("first"));
}

#[tokio::test]
async fn what_a_caller_may_not_bring_is_dropped_silently() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let names = [
        "host",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "http2-settings",
        "proxy-authorization",
        "proxy-authenticate",
        "proxy-connection",
        "transfer-encoding",
        "content-length",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "mcp-session-id",
        "mcp-protocol-version",
        "authorization",
        "cookie",
        "accept",
        "content-type",
        "accept-encoding",
        "last-event-id",
    ];
    let headers: Vec<_> =
        names.iter().map(|name| (*name, "forged")).chain([("x-ok", "yes")]).collect();
    assert_eq!(text(&run(&session, t().with_caller(caller(&headers))).await), "x");
    let request = heard(&backend);
    assert_eq!(request.header("x-ok"), Some("yes"));
    for (name, value) in &request.headers {
        assert_ne!(value, "forged", "{name}");
    }
}

#[tokio::test]
async fn a_callers_header_never_stands_in_for_a_configured_one() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let mut target = streamable(&backend.url());
    target.headers = vec![("X-Team".to_owned(), "blue".to_owned().into())];
    let session = open(target.clone()).await;
    let error = failure(&session, t().with_caller(caller(&[("x-team", "red")]))).await;
    let expected =
        "forwarded header \"x-team\" collides with the backend's static header-forward config";
    assert_eq!(error.kind, ErrorKind::Misconfigured(expected.to_owned()));
    assert_eq!((error.side, error.executed), (Side::Gateway, Executed::No));
    assert_eq!(backend.count("tools/call"), 0);
    let target = Arc::new(target);
    let opened = connector().open(&target, caller(&[("x-team", "red")]), hello(), None).await;
    assert!(opened.unwrap_err().to_string().contains("collides"));
}

#[tokio::test]
async fn credentials_win_over_every_other_header_of_their_name() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let mut target = streamable(&backend.url());
    target.auth = OutgoingAuth::HeaderInjection(HeaderInjection {
        name: "X-Key".to_owned(),
        value: "s3cr3t".to_owned().into(),
    });
    let session = open(target).await;
    run(&session, t().with_caller(caller(&[("x-key", "forged")]))).await;
    let values: Vec<_> = heard(&backend).headers.get_all("x-key").iter().cloned().collect();
    assert_eq!(values, ["s3cr3t"]);
}

#[tokio::test]
async fn a_trace_travels_in_meta_and_in_headers() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let trace = TraceContext::parse(PARENT, Some("a=1")).unwrap();
    run(&session, t().with_trace(trace.clone())).await;
    let request = heard(&backend);
    let meta = &request.json()["params"]["_meta"];
    assert_eq!(*meta, json!({"traceparent": PARENT, "tracestate": "a=1"}));
    assert_eq!(request.header("traceparent"), Some(PARENT));
    assert_eq!(request.header("tracestate"), Some("a=1"));
    // What the caller brings itself stays as it is.
    let theirs = call(&json!({"name": "t", "_meta": {"traceparent": "theirs"}}));
    let theirs = theirs.with_trace(trace).with_caller(caller(&[("traceparent", "its-own")]));
    run(&session, theirs).await;
    assert_eq!(heard(&backend).json()["params"]["_meta"], json!({"traceparent": "theirs"}));
    assert_eq!(heard(&backend).header("traceparent"), Some("its-own"));
    run(&session, t()).await;
    assert_eq!(heard(&backend).json()["params"].get("_meta"), None);
    assert_eq!(heard(&backend).header("traceparent"), None);
}

#[tokio::test]
async fn reserved_keys_stay_on_their_hop() {
    let answer =
        json!({"content": [], "_meta": {"io.modelcontextprotocol/serverInfo": {"v": 1.0}}});
    let backend = with_tool(Answer::result(answer)).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/related-task": {"taskId": "1"},
        "custom": 1,
    });
    let result = session.call_tool("t", None, Some(meta.to_string().into())).await.unwrap();
    let sent = &heard(&backend).json()["params"]["_meta"];
    assert_eq!(
        *sent,
        json!({"io.modelcontextprotocol/related-task": {"taskId": "1"}, "custom": 1})
    );
    // Towards us nothing is changed.
    assert_eq!(result.meta().unwrap(), r#"{"io.modelcontextprotocol/serverInfo":{"v":1.0}}"#);
}

#[tokio::test]
async fn reserved_keys_of_an_answer_stay_on_their_hop() {
    let asks = Answer::text("x").ask("elicitation/create", json!({"message": "who?"}));
    let backend = with_tool(asks).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let cases = [
        (
            json!({"io.modelcontextprotocol/clientInfo": {"v": 1.0}, "custom": 1.0}),
            json!({"custom": 1.0}),
        ),
        (json!({"custom": {}}), json!({"custom": {}})),
        (
            json!({"io.modelcontextprotocol/related-task": {"taskId": "1"}}),
            json!({"io.modelcontextprotocol/related-task": {"taskId": "1"}}),
        ),
    ];
    for (at, (given, arrives)) in cases.into_iter().enumerate() {
        let result = |meta| json!({"action": "accept", "content": {"a": 1.5}, "_meta": meta});
        let reply = session.forward(t()).await.unwrap();
        read(reply, &result(given)).await;
        let heard = &backend.replies()[at];
        assert_eq!(heard["result"], result(arrives));
        assert_ne!(heard["id"], "client's");
    }
}
