//! How a backend is met is found out once, believed for a while, and found out anew where it may have changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use vmcp_auth::Caller;
use vmcp_backend::{BackendTarget, ClientHello, Connector, Endpoint, Session};
use vmcp_testkit::{Answer, Backend, Era, Transport};
use vmcp_wire::revision::Protocol;

use crate::rig::{connector, hello, run, streamable, t, text, url, with_tool};
use crate::stateless::{open_as, stateless_hello, target};

async fn strictly(
    connector: &Connector,
    target: &Arc<BackendTarget>,
    hello: ClientHello,
) -> Option<Session> {
    connector.open_strictly(target, Caller::default(), hello, None).await.unwrap()
}

#[tokio::test]
async fn strictly_is_in_ones_own_way_or_not_at_all() {
    for (era, with, without) in
        [(Era::Legacy, true, false), (Era::Modern, false, true), (Era::Dual, true, true)]
    {
        let backend = with_tool(Answer::text("hi")).era(era).start().await.unwrap();
        let (connector, target) = (connector(), target(&backend));
        if with {
            let session = strictly(&connector, &target, hello()).await.unwrap();
            assert!(!session.hello().revision.stateless());
            assert_eq!(text(&run(&session, t()).await), "hi");
        }
        let found = strictly(&connector, &target, stateless_hello()).await;
        assert_eq!(found.is_some(), without, "{era:?}");
        if let Some(session) = found {
            assert!(session.hello().revision.stateless());
            assert_eq!(text(&run(&session, t()).await), "hi");
        }
        assert_eq!(backend.count("initialize"), usize::from(with), "nobody fell back");
    }
}

#[tokio::test]
async fn a_no_is_believed_until_somebody_says_that_it_may_be_another() {
    let backend = with_tool(Answer::text("hi")).start().await.unwrap();
    let (connector, target) = (connector(), target(&backend));
    for _ in 0..3 {
        assert!(strictly(&connector, &target, stateless_hello()).await.is_none());
        let session = open_as(&connector, &target, stateless_hello()).await;
        assert!(!session.hello().revision.stateless());
    }
    assert_eq!(backend.count("server/discover"), 1);
    backend.set_era(Era::Dual);
    assert!(strictly(&connector, &target, stateless_hello()).await.is_none());
    connector.forget(&target);
    assert!(strictly(&connector, &target, stateless_hello()).await.is_some());
    assert!(open_as(&connector, &target, stateless_hello()).await.hello().revision.stateless());
    // Replaced by an older one: new sessions shake hands, and ask once.
    backend.set_era(Era::Legacy);
    let before = backend.count("server/discover");
    for _ in 0..3 {
        let session = open_as(&connector, &target, stateless_hello()).await;
        assert!(!session.hello().revision.stateless());
    }
    assert_eq!(backend.count("server/discover") - before, 1);
}

#[tokio::test]
async fn what_is_not_allowed_or_cannot_be_is_not_dialled() {
    let backend = with_tool(Answer::text("hi")).dual().start().await.unwrap();
    let sse = with_tool(Answer::text("hi")).transport(Transport::HttpSse).start().await.unwrap();
    let pinned = |protocol| BackendTarget { protocol, ..streamable(&backend.url()) };
    let endpoint = Endpoint::Sse { url: url(&sse.url()) };
    for (target, hello) in [
        (pinned(Protocol::Handshake), stateless_hello()),
        (pinned(Protocol::Stateless), hello()),
        (BackendTarget::new("b", endpoint), stateless_hello()),
    ] {
        assert!(strictly(&connector(), &Arc::new(target), hello).await.is_none());
    }
    assert_eq!((backend.connections(), sse.connections()), (0, 0));
}

#[tokio::test]
async fn nothing_follows_from_an_error() {
    let backend = with_tool(Answer::text("hi")).dual().start().await.unwrap();
    let (connector, target) = (connector(), target(&backend));
    for status in [401, 429, 503] {
        backend.on("server/discover", Answer::status(status));
        let opened = connector.open_strictly(&target, Caller::default(), stateless_hello(), None);
        assert!(opened.await.is_err(), "{status}");
    }
    backend.on("server/discover", None);
    assert!(strictly(&connector, &target, stateless_hello()).await.is_some());
}

#[tokio::test]
async fn a_backend_that_takes_the_revision_back_is_asked_once_more_if_it_still_lists_it() {
    for (supported, stateless, asked) in
        [(json!(["2026-07-28", "2025-11-25"]), true, 2), (json!(["2025-11-25"]), false, 1)]
    {
        let data = json!({"supported": supported, "requested": "2026-07-28"});
        let error = json!({"code": -32022, "message": "no", "data": data});
        let refusal = json!({"jsonrpc": "2.0", "id": 1, "error": error}).to_string();
        let times = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&times);
        let answer = Answer::with(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::http(400, "application/json", refusal.clone()),
            _ => Answer::usual(),
        });
        let builder = with_tool(Answer::text("hi")).dual().on("server/discover", answer);
        let backend = builder.start().await.unwrap();
        let session = open_as(&connector(), &target(&backend), stateless_hello()).await;
        assert_eq!(session.hello().revision.stateless(), stateless, "{supported}");
        assert_eq!(times.load(Ordering::Relaxed), asked, "{supported}");
        assert_eq!(text(&run(&session, t()).await), "hi");
    }
}

/// A server in this process that ends over the first thing that it does not know.
fn touchy(knows: &'static str) -> (Arc<BackendTarget>, Arc<AtomicUsize>) {
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&opened);
    let open = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(serve(theirs, knows));
        ours
    };
    (Arc::new(BackendTarget::new("p", Endpoint::InProcess(Arc::new(open)))), opened)
}

