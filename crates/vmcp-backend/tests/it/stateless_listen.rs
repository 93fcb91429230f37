//! The stream of changes.

use serde_json::{Value, json};
use vmcp_backend::{Call, Session};
use vmcp_testkit::{Answer, Backend, Gate};

use crate::rig::{
    Heard, PATIENCE, call, child, open_heard, run, streamable, t, text, tool, with_tool,
};

fn resources(uris: &[&str]) -> vmcp_testkit::Builder {
    let builder = Backend::builder().stateless().tool(tool("t"), Answer::text("hi"));
    uris.iter().fold(builder, |builder, uri| {
        builder.resource(json!({"uri": uri, "name": uri}), Answer::usual())
    })
}

async fn listening(backend: &Backend) -> (Session, Heard) {
    let (session, heard) = open_heard(streamable(&backend.url())).await;
    session.listen();
    backend.wait_listens(|listens| listens.len() == 1).await.unwrap();
    (session, heard)
}

fn about(method: &str, uri: &str) -> Call {
    Call::new(method.to_owned(), Some(json!({"uri": uri}).to_string().into()))
}

async fn subscribe(session: &Session, uri: &str) -> Value {
    let all = run(session, about("resources/subscribe", uri)).await;
    assert!(all.error.is_none(), "{all:?}");
    all.response
}

#[tokio::test]
async fn changes_are_told_as_they_always_were() {
    let backend = resources(&["r://1"]).start().await.unwrap();
    let (session, heard) = listening(&backend).await;
    let all = json!({
        "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true,
    });
    let wishes = backend.heard("subscriptions/listen")[0].json();
    assert_eq!(wishes["params"]["notifications"], all);
    assert_eq!(backend.list_changed("tools").await, 1);
    let told = heard.notification("notifications/tools/list_changed").await;
    assert!(!told.to_string().contains("subscriptionId"), "{told}");
    assert_eq!(text(&run(&session, t()).await), "hi");
    session.close().await;
    backend.wait_listens(|listens| listens.is_empty()).await.unwrap();
}

#[tokio::test]
async fn subscriptions_are_part_of_the_one_stream() {
    let backend = resources(&["r://1", "r://2"]).start().await.unwrap();
    let (session, heard) = listening(&backend).await;
    for (uri, known) in [("r://1", json!(["r://1"])), ("r://2", json!(["r://1", "r://2"]))] {
        assert_eq!(subscribe(&session, uri).await, json!({}));
        let is_so =
            |listens: &[Value]| listens.len() == 1 && listens[0]["resourceSubscriptions"] == known;
        backend.wait_listens(is_so).await.unwrap();
    }
    assert_eq!(backend.resource_updated("r://2").await, 1);
    let told = heard.notification("notifications/resources/updated").await;
    assert_eq!(told["params"], json!({"uri": "r://2"}));
    run(&session, about("resources/unsubscribe", "r://2")).await;
    let is_so = |listens: &[Value]| {
        listens.len() == 1 && listens[0]["resourceSubscriptions"] == json!(["r://1"])
    };
    backend.wait_listens(is_so).await.unwrap();
    // Neither what nobody subscribed to, nor what is no change.
    backend.tell_anyway("notifications/resources/updated", json!({"uri": "r://2"})).await;
    backend.tell_anyway("notifications/message", json!({"level": "info", "data": 1})).await;
    backend.list_changed("resources").await;
    heard.notification("notifications/resources/list_changed").await;
    assert_eq!(heard.count(), 0);
    for method in ["resources/subscribe", "resources/unsubscribe", "GET"] {
        assert_eq!(backend.count(method), 0, "{method}");
    }
}

#[tokio::test]
async fn what_a_stream_had_told_before_another_replaced_it_is_heard() {
    let backend = resources(&["r://1"]).start().await.unwrap();
    let (session, heard) = listening(&backend).await;
    let gate = Gate::new();
    backend.hold_listens(&gate);
    for round in 1..=50 {
        gate.close();
        let telling = async {
            gate.reached(round).await.unwrap();
            // On the old stream, just before the new one is acknowledged.
            assert_eq!(backend.list_changed("tools").await, 1);
            gate.open();
        };
        let method = if round % 2 == 1 { "resources/subscribe" } else { "resources/unsubscribe" };
        tokio::join!(run(&session, about(method, "r://1")), telling);
        heard.notification("notifications/tools/list_changed").await;
        backend.wait_listens(|listens| listens.len() == 1).await.unwrap();
    }
    assert_eq!(heard.count(), 0);
}

