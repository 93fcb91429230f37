//! Backends that speak both with a handshake and without: each client is told what it would get from them by itself.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use vmcp_config::Config;
use vmcp_testkit::{Answer, Backend, Builder, Era};

use crate::world::{World, bare, http, tool};

const TASKS: &str = "io.modelcontextprotocol/tasks";
const CHANGED: &str = "notifications/tools/list_changed";

/// Tools by the way that a backend is asked for them.
#[derive(Clone, Default)]
struct Tools {
    session: Arc<Mutex<Vec<&'static str>>>,
    stateless: Arc<Mutex<Vec<&'static str>>>,
}

fn is_stateless(params: &Value) -> bool {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"].is_string()
}

impl Tools {
    fn of(session: &[&'static str], stateless: &[&'static str]) -> Self {
        let own = |names: &[&'static str]| Arc::new(Mutex::new(names.to_vec()));
        Self { session: own(session), stateless: own(stateless) }
    }

    fn listed(&self) -> Answer {
        let own = self.clone();
        Answer::with(move |call| {
            let names = if is_stateless(&call.params()) { &own.stateless } else { &own.session };
            let tools: Vec<Value> = names.lock().iter().map(|name| tool(name)).collect();
            Answer::result(json!({"tools": tools, "resultType": "complete"}))
        })
    }
}

/// Speaks both ways, and has the same tools in both.
fn dual() -> Builder {
    Backend::builder().dual().tool(tool("t"), Answer::text("x"))
}

/// Says something else of itself to those who do not shake hands.
fn told_apart(capabilities: &Value) -> Answer {
    Answer::result(json!({
        "supportedVersions": ["2026-07-28", "2025-11-25"],
        "capabilities": capabilities,
        "instructions": "without",
        "resultType": "complete",
    }))
}

fn tasks() -> Value {
    json!({"tools": {"listChanged": true}, "extensions": {TASKS: {}}})
}

/// Lists so often that a test sees it.
fn restless() -> Config {
    let mut config = bare();
    config.timeouts.refresh = Duration::from_millis(20);
    config
}

fn lists(backend: &Backend, stateless: bool) -> usize {
    let heard = backend.heard("tools/list");
    heard.iter().filter(|heard| is_stateless(&heard.json()["params"]) == stateless).count()
}

fn capabilities(client: &crate::world::TestClient) -> Value {
    serde_json::from_slice(&client.session.capabilities()).unwrap()
}

#[tokio::test]
async fn each_client_is_told_what_it_would_get_by_itself() {
    let tools = Tools::of(&["t", "old"], &["t", "new"]);
    let builder = dual().tool(tool("old"), Answer::text("y")).instructions("with");
    let builder = builder.on("server/discover", told_apart(&tasks()));
    let backend = builder.on("tools/list", tools.listed()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("b", &backend)]).await;
    let (client, guest) = (world.client_with(json!({})).await, world.guest().await);
    assert_eq!(client.list("tools/list").await, ["t", "old"]);
    assert_eq!(guest.list("tools/list").await, ["t", "new"]);
    assert_eq!(capabilities(&client)["extensions"], Value::Null);
    assert_eq!(capabilities(&guest)["extensions"], json!({TASKS: {}}));
    assert_eq!(client.session.instructions().unwrap(), "with");
    assert_eq!(guest.session.instructions().unwrap(), "without");
    assert_eq!(client.text("old", json!({})).await, "y");
    guest.refused("tools/call", json!({"name": "old"})).await;
    assert_eq!(backend.count("tools/call"), 1);
}

#[tokio::test]
async fn where_both_ways_are_alike_the_second_costs_one_question() {
    // Without a stream that opens after the first listing, and makes another one necessary.
    let backend = dual().on("GET", Answer::status(405)).start().await.unwrap();
    let world = World::settled(restless(), vec![http("b", &backend)]).await;
    backend.wait_for("server/discover", 4).await.unwrap();
    assert_eq!(lists(&backend, true), 1, "listed once to know that it is the same");
    assert!(lists(&backend, false) >= 4);
    assert_eq!(backend.count("initialize"), 1);
    assert_eq!(world.guest().await.list("tools/list").await, ["t"]);
}

#[tokio::test]
async fn a_backend_that_only_shakes_hands_is_asked_once() {
    let backend = Backend::builder().tool(tool("t"), Answer::text("x")).start().await.unwrap();
    let _world = World::settled(restless(), vec![http("b", &backend)]).await;
    backend.wait_for("tools/list", 4).await.unwrap();
    assert_eq!(backend.count("server/discover"), 1);
}

