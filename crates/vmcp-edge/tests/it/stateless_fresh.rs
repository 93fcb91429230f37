//! How long lists are fresh, and for whom, depends on what they are joined from.

use std::time::Duration;

use serde_json::{Value, json};
use vmcp_backend::BackendTarget;
use vmcp_testkit::{Answer, Backend, Builder};

use crate::rig::{Rig, target, tool};

fn with_tool(name: &str) -> Builder {
    Backend::builder().tool(tool(name), Answer::text("x"))
}

/// One that says how long its lists are fresh.
async fn says(name: &str, time: u64, scope: &str) -> Backend {
    with_tool(name).stateless().cacheable(time, scope).start().await.unwrap()
}

/// One that says nothing of it, but when they change, or not even that.
async fn silent(name: &str, announces: bool) -> Backend {
    let capabilities = json!({"tools": {"listChanged": announces}});
    with_tool(name).capabilities(capabilities).start().await.unwrap()
}

fn of(result: &Value) -> (u64, &str) {
    (result["ttlMs"].as_u64().unwrap(), result["cacheScope"].as_str().unwrap())
}

/// What is said of the tools that these have together.
async fn tools(backends: &[&Backend]) -> (u64, String) {
    let at = |(at, backend): (usize, &&Backend)| target(&format!("b{at}"), backend);
    let rig = Rig::with(backends.iter().enumerate().map(at).collect(), |_| {}).await;
    listed(&rig).await
}

async fn listed(rig: &Rig) -> (u64, String) {
    let told = rig.stateless().call("tools/list", json!({})).await.unwrap();
    let (time, scope) = of(&told["result"]);
    (time, scope.to_owned())
}

#[tokio::test]
async fn a_list_is_fresh_for_what_is_left_of_its_shortest_part() {
    let (long, short) = (says("l", 600_000, "public").await, says("s", 300_000, "private").await);
    let (time, scope) = tools(&[&long]).await;
    assert!((500_000..=600_000).contains(&time) && scope == "public", "{time} {scope}");
    let (time, scope) = tools(&[&long, &short]).await;
    assert!((200_000..=300_000).contains(&time) && scope == "private", "{time} {scope}");
}

#[tokio::test]
async fn who_says_nothing_bounds_nothing_if_changes_are_told_and_all_if_not() {
    let says = says("l", 600_000, "public").await;
    let (told, untold) = (silent("t", true).await, silent("u", false).await);
    let (time, scope) = tools(&[&says, &told]).await;
    assert!((500_000..=600_000).contains(&time) && scope == "public", "{time} {scope}");
    assert_eq!(tools(&[&says, &untold]).await, (0, "public".to_owned()));
    // Nobody promises anything.
    assert_eq!(tools(&[&told]).await, (0, "public".to_owned()));
}

#[tokio::test]
async fn a_backend_that_does_not_listen_to_us_does_not_tell() {
    // It says that it announces changes, and has no stream on which it could.
    let says = says("l", 600_000, "public").await;
    let refuses = with_tool("t").on("GET", Answer::status(405)).start().await.unwrap();
    let targets = vec![target("a", &says), target("b", &refuses)];
    let rig =
        Rig::with(targets, |config| config.timeouts.refresh = Duration::from_millis(20)).await;
    let refused = async {
        while listed(&rig).await.0 != 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(vmcp_testkit::PATIENCE, refused).await.unwrap();
}

#[tokio::test]
async fn a_backend_that_is_missing_may_come_back() {
    let says = says("l", 600_000, "public").await;
    let gone = says_gone().await;
    let rig = Rig::with(vec![target("a", &says), gone], |config| {
        config.timeouts.reconnect = Duration::from_secs(100);
        config.timeouts.max_reconnect = Duration::from_secs(100);
    });
    let (time, scope) = listed(&rig.await).await;
    assert!((50_000..=100_000).contains(&time) && scope == "public", "{time} {scope}");
}

async fn says_gone() -> BackendTarget {
    let gone = says("g", 1, "public").await;
    let target = target("g", &gone);
    gone.down().await;
    target
}

#[tokio::test]
async fn the_other_lists_and_the_introduction_say_it_too() {
    let resource = json!({"uri": "test://r", "name": "r"});
    let builder = with_tool("t").stateless().cacheable(600_000, "public");
    let builder = builder.prompt(json!({"name": "p"}), Answer::text("x"));
    let backend = builder.resource(resource, Answer::text("x")).start().await.unwrap();
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    for method in [
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
    ] {
        let told = client.call(method, json!({})).await.unwrap();
        let (time, scope) = of(&told["result"]);
        assert!((500_000..=600_000).contains(&time) && scope == "public", "{method}: {told}");
    }
    let called = client.tool("t", json!({})).await.unwrap();
    assert!(called["result"].get("ttlMs").is_none(), "{called}");
}

#[tokio::test]
async fn what_is_the_same_both_ways_stays_fresh_by_either() {
    let builder = with_tool("t").dual().cacheable(600_000, "public");
    let backend = builder.start().await.unwrap();
    let often = |config: &mut vmcp_config::Config| {
        config.timeouts.refresh = Duration::from_millis(20);
    };
    let rig = Rig::with(vec![target("b", &backend)], often).await;
    backend.wait_for("server/discover", 3).await.unwrap();
    let (time, scope) = listed(&rig).await;
    assert!((500_000..=600_000).contains(&time) && scope == "public", "{time} {scope}");
}

#[tokio::test]
async fn what_depends_on_the_client_is_private() {
    // It has more for who can be asked.
    let answer = Answer::with(|call| {
        let capabilities = &call.params()["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        let more = capabilities["elicitation"].is_object().then(|| tool("more"));
        let tools: Vec<Value> = [tool("t")].into_iter().chain(more).collect();
        Answer::result(json!({"tools": tools, "ttlMs": 600_000, "cacheScope": "public"}))
    });
    let builder = with_tool("t").stateless().on("tools/list", answer);
    let backend = builder.start().await.unwrap();
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    client.set_capabilities(json!({"elicitation": {"form": {}}}));
    client.tool("t", json!({})).await.unwrap();
    let own = async {
        loop {
            let told = client.call("tools/list", json!({})).await.unwrap();
            if told["result"]["tools"].as_array().unwrap().len() == 2 {
                break told;
            }
            tokio::task::yield_now().await;
        }
    };
    let told = tokio::time::timeout(vmcp_testkit::PATIENCE, own).await.unwrap();
    let (time, scope) = of(&told["result"]);
    assert!((500_000..=600_000).contains(&time) && scope == "private", "{told}");
    assert_eq!(listed(&rig).await.1, "public", "for everybody else it is as it was");
}