#[tokio::test]
async fn what_changed_between_a_broken_stream_and_the_next_may_be_anything() {
    let backend = resources(&["r://1"]).start().await.unwrap();
    let mut target = streamable(&backend.url());
    // Nobody opens it again by itself.
    (target.limits.reconnect, target.limits.max_reconnect) = (PATIENCE * 10, PATIENCE * 10);
    let (session, heard) = open_heard(target).await;
    session.listen();
    backend.wait_listens(|listens| listens.len() == 1).await.unwrap();
    assert_eq!(backend.break_listens().await, 1);
    backend.wait_listens(|listens| listens.is_empty()).await.unwrap();
    subscribe(&session, "r://1").await;
    heard.notification("notifications/tools/list_changed").await;
}

#[tokio::test]
async fn what_is_not_acknowledged_is_refused() {
    let capabilities = json!({"tools": {}, "resources": {}});
    let backend = resources(&["r://1"]).capabilities(capabilities).start().await.unwrap();
    let (session, _heard) = listening(&backend).await;
    assert_eq!(subscribe(&session, "r://1").await["error"]["code"], -32602);
    backend.wait_listens(|listens| listens.len() == 1).await.unwrap();
    backend.on("subscriptions/listen", Answer::error(-32601, "no such method"));
    assert_eq!(subscribe(&session, "r://1").await["error"]["code"], -32601);
}

#[tokio::test]
async fn a_stream_that_ends_is_opened_again_and_everything_may_have_changed() {
    let backend = resources(&["r://1"]).start().await.unwrap();
    let (session, heard) = listening(&backend).await;
    subscribe(&session, "r://1").await;
    backend.wait_listens(|listens| listens.len() == 1).await.unwrap();
    for graceful in [true, false] {
        let ended = match graceful {
            true => backend.end_listens().await,
            false => backend.break_listens().await,
        };
        assert_eq!(ended, 1);
        backend.wait_listens(|listens| listens.len() == 1).await.unwrap();
        assert_eq!(backend.listens()[0]["resourceSubscriptions"], json!(["r://1"]));
        heard.notification("notifications/tools/list_changed").await;
        heard.notification("notifications/resources/list_changed").await;
    }
    backend.restart().await.unwrap();
    backend.wait_listens(|listens| listens.len() == 1).await.unwrap();
    assert_eq!(backend.resource_updated("r://1").await, 1);
    heard.notification("notifications/resources/updated").await;
}

#[tokio::test]
async fn a_process_tells_changes_beside_its_calls() {
    let (session, heard) = open_heard(child(&["--stateless"])).await;
    session.listen();
    assert_eq!(subscribe(&session, "test://stdio").await, json!({}));
    run(&session, call(&json!({"name": "update"}))).await;
    let told = heard.notification("notifications/resources/updated").await;
    assert_eq!(told["params"], json!({"uri": "test://stdio"}));
    run(&session, call(&json!({"name": "add", "arguments": {"name": "more"}}))).await;
    heard.notification("notifications/tools/list_changed").await;
    run(&session, call(&json!({"name": "end-listens"}))).await;
    heard.notification("notifications/tools/list_changed").await;
    let listed = session.list().await.unwrap().tools;
    assert!(listed.iter().any(|tool| tool.windows(6).any(|text| text == b"\"more\"")));
}

#[tokio::test]
async fn without_anybody_to_hear_it_nothing_is_asked_for() {
    let backend = with_tool(Answer::text("hi")).stateless().start().await.unwrap();
    let session = crate::rig::open(streamable(&backend.url())).await;
    session.listen();
    assert_eq!(text(&run(&session, t()).await), "hi");
    assert_eq!(backend.count("subscriptions/listen"), 0);
}

#[tokio::test]
async fn a_session_that_is_dropped_ends_its_stream() {
    let backend = resources(&[]).start().await.unwrap();
    let (session, heard) = listening(&backend).await;
    drop(session);
    let ended = backend.wait_listens(|listens| listens.is_empty());
    tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
    assert_eq!(heard.count(), 0);
}
