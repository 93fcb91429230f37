//! What backends offered before a restart is shown at once, and put right when they answer.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use vmcp_backend::{BackendTarget, ErrorKind};
use vmcp_config::Config;
use vmcp_gateway::{BackendState, Index, Reason, Source};
use vmcp_testkit::{Answer, Backend, PATIENCE};

use crate::world::{World, bare, child, http, resource, tool};

const HOUR: Duration = Duration::from_secs(3600);
const CHANGED: &str = "notifications/tools/list_changed";

/// The folder that outlives every gateway.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn start(&self, config: Config, targets: Vec<BackendTarget>) -> World {
        World::resumed(config, targets, Some(Index::new(self.0.path(), HOUR)))
    }

    /// A gateway that has heard what there is, and is gone.
    async fn learns(&self, config: Config, targets: Vec<BackendTarget>) {
        let world = self.start(config, targets);
        assert!(world.gateway.settled(PATIENCE).await, "{:?}", world.status());
        world.gateway.close(PATIENCE).await;
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.0.path()).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    }
}

/// A backend with one tool, which answers with its name.
async fn backend(name: &str) -> Backend {
    let builder = Backend::builder().capabilities(json!({
        "tools": {"listChanged": true},
        "resources": {"listChanged": true},
    }));
    builder.tool(tool(name), Answer::text(name)).start().await.unwrap()
}

/// A client that waits for a backend waits in vain.
fn patient() -> Config {
    let mut config = bare();
    config.timeouts.first_catalogue = HOUR;
    config
}

#[tokio::test]
async fn clients_are_answered_before_any_backend_and_told_what_is_not_the_same() {
    let (same, other, gone) =
        (backend("same").await, backend("other").await, backend("gone").await);
    let home = Home::new();
    let targets = || vec![http("same", &same), http("other", &other), http("gone", &gone)];
    home.learns(bare(), targets()).await;
    gone.down().await;
    other.on("initialize", Answer::never());
    other.set_tool(tool("more"), Answer::text("more"));

    let world = home.start(patient(), targets());
    let mut client = tokio::time::timeout(PATIENCE, world.client()).await.unwrap();
    assert_eq!(client.list("tools/list").await, ["same", "other", "gone"]);
    let tools = json!({"listChanged": true});
    let capabilities: serde_json::Value =
        serde_json::from_slice(&client.session.capabilities()).unwrap();
    assert_eq!(capabilities, json!({"tools": tools, "resources": tools}));

    world.until("an answer", |status| status.backends[0].state == BackendState::Ready).await;
    world.until("a failure", |status| status.backends[2].reason.is_some()).await;
    let [same_now, other_now, gone_now] = &world.status().backends[..] else { panic!() };
    assert_eq!(same_now.source, Some(Source::Backend));
    assert_eq!((other_now.state, other_now.source), (BackendState::Stale, Some(Source::Index)));
    assert_eq!((gone_now.state, gone_now.source), (BackendState::Stale, Some(Source::Index)));
    assert_eq!((other_now.reason, gone_now.reason), (None, Some(Reason::Unreachable)));
    assert!(gone_now.age.is_some_and(|age| age < HOUR));
    // A call goes to the backend that is there now.
    assert_eq!(client.text("same", json!({})).await, "same");
    assert!(matches!(
        client.refused("tools/call", json!({"name": "gone"})).await,
        ErrorKind::Unavailable
    ));
    assert_eq!(client.so_far(), Vec::<String>::new(), "nothing has changed so far");

    other.on("initialize", None);
    // The attempt that hangs is given up when its connection breaks.
    other.restart().await.unwrap();
    client.told(CHANGED).await;
    assert_eq!(client.list("tools/list").await, ["same", "other", "more", "gone"]);
    same.wait_listeners(1).await.unwrap();
    same.set_resource(resource("a://1"), Answer::usual());
    same.list_changed("resources").await;
    client.told("notifications/resources/list_changed").await;
    assert_eq!(client.so_far(), Vec::<String>::new(), "each once");
}

#[tokio::test]
async fn only_what_is_reached_as_before_is_shown() {
    let (a, b) = (backend("one").await, backend("two").await);
    let home = Home::new();
    home.learns(bare(), vec![http("a", &a), http("b", &b)]).await;
    assert_eq!(home.files().len(), 2);
    a.down().await;
    b.down().await;
    let listed = async |targets| {
        let world = home.start(bare(), targets);
        world.client().await.list("tools/list").await
    };
    assert_eq!(listed(vec![http("a", &a), http("b", &b)]).await, ["one", "two"]);
    assert_eq!(listed(vec![http("b", &b)]).await, ["two"], "a is not configured any more");
    assert_eq!(listed(vec![http("c", &a), http("b", &b)]).await, ["two"], "a is another one");
    let mut other = http("a", &a);
    other.headers.push(("x-tenant".to_owned(), "other".into()));
    assert_eq!(listed(vec![other, http("b", &b)]).await, ["two"], "a is asked as another one");
}