async fn serve(stream: DuplexStream, knows: &str) {
    let (input, mut output) = tokio::io::split(stream);
    let mut lines = BufReader::new(input).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let message: Value = serde_json::from_str(&line).unwrap();
        let name = message["method"].as_str().unwrap();
        let result = match name {
            "initialize" if name == knows => json!({"protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}}, "serverInfo": {"name": "p", "version": "1"}}),
            "server/discover" if name == knows => json!({"supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {}}, "resultType": "complete"}),
            "initialize" | "server/discover" => {
                let error = json!({"code": -32601, "message": "no such method"});
                let answer = json!({"jsonrpc": "2.0", "id": message["id"], "error": error});
                let _ = output.write_all(format!("{answer}\n").as_bytes()).await;
                return;
            }
            _ => json!({"content": [{"type": "text", "text": "hi"}]}),
        };
        if let Some(id) = message.get("id") {
            let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
            let _ = output.write_all(format!("{answer}\n").as_bytes()).await;
        }
    }
}

#[tokio::test]
async fn one_that_ends_over_what_it_refuses_is_started_again_and_asked_the_other_way() {
    for (knows, hello, stateless) in [
        ("server/discover", hello(), true),
        ("initialize", stateless_hello(), false),
        ("server/discover", stateless_hello(), true),
        ("initialize", hello(), false),
    ] {
        let is_right = stateless == hello.revision.stateless();
        let (target, opened) = touchy(knows);
        let connector = connector();
        let session = open_as(&connector, &target, hello.clone()).await;
        assert_eq!(session.hello().revision.stateless(), stateless, "{knows}");
        assert_eq!(text(&run(&session, t()).await), "hi", "{knows}");
        let starts = if is_right { 1 } else { 2 };
        assert_eq!(opened.load(Ordering::Relaxed), starts, "{knows}");
        // What it is was learnt: the next one is met at once.
        let again = open_as(&connector, &target, hello).await;
        assert_eq!(again.hello().revision.stateless(), stateless);
        assert_eq!(opened.load(Ordering::Relaxed), starts + 1, "{knows}");
    }
}

/// A server in this process without sessions. The first time it is started it says nothing before it was told as much
/// as `late` lines, and never answers what comes behind a handshake.
fn slow(late: usize) -> (Arc<BackendTarget>, Arc<AtomicUsize>) {
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&opened);
    let open = move || {
        let first = counter.fetch_add(1, Ordering::Relaxed) == 0;
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(serve_slowly(theirs, if first { late } else { 0 }));
        ours
    };
    let mut target = BackendTarget::new("p", Endpoint::InProcess(Arc::new(open)));
    target.limits.probe = Duration::from_millis(20);
    (Arc::new(target), opened)
}

async fn serve_slowly(stream: DuplexStream, late: usize) {
    let (input, mut output) = tokio::io::split(stream);
    let mut lines = BufReader::new(input).lines();
    let (mut heard, mut is_offered) = (Vec::new(), false);
    while let Ok(Some(line)) = lines.next_line().await {
        heard.push(serde_json::from_str::<Value>(&line).unwrap());
        if heard.len() < late {
            continue;
        }
        for message in std::mem::take(&mut heard) {
            if is_offered {
                continue;
            }
            is_offered = message["method"] == "initialize";
            let answer = match message["method"].as_str() {
                Some("initialize") => json!({"error": {"code": -32600, "message": "too late"}}),
                Some("server/discover") => json!({"result": {"resultType": "complete",
                    "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}}),
                _ => json!({"result": {"content": [{"type": "text", "text": "hi"}]}}),
            };
            let mut answer = answer;
            (answer["jsonrpc"], answer["id"]) = ("2.0".into(), message["id"].clone());
            let _ = output.write_all(format!("{answer}\n").as_bytes()).await;
        }
    }
}

#[tokio::test]
async fn one_that_starts_slowly_is_not_taken_for_one_that_does_not_know_the_question() {
    // It was asked, then offered a handshake; or offered one, then asked.
    for (late, hello) in [(2, stateless_hello()), (1, hello())] {
        let (target, opened) = slow(late);
        let connector = connector();
        let session = open_as(&connector, &target, hello).await;
        assert!(session.hello().revision.stateless(), "{late}");
        assert_eq!(text(&run(&session, t()).await), "hi", "{late}");
        assert_eq!(opened.load(Ordering::Relaxed), 2, "{late}");
        let again = open_as(&connector, &target, stateless_hello()).await;
        assert!(again.hello().revision.stateless());
        assert_eq!(opened.load(Ordering::Relaxed), 3, "{late}");
    }
}

#[tokio::test]
async fn a_notification_of_an_extension_goes_to_a_backend_without_sessions_and_no_other_does() {
    let backend: Backend = with_tool(Answer::text("hi")).stateless().start().await.unwrap();
    let session = open_as(&connector(), &target(&backend), stateless_hello()).await;
    session.notify("notifications/roots/list_changed", None).await.unwrap();
    let params = r#"{"n":1.0 }"#;
    session.notify("notifications/search/done", Some(params.into())).await.unwrap();
    let heard = &backend.heard("notifications/search/done")[0];
    assert_eq!(heard.header("mcp-method"), Some("notifications/search/done"));
    assert_eq!(heard.header("mcp-protocol-version"), Some("2026-07-28"));
    let body = String::from_utf8_lossy(&heard.body);
    assert!(body.contains(r#""n":1.0"#) && body.contains("clientCapabilities"), "{body}");
    assert_eq!(backend.count("notifications/roots/list_changed"), 0);
}
