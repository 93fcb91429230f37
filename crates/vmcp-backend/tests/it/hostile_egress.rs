//! Backends that want vmcp to go, or to look, somewhere else.

use serde_json::json;
use vmcp_backend::{BackendTarget, CaBundle, ConnectErrorKind, Endpoint, Executed};
use vmcp_testkit::{Answer, Authority, Backend, Http2Backend, RawServer};

use crate::hostile::{fails_honestly, http, orderly};
use crate::rig::{failure, open, pair, run, streamable, t, text, tool, try_open, url, with_tool};

/// Somebody who would like to be asked.
async fn thief() -> RawServer {
    RawServer::start(http("200 OK", "", "")).await.unwrap()
}

#[tokio::test]
async fn a_call_is_not_taken_elsewhere_by_a_redirect() {
    let thief = thief().await;
    for status in [301, 302, 303, 307, 308] {
        let (backend, session) = pair(Answer::redirect(status, &thief.url())).await;
        let error = fails_honestly(&backend, &session).await;
        assert_eq!(error.kind.to_string(), "protocol error: the backend redirects elsewhere");
        assert_eq!(error.executed, Executed::Unknown);
    }
    assert!(thief.heard().is_empty());
}

#[tokio::test]
async fn odd_locations_are_refused() {
    let thief = thief().await;
    let at = thief.address();
    let odd = [
        format!("http://user:pw@{at}/mcp"),
        format!("//{at}/mcp"),
        format!("https://{at}/mcp"),
        format!("HTTP://{at}"),
        "http://[fe80::1%25lo]/mcp".to_owned(),
        "http://[::1]:1/mcp".to_owned(),
        "file:///etc/passwd".to_owned(),
        "javascript:alert(1)".to_owned(),
        "http://".to_owned(),
    ];
    for location in odd {
        let (backend, session) = pair(Answer::redirect(307, &location)).await;
        let error = fails_honestly(&backend, &session).await;
        assert!(error.kind.to_string().contains("redirects elsewhere"), "{location}: {error}");
    }
    // The same origin, but with a user in it.
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let own = format!("http://user@{}/mcp", backend.address());
    backend.set_tool(tool("t"), Answer::redirect(307, &own));
    let error = fails_honestly(&backend, &open(streamable(&backend.url())).await).await;
    assert!(error.kind.to_string().contains("redirects elsewhere"), "{error}");
    assert!(thief.heard().is_empty());
}

#[tokio::test]
async fn nothing_that_a_backend_mentions_is_fetched() {
    let thief = thief().await;
    let at = thief.url();
    let tool = json!({
        "name": "t",
        "icons": [{"src": at, "mimeType": "image/png"}],
        "inputSchema": {"$ref": at, "$schema": at, "properties": {"a": {"$ref": "file:///etc/passwd"}}},
        "outputSchema": {"$ref": "#", "$defs": {"a": {"$ref": "#/$defs/a"}}},
    });
    let content = json!({"content": [
        {"type": "resource_link", "uri": at, "name": "n", "icons": [{"src": at}]},
        {"type": "resource", "resource": {"uri": at, "text": ""}},
    ]});
    let backend = Backend::builder()
        .tool(tool.clone(), Answer::result(content.clone()))
        .resource(json!({"uri": at, "name": "n"}), Answer::usual())
        .server_info(json!({"name": "n", "version": "1", "websiteUrl": at, "icons": [{"src": at}]}))
        .start()
        .await
        .unwrap();
    let session = open(streamable(&backend.url())).await;
    let list = session.list().await.unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&list.tools[0]).unwrap();
    assert_eq!(listed, tool);
    assert_eq!(run(&session, t()).await.response["result"], content);
    assert!(thief.heard().is_empty());
}

#[tokio::test]
async fn only_a_trusted_certificate_gets_to_see_a_request() {
    let authority = Authority::new().unwrap();
    let certificate = authority.issue("localhost").unwrap();
    let backend = Http2Backend::start(&certificate, []).await.unwrap();
    let mut target = BackendTarget::new("b", Endpoint::StreamableHttp { url: url(&backend.url()) });
    let error = try_open(target.clone()).await.unwrap_err();
    assert!(
        matches!(&error.kind, ConnectErrorKind::Unreachable(text) if text.contains("certificate"))
    );
    target.ca_bundle = Some(CaBundle::Pem(Authority::new().unwrap().bundle()));
    assert!(try_open(target.clone()).await.is_err());
    assert_eq!(backend.count("initialize"), 0);
    target.ca_bundle = Some(CaBundle::Pem(authority.bundle()));
    assert_eq!(text(&run(&open(target).await, t()).await), "done");
}

/// Set for the process that [`proxies_of_the_environment_are_ignored_unless_asked_for`] starts.
const CHILD: &str = "VMCP_TEST_BACKEND";

#[tokio::test]
async fn proxies_of_the_environment_are_ignored_unless_asked_for() {
    if let Ok(url) = std::env::var(CHILD) {
        assert_eq!(text(&run(&open(streamable(&url)).await, t()).await), "done");
        return;
    }
    let thief = thief().await;
    let backend = RawServer::scripted(orderly).await.unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "hostile_egress::proxies_of_the_environment_are_ignored_unless_asked_for",
    ]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        child.env(name, thief.url()).env(name.to_ascii_lowercase(), thief.url());
    }
    child.env_remove("NO_PROXY").env_remove("no_proxy").env(CHILD, backend.url());
    let ran = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    assert!(backend.heard().iter().any(|request| request.json()["method"] == "tools/call"));
    assert!(thief.heard().is_empty());
}

#[tokio::test]
async fn a_compressed_answer_is_an_error() {
    let answer = Answer::with(|call| {
        let id = call.id().unwrap_or_default();
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#);
        Answer::http(200, "application/json", body).header("content-encoding", "gzip").executes()
    });
    let (backend, session) = pair(answer).await;
    let error = fails_honestly(&backend, &session).await;
    assert_eq!(error.kind.to_string(), "protocol error: the response is compressed");
    assert_eq!(error.executed, Executed::Unknown);
    assert_eq!(failure(&session, t()).await.executed, Executed::Unknown);
}
