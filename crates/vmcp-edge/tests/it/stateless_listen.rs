//! Messages outside calls for clients without a session.

use std::time::Duration;

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, Listening, StatelessClient};

use crate::rig::{Rig, one_tool, target, tool};

const ID: &str = "io.modelcontextprotocol/subscriptionId";
const ALL: &str =
    r#"{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}"#;

async fn backend() -> Backend {
    Backend::builder()
        .tool(tool("t"), Answer::text("done"))
        .prompt(json!({"name": "p"}), Answer::result(json!({"messages": []})))
        .resource(json!({"uri": "test://r", "name": "r"}), Answer::result(json!({"contents": []})))
        .start()
        .await
        .unwrap()
}

async fn listen(client: &StatelessClient, wishes: Value) -> Listening {
    client.listen(wishes).await.unwrap()
}

#[tokio::test]
async fn the_first_message_says_what_is_honoured_and_all_have_the_id_of_the_request() {
    let backend = one_tool("t", Answer::text("done")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    // Nobody behind the gateway has prompts, and nobody has this resource.
    let wishes = json!({"toolsListChanged": true, "promptsListChanged": true,
        "resourceSubscriptions": ["test://no"], "unknown": true});
    let params = json!({"notifications": wishes});
    let mut reply = client.request_as("\"id\"", "subscriptions/listen", params).await.unwrap();
    let first = reply.message().await.unwrap().unwrap();
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(first["params"]["notifications"], json!({"toolsListChanged": true}));
    assert_eq!(first["params"]["_meta"], json!({ID: "id"}));
    backend.set_tool(tool("u"), Answer::text("done"));
    backend.list_changed("tools").await;
    let next = reply.message().await.unwrap().unwrap();
    assert_eq!(next["method"], "notifications/tools/list_changed");
    assert_eq!(next["params"]["_meta"], json!({ID: "id"}));
}

#[tokio::test]
async fn every_stream_gets_what_it_asked_for_and_nothing_else() {
    let backend = backend().await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    let mut tools = listen(&client, json!({"toolsListChanged": true})).await;
    let mut prompts = listen(&client, json!({"promptsListChanged": true})).await;
    let mut all = client.listen(ALL).await.unwrap();
    assert_eq!(all.acknowledged["params"]["notifications"].as_object().unwrap().len(), 3);
    backend.remove_prompt("p");
    backend.list_changed("prompts").await;
    for stream in [&mut prompts, &mut all] {
        let message = stream.next().await.unwrap().unwrap();
        assert_eq!(message["method"], "notifications/prompts/list_changed");
        assert_eq!(message["params"]["_meta"][ID], stream.id);
    }
    backend.remove_tool("t");
    backend.list_changed("tools").await;
    for stream in [&mut tools, &mut all] {
        let message = stream.next().await.unwrap().unwrap();
        assert_eq!(message["method"], "notifications/tools/list_changed");
    }
    backend.remove_resource("test://r");
    backend.list_changed("resources").await;
    let message = all.next().await.unwrap().unwrap();
    assert_eq!(message["method"], "notifications/resources/list_changed");
}

#[tokio::test]
async fn a_resource_is_subscribed_to_once_for_all_streams_and_left_with_the_last() {
    let backend = backend().await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    let wishes = json!({"resourceSubscriptions": ["test://r"]});
    let mut one = listen(&client, wishes.clone()).await;
    assert_eq!(one.acknowledged["params"]["notifications"], wishes);
    let mut two = listen(&client, wishes).await;
    assert_eq!(backend.count("resources/subscribe"), 1);
    backend.wait_listeners(2).await.unwrap();
    backend.resource_updated("test://r").await;
    for stream in [&mut one, &mut two] {
        let message = stream.next().await.unwrap().unwrap();
        assert_eq!(message["method"], "notifications/resources/updated");
        assert_eq!(message["params"]["uri"], "test://r");
        assert_eq!(message["params"]["_meta"][ID], stream.id);
    }
    drop(one);
    backend.resource_updated("test://r").await;
    assert!(two.next().await.unwrap().is_some());
    assert_eq!(backend.count("resources/unsubscribe"), 0);
    drop(two);
    backend.wait_for("resources/unsubscribe", 1).await.unwrap();
}

#[tokio::test]
async fn a_stream_ends_with_the_answer_to_its_request_when_the_server_stops() {
    let backend = backend().await;
    let mut rig = Rig::before(&backend).await;
    let client = rig.stateless();
    let mut stream = client.listen(ALL).await.unwrap();
    let stopped = rig.begin_stop();
    let end = stream.next().await.unwrap().unwrap();
    assert_eq!(end["id"], stream.id);
    assert_eq!(end["result"], json!({"resultType": "complete", "_meta": {ID: stream.id}}));
    assert!(stream.next().await.unwrap().is_none());
    stopped.await.unwrap();
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive() {
    let backend = backend().await;
    let rig = Rig::with(vec![target("b", &backend)], |config| {
        config.timeouts.keep_alive = Duration::from_millis(10);
    })
    .await;
    let mut stream = rig.stateless().listen(ALL).await.unwrap();
    let piece = stream.reply.piece().await.unwrap().unwrap();
    assert!(piece.starts_with(b":"), "{piece:?}");
}

#[tokio::test]
async fn a_request_that_asks_for_nothing_that_can_be_told_is_refused() {
    let rig = Rig::empty().await;
    let client = rig.stateless();
    for params in [
        json!({}),
        json!({"notifications": true}),
        json!({"notifications": {"toolsListChanged": "yes"}}),
        json!({"notifications": {"resourceSubscriptions": "test://r"}}),
        json!({"notifications": {"resourceSubscriptions": [1]}}),
    ] {
        let text = params.to_string();
        let message = client.call("subscriptions/listen", params).await.unwrap();
        assert_eq!(message["error"]["code"], -32602, "{text}");
    }
    let tasks = json!({"notifications": {"taskIds": ["x"]}});
    let message = client.call("subscriptions/listen", tasks).await.unwrap();
    assert_eq!(message["error"]["code"], -32021);
}
