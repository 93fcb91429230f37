//! Resources: owners, templates, subscriptions.

use serde_json::json;
use vmcp_backend::ErrorKind;
use vmcp_testkit::{Answer, Backend};

use crate::world::{World, bare, http, resource, tool};

#[tokio::test]
async fn a_resource_is_read_at_its_owner() {
    let says = |text: &str| Answer::result(json!({"contents": [{"uri": "u", "text": text}]}));
    let a = Backend::builder()
        .resource(resource("file:///same"), says("a"))
        .template(json!({"uriTemplate": "log://{day}", "name": "log"}), says("a's log"))
        .start()
        .await
        .unwrap();
    let b = Backend::builder()
        .resource(resource("file:///same"), says("b"))
        .resource(resource("b://x"), says("b's x"))
        .start()
        .await
        .unwrap();
    let world = World::settled(bare(), vec![http("a", &a), http("b", &b)]).await;
    let client = world.client().await;
    for (uri, text) in [("file:///same", "a"), ("b://x", "b's x"), ("log://today", "a's log")] {
        let read = client.ok("resources/read", json!({"uri": uri})).await;
        assert_eq!(read["contents"][0]["text"], text, "{uri}");
    }
    let refused = client.refused("resources/read", json!({"uri": "who://knows"})).await;
    assert_eq!(refused, ErrorKind::UnknownResource("who://knows".into()));
    let refused = client.refused("resources/read", json!({})).await;
    assert!(matches!(refused, ErrorKind::InvalidParams(_)));
}

#[tokio::test]
async fn an_unlisted_resource_is_asked_of_the_only_backend_that_has_any() {
    let found = Answer::result(json!({"contents": []}));
    let a = Backend::builder()
        .resource(resource("a://1"), Answer::usual())
        .on("resources/read", found)
        .start()
        .await
        .unwrap();
    let b = Backend::builder().tool(tool("x"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a), http("b", &b)]).await;
    let client = world.client().await;
    client.ok("resources/read", json!({"uri": "a://unlisted"})).await;
    assert_eq!(a.count("resources/read"), 1);
}

#[tokio::test]
async fn updates_reach_the_subscriber_and_nobody_else() {
    let a = Backend::builder().resource(resource("a://1"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let (mut one, mut two) = (world.client().await, world.client().await);
    one.session.listening(true);
    two.session.listening(true);
    one.ok("resources/subscribe", json!({"uri": "a://1"})).await;
    two.ok("resources/read", json!({"uri": "a://1"})).await;
    // The catalogue's session and those of the two clients.
    a.wait_listeners(3).await.unwrap();
    assert_eq!(a.resource_updated("a://1").await, 1);
    let told = one.told("notifications/resources/updated").await;
    assert_eq!(told["params"]["uri"], "a://1");
    one.ok("resources/unsubscribe", json!({"uri": "a://1"})).await;
    assert_eq!(a.resource_updated("a://1").await, 0);
    assert_eq!(two.so_far(), Vec::<String>::new());
}

#[tokio::test]
async fn a_subscription_survives_a_restart_of_the_backend() {
    let a = Backend::builder().resource(resource("a://1"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let mut client = world.client().await;
    client.session.listening(true);
    client.ok("resources/subscribe", json!({"uri": "a://1"})).await;
    a.wait_listeners(2).await.unwrap();
    a.restart().await.unwrap();
    client.ok("resources/read", json!({"uri": "a://1"})).await;
    a.wait_for("resources/subscribe", 2).await.unwrap();
    a.wait_listeners(2).await.unwrap();
    assert_eq!(a.resource_updated("a://1").await, 1);
    client.told("notifications/resources/updated").await;
}

#[tokio::test]
async fn a_backend_without_subscriptions_is_not_asked_for_one() {
    let a = Backend::builder()
        .capabilities(json!({"resources": {}}))
        .resource(resource("a://1"), Answer::usual())
        .start()
        .await
        .unwrap();
    let b = Backend::builder().resource(resource("b://1"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a), http("b", &b)]).await;
    let client = world.client().await;
    let refused = client.refused("resources/subscribe", json!({"uri": "a://1"})).await;
    assert_eq!(refused, ErrorKind::MethodNotFound("resources/subscribe".into()));
    assert_eq!(a.count("resources/subscribe"), 0);
    client.ok("resources/subscribe", json!({"uri": "b://1"})).await;
}

#[tokio::test]
async fn a_resource_that_a_result_linked_to_is_read_where_the_result_came_from() {
    let link = json!({"content": [{"type": "resource_link", "uri": "gen://42", "name": "n"}]});
    let a = Backend::builder()
        .tool(tool("make"), Answer::result(link))
        .resource(resource("a://1"), Answer::usual())
        .on("resources/read", Answer::result(json!({"contents": []})))
        .start()
        .await
        .unwrap();
    let b = Backend::builder().resource(resource("b://1"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("b", &b), http("a", &a)]).await;
    let client = world.client().await;
    let refused = client.refused("resources/read", json!({"uri": "gen://42"})).await;
    assert_eq!(refused, ErrorKind::UnknownResource("gen://42".into()));
    client.ok("tools/call", json!({"name": "make"})).await;
    client.ok("resources/read", json!({"uri": "gen://42"})).await;
    assert_eq!(a.count("resources/read"), 1);
}
