//! Lists that change while clients are there: exactly one notification per kind, to exactly those concerned.

use std::time::Duration;

use serde_json::{Value, json};
use vmcp_config::ToolRules;
use vmcp_testkit::{Answer, Backend};

use crate::world::{World, bare, http, prompt, resource, tool};

fn everything() -> Value {
    json!({
        "tools": {"listChanged": true},
        "prompts": {"listChanged": true},
        "resources": {"listChanged": true},
    })
}

#[tokio::test]
async fn additions_and_removals_of_every_kind_are_told() {
    let a = Backend::builder()
        .capabilities(everything())
        .tool(tool("old"), Answer::usual())
        .start()
        .await
        .unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    a.wait_listeners(1).await.unwrap();
    let (mut one, mut two) = (world.client().await, world.client().await);

    a.set_tool(tool("new"), Answer::text("new"));
    a.list_changed("tools").await;
    for client in [&mut one, &mut two] {
        client.told("notifications/tools/list_changed").await;
        assert_eq!(client.list("tools/list").await, ["old", "new"]);
    }
    a.remove_tool("old");
    a.remove_tool("new");
    a.list_changed("tools").await;
    one.told("notifications/tools/list_changed").await;
    assert!(one.list("tools/list").await.is_empty());

    a.set_prompt(prompt("p"), Answer::usual());
    a.list_changed("prompts").await;
    one.told("notifications/prompts/list_changed").await;
    assert_eq!(one.list("prompts/list").await, ["p"]);

    a.set_resource(resource("a://1"), Answer::usual());
    a.list_changed("resources").await;
    one.told("notifications/resources/list_changed").await;
    assert_eq!(one.list("resources/list").await, ["a://1"]);

    a.remove_prompt("p");
    a.list_changed("prompts").await;
    one.told("notifications/prompts/list_changed").await;
    assert!(one.list("prompts/list").await.is_empty());

    a.remove_resource("a://1");
    a.list_changed("resources").await;
    one.told("notifications/resources/list_changed").await;
    assert!(one.list("resources/list").await.is_empty());

    // Templates share the notification of resources.
    a.set_template(json!({"uriTemplate": "a://{n}", "name": "n"}), Answer::usual());
    a.list_changed("resources").await;
    one.told("notifications/resources/list_changed").await;
    assert_eq!(one.list("resources/templates/list").await, ["a://{n}"]);
    a.remove_template("a://{n}");
    a.list_changed("resources").await;
    one.told("notifications/resources/list_changed").await;
    assert!(one.list("resources/templates/list").await.is_empty());
    assert_eq!(one.so_far(), Vec::<String>::new());
}

#[tokio::test]
async fn a_storm_is_one_notification() {
    let a = Backend::builder()
        .capabilities(everything())
        .tool(tool("t0"), Answer::usual())
        .start()
        .await
        .unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    a.wait_listeners(1).await.unwrap();
    let mut client = world.client().await;
    for n in 1..=10 {
        a.set_tool(tool(&format!("t{n}")), Answer::usual());
        a.list_changed("tools").await;
    }
    client.told("notifications/tools/list_changed").await;
    world.until("all", |status| status.advertised.tools == 11).await;
    // What follows waits behind a change of another kind, so that everything before it has been told.
    a.set_resource(resource("a://1"), Answer::usual());
    a.list_changed("resources").await;
    client.told("notifications/resources/list_changed").await;
    let more = client.so_far().len();
    assert!(more <= 1, "one more at most, if the listing was caught in the middle: {more}");
}

#[tokio::test]
async fn a_change_that_nobody_can_see_is_not_told() {
    let a = Backend::builder()
        .capabilities(everything())
        .tool(tool("seen"), Answer::usual())
        .start()
        .await
        .unwrap();
    let mut config = bare();
    let rules = ToolRules { filter: Some(["seen".to_owned()].into()), ..ToolRules::default() };
    config.aggregation.tools.insert("a".into(), rules);
    let world = World::settled(config, vec![http("a", &a)]).await;
    a.wait_listeners(1).await.unwrap();
    let mut client = world.client().await;
    a.set_tool(tool("hidden"), Answer::usual());
    a.list_changed("tools").await;
    world.until("listed again", |status| status.backends[0].offers.tools == 2).await;
    a.set_resource(resource("a://1"), Answer::usual());
    a.list_changed("resources").await;
    client.told("notifications/resources/list_changed").await;
    assert_eq!(client.so_far(), Vec::<String>::new());
}

#[tokio::test]
async fn a_change_announced_on_a_calls_reply_is_noticed_too() {
    let grow = Answer::text("grown").notify("notifications/tools/list_changed", "{}");
    let a = Backend::builder().tool(tool("grow"), grow).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let mut client = world.client().await;
    a.set_tool(tool("more"), Answer::usual());
    let heard = client.hear("tools/call", json!({"name": "grow"})).await.unwrap();
    assert!(heard.notifications.is_empty(), "told by the diff, once: {:?}", heard.notifications);
    client.told("notifications/tools/list_changed").await;
    assert_eq!(client.list("tools/list").await, ["grow", "more"]);
}

#[tokio::test]
async fn a_change_before_the_catalogue_hears_of_changes_is_noticed() {
    for stateless in [false, true] {
        let a = Backend::builder().capabilities(everything()).tool(tool("old"), Answer::usual());
        let (a, listening) = match stateless {
            true => (a.stateless(), "subscriptions/listen"),
            false => (a, "GET"),
        };
        let a = a.on(listening, Answer::status(503)).start().await.unwrap();
        let mut target = http("a", &a);
        target.limits.reconnect = Duration::from_millis(10);
        target.limits.max_reconnect = Duration::from_millis(20);
        let world = World::settled(bare(), vec![target]).await;
        a.wait_for(listening, 1).await.unwrap();
        let mut client = world.client().await;
        a.set_tool(tool("new"), Answer::text("new"));
        a.list_changed("tools").await;
        a.on(listening, None);
        client.told("notifications/tools/list_changed").await;
        assert_eq!(client.list("tools/list").await, ["old", "new"]);
    }
}
