//! Whose calls reach a backend, and what they take along.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::DuplexStream;
use vmcp_auth::{Caller, Identity};
use vmcp_backend::{BackendTarget, Call, Endpoint, ErrorKind, TraceContext};
use vmcp_testkit::{Answer, Backend};

use crate::world::{World, bare, child, http, read, tool};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn person(name: &str) -> Identity {
    Identity::verified("https://issuer.test", name, "{}")
}

fn with_header(identity: Identity, value: &str) -> Caller {
    let mut headers = ::http::HeaderMap::new();
    headers.insert("x-tenant", value.parse().unwrap());
    Caller::from(identity).with_headers(Arc::new(headers))
}

#[tokio::test]
async fn headers_of_a_request_arrive_with_its_call_and_with_nothing_else() {
    let backend = Backend::builder().tool(tool("t"), Answer::text("x")).start().await.unwrap();
    let world = World::settled(bare(), vec![http("b", &backend)]).await;
    for heard in backend.requests() {
        assert_eq!(heard.header("x-tenant"), None, "the catalogue asks for nobody");
    }
    let client = world.client_of(json!({}), with_header(person("alice"), "first")).await;
    let call = |value: &str| {
        let caller = with_header(person("alice"), value);
        client.hear_as("tools/call", json!({"name": "t"}), Some(caller))
    };
    call("one").await.unwrap();
    call("two").await.unwrap();
    client.hear("tools/call", json!({"name": "t"})).await.unwrap();
    let seen: Vec<Option<String>> = backend
        .heard("tools/call")
        .iter()
        .map(|heard| heard.header("x-tenant").map(str::to_owned))
        .collect();
    let said = |text: &str| Some(text.to_owned());
    // A call that says nothing of its caller is made for whoever opened the backend's session.
    assert_eq!(seen, [said("one"), said("two"), said("one")]);
}

#[tokio::test]
async fn a_call_for_somebody_else_is_refused() {
    let backend = Backend::builder().tool(tool("t"), Answer::text("x")).start().await.unwrap();
    let world = World::settled(bare(), vec![http("b", &backend)]).await;
    let client = world.client_as(json!({}), person("alice")).await;
    for other in [person("bob"), Identity::anonymous(), Identity::local()] {
        let params = json!({"name": "t"});
        let outcome = client.hear_as("tools/call", params, Some(Caller::from(other))).await;
        assert_eq!(outcome.err().map(|error| error.kind), Some(ErrorKind::Closed));
    }
    let nobody = Caller::default();
    client.hear_as("tools/call", json!({"name": "t"}), Some(nobody)).await.unwrap();
    assert_eq!(backend.count("tools/call"), 1);
}

#[tokio::test]
async fn a_trace_arrives_with_its_call() {
    let backend = Backend::builder().tool(tool("t"), Answer::text("x")).start().await.unwrap();
    let world = World::settled(bare(), vec![http("b", &backend)]).await;
    let client = world.client().await;
    let mut call = Call::new("tools/call", Some(json!({"name": "t"}).to_string().into()));
    call.trace = TraceContext::parse(PARENT, Some("a=1"));
    assert!(call.trace.is_some());
    read(client.session.call(call).await.unwrap()).await.unwrap();
    let heard = &backend.heard("tools/call")[0];
    assert_eq!(heard.header("traceparent"), Some(PARENT));
    assert_eq!(heard.header("tracestate"), Some("a=1"));
    assert_eq!(heard.json()["params"]["_meta"]["traceparent"], PARENT);
}

#[tokio::test]
async fn what_a_shared_process_says_late_of_one_person_reaches_no_other() {
    let world = World::settled(bare(), vec![child("s", &[])]).await;
    let mut alice = world.client_as(json!({}), person("alice")).await;
    let mut bob = world.client_as(json!({}), person("bob")).await;
    alice.text("late-log", json!({"ms": 300})).await;
    // The only call in flight when the process logs, and it is not the one that is logged about.
    let heard =
        bob.hear("tools/call", json!({"name": "wait", "arguments": {"ms": 1000}})).await.unwrap();
    assert_eq!(heard.response["result"]["content"][0]["text"], "waited");
    assert_eq!(heard.notifications, Vec::<Value>::new());
    assert_eq!((alice.so_far(), bob.so_far()), (Vec::<String>::new(), Vec::new()));
    // Progress says whose it is.
    let params =
        json!({"name": "progress", "arguments": {"count": 2}, "_meta": {"progressToken": 7}});
    let (hers, his) =
        tokio::join!(alice.hear("tools/call", params.clone()), bob.hear("tools/call", params));
    for heard in [hers.unwrap(), his.unwrap()] {
        assert_eq!(heard.notifications.len(), 2);
    }
}

/// A server in this process: an echo that panics when it is opened for these times.
fn panics_at(times: &'static [usize]) -> (BackendTarget, Arc<AtomicUsize>) {
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = opened.clone();
    let open = move || {
        let time = counter.fetch_add(1, Ordering::Relaxed);
        assert!(!times.contains(&time), "a panic on purpose");
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(serve(theirs));
        ours
    };
    (BackendTarget::new("p", Endpoint::InProcess(Arc::new(open))), opened)
}

async fn serve(stream: DuplexStream) {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let (input, mut output) = tokio::io::split(stream);
    let mut lines = BufReader::new(input).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let message: Value = serde_json::from_str(&line).unwrap();
        let result = match message["method"].as_str() {
            Some("initialize") => json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {}}, "serverInfo": {"name": "p", "version": "1"},
            }),
            Some("tools/list") => json!({"tools": [tool("t")]}),
            Some("tools/call") => json!({"content": [{"type": "text", "text": "x"}]}),
            _ => json!({}),
        };
        if let Some(id) = message.get("id") {
            let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
            output.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn after_a_panic_while_a_backend_was_opened_the_next_call_opens_it() {
    // The catalogue opens it twice: once for each way to meet it.
    let (target, opened) = panics_at(&[2]);
    let world = World::settled(bare(), vec![target]).await;
    let client = world.client().await;
    let error = client.refused("tools/call", json!({"name": "t"})).await;
    assert_eq!(error, ErrorKind::Unavailable);
    assert_eq!(client.text("t", json!({})).await, "x");
    assert_eq!(opened.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_panic_while_the_catalogue_opened_a_backend_does_not_end_its_refreshing() {
    let (target, _) = panics_at(&[0]);
    let world = World::settled(bare(), vec![target]).await;
    world.until("a second attempt", |status| status.backends[0].state.is_fine()).await;
    assert_eq!(world.client().await.text("t", json!({})).await, "x");
}