#[tokio::test]
async fn a_change_is_told_to_those_whom_it_concerns() {
    let tools = Tools::of(&["t"], &["t"]);
    let backend = dual().on("tools/list", tools.listed()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("b", &backend)]).await;
    let (mut client, mut guest) = (world.client_with(json!({})).await, world.guest().await);
    // Alike so far. The catalogue hears of it by the handshake's session, where nothing is new.
    tools.stateless.lock().push("u");
    backend.list_changed("tools").await;
    guest.told(CHANGED).await;
    assert_eq!(guest.list("tools/list").await, ["t", "u"]);
    assert_eq!(client.list("tools/list").await, ["t"]);
    assert_eq!(client.so_far(), Vec::<String>::new());
    // The other way round, with two lists.
    tools.session.lock().push("s");
    backend.list_changed("tools").await;
    client.told(CHANGED).await;
    assert_eq!(client.list("tools/list").await, ["t", "s"]);
    assert_eq!(guest.so_far(), Vec::<String>::new());
    // Alike again.
    *tools.session.lock() = vec!["t", "u"];
    backend.list_changed("tools").await;
    client.told(CHANGED).await;
    assert_eq!(client.list("tools/list").await, ["t", "u"]);
    assert_eq!(guest.so_far(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_not_spoken_any_more_is_not_offered_any_more() {
    let tools = Tools::of(&["t"], &["t", "new"]);
    let backend = dual().on("tools/list", tools.listed()).start().await.unwrap();
    let world = World::settled(restless(), vec![http("b", &backend)]).await;
    let mut guest = world.guest().await;
    assert_eq!(guest.list("tools/list").await, ["t", "new"]);
    backend.set_era(Era::Legacy);
    guest.told(CHANGED).await;
    assert_eq!(guest.list("tools/list").await, ["t"]);
}

#[tokio::test]
async fn a_backend_that_learns_to_do_without_a_handshake_is_found_out() {
    let tools = Tools::of(&["t"], &["t", "new"]);
    let builder = Backend::builder().tool(tool("t"), Answer::text("x"));
    let backend = builder.on("tools/list", tools.listed()).start().await.unwrap();
    let world = World::settled(restless(), vec![http("b", &backend)]).await;
    let mut guest = world.guest().await;
    assert_eq!(guest.list("tools/list").await, ["t"]);
    // It is replaced in place by a newer one, which knows nothing of the old one's sessions.
    backend.set_era(Era::Dual);
    backend.forget_sessions();
    guest.told(CHANGED).await;
    assert_eq!(guest.list("tools/list").await, ["t", "new"]);
}

#[tokio::test]
async fn nobody_with_a_session_waits_for_the_answer_to_the_question() {
    let backend = dual().on("server/discover", Answer::never()).start().await.unwrap();
    let mut target = http("b", &backend);
    target.limits.probe = Duration::from_secs(3600);
    target.timeouts.connect = Duration::from_secs(3600);
    let mut config = bare();
    config.timeouts.first_catalogue = Duration::from_secs(3600);
    let world = World::start(config, vec![target]);
    let client = world.client_with(json!({})).await;
    assert_eq!(client.list("tools/list").await, ["t"]);
}

#[tokio::test]
async fn a_backend_without_a_handshake_is_asked_again_what_it_is() {
    let builder = Backend::builder().stateless().tool(tool("t"), Answer::text("x"));
    let backend = builder.start().await.unwrap();
    let world = World::settled(restless(), vec![http("b", &backend)]).await;
    backend.on("server/discover", told_apart(&tasks()));
    let learnt = async {
        while capabilities(&world.guest().await)["extensions"].is_null() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(vmcp_testkit::PATIENCE, learnt).await.unwrap();
    assert_eq!(world.guest().await.session.instructions().unwrap(), "without");
    // One stream of changes, whatever was asked meanwhile.
    backend.wait_listeners(1).await.unwrap();
}

#[tokio::test]
async fn a_list_is_read_again_when_it_is_fresh_no_more() {
    let builder = Backend::builder().stateless().cacheable(30, "public");
    let backend = builder.tool(tool("t"), Answer::text("x")).start().await.unwrap();
    let mut config = bare();
    config.timeouts.refresh = Duration::from_secs(3600);
    config.timeouts.min_refresh = Duration::from_millis(10);
    let world = World::settled(config, vec![http("b", &backend)]).await;
    let mut guest = world.guest().await;
    // Nothing announces it.
    backend.set_tool(tool("u"), Answer::text("x"));
    guest.told(CHANGED).await;
    assert_eq!(guest.list("tools/list").await, ["t", "u"]);
}

#[tokio::test]
async fn when_a_list_is_read_again_is_within_what_is_configured() {
    let hour = Duration::from_secs(3600);
    for (time, least, most) in [
        (30, hour - Duration::from_secs(60), hour),
        (5_400_000, hour, 2 * hour),
        (1_000 * 3600 * 24, hour, 2 * hour),
        (0, hour, 2 * hour),
    ] {
        let builder = Backend::builder().stateless().cacheable(time, "public");
        let backend = builder.tool(tool("t"), Answer::text("x")).start().await.unwrap();
        let mut config = bare();
        config.timeouts.refresh = 2 * hour;
        config.timeouts.min_refresh = hour;
        let world = World::settled(config, vec![http("b", &backend)]).await;
        let next = world.status().backends[0].next_try.unwrap();
        assert!(next > least && next <= most, "{time}: {next:?}");
    }
}