#[tokio::test]
async fn a_file_that_is_no_use_is_left_aside_and_replaced() {
    let a = backend("one").await;
    let home = Home::new();
    let targets = || vec![http("a", &a)];
    home.learns(bare(), targets()).await;
    let [file] = &home.files()[..] else { panic!() };
    let whole = std::fs::read(file).unwrap();
    let newer = [&whole[..8], b"\xff\xff\xff\x7f", &whole[12..]].concat();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for bad in [Vec::new(), b"{}".to_vec(), whole[..whole.len() / 2].to_vec(), newer, damaged] {
        std::fs::write(file, &bad).unwrap();
        a.down().await;
        let mut eager = bare();
        eager.timeouts.reconnect = Duration::from_millis(1);
        eager.timeouts.max_reconnect = Duration::from_millis(20);
        let world = home.start(eager, targets());
        assert!(world.client().await.list("tools/list").await.is_empty());
        a.up().await.unwrap();
        world.until("an answer", |status| status.backends[0].state == BackendState::Ready).await;
        world.gateway.close(PATIENCE).await;
        a.down().await;
        let again = home.start(bare(), targets());
        assert_eq!(again.client().await.list("tools/list").await, ["one"]);
    }
}

#[tokio::test]
async fn what_is_too_old_to_be_shown_does_not_come_back() {
    let a = backend("one").await;
    let home = Home::new();
    home.learns(bare(), vec![http("a", &a)]).await;
    a.down().await;
    let mut config = bare();
    config.timeouts.stale = Duration::from_millis(1);
    config.timeouts.reconnect = Duration::from_millis(1);
    let world = home.start(config, vec![http("a", &a)]);
    let mut client = world.client().await;
    client.told(CHANGED).await;
    assert!(client.list("tools/list").await.is_empty());
    assert_eq!(world.status().backends[0].source, None);
    world.gateway.close(PATIENCE).await;
    assert_eq!(home.files(), Vec::<PathBuf>::new());
    let world = home.start(bare(), vec![http("a", &a)]);
    assert!(world.client().await.list("tools/list").await.is_empty());
}

#[tokio::test]
async fn a_call_after_a_restart_waits_for_the_process_that_it_is_for() {
    let home = Home::new();
    home.learns(bare(), vec![child("a", &[])]).await;
    let world = home.start(patient(), vec![child("a", &[])]);
    let client = world.client().await;
    // Nothing was awaited: the process may not even have been started.
    assert!(client.text("echo", json!({"text": "hello"})).await.contains("hello"));
    let broken = vec![child("a", &["--no-such-flag"])];
    let world = home.start(patient(), broken);
    assert_eq!(world.status().backends[0].source, None, "another process");
}

#[tokio::test]
async fn two_gateways_share_one_folder() {
    let (a, b) = (backend("one").await, backend("two").await);
    let home = Home::new();
    let targets = || vec![http("a", &a), http("b", &b)];
    let (first, second) = (home.start(bare(), targets()), home.start(bare(), vec![http("a", &a)]));
    assert!(first.gateway.settled(PATIENCE).await && second.gateway.settled(PATIENCE).await);
    tokio::join!(first.gateway.close(PATIENCE), second.gateway.close(PATIENCE));
    assert_eq!(home.files().len(), 2);
    a.down().await;
    b.down().await;
    let world = home.start(bare(), targets());
    assert_eq!(world.client().await.list("tools/list").await, ["one", "two"]);
}

#[tokio::test]
async fn a_change_is_kept_without_waiting_for_the_end() {
    let a = backend("one").await;
    let home = Home::new();
    let world = home.start(bare(), vec![http("a", &a)]);
    assert!(world.gateway.settled(PATIENCE).await);
    let kept = async |what: &str| {
        let wanted = async {
            loop {
                let other = World::resumed(
                    bare(),
                    vec![http("a", &a)],
                    Some(Index::new(home.0.path(), HOUR)),
                );
                // Known before any backend is asked.
                if other.status().advertised.tools == what.len() {
                    return;
                }
                other.gateway.close(PATIENCE).await;
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, wanted).await.unwrap();
    };
    kept("1").await;
    a.wait_listeners(1).await.unwrap();
    a.set_tool(tool("more"), Answer::usual());
    a.list_changed("tools").await;
    kept("12").await;
}
