//! Backends that are late, silent or broken, and clients that do not notice.

use std::time::{Duration, Instant};

use serde_json::json;
use vmcp_backend::ErrorKind;
use vmcp_gateway::{BackendState, Reason};
use vmcp_testkit::{Answer, Backend, Gate};

use crate::world::{World, at, bare, http, tool};

#[tokio::test]
async fn a_black_hole_delays_nobody() {
    let hole = Backend::builder().start().await.unwrap();
    hole.every(Answer::never());
    let good = Backend::builder().tool(tool("x"), Answer::text("hi")).start().await.unwrap();
    let world = World::start(bare(), vec![http("hole", &hole), http("good", &good)]);
    let began = Instant::now();
    let client = world.client().await;
    assert_eq!(client.list("tools/list").await, ["x"]);
    assert_eq!(client.text("x", json!({})).await, "hi");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let began = Instant::now();
    let _second = world.client().await;
    assert!(
        began.elapsed() < Duration::from_millis(100),
        "the wait is over: {:?}",
        began.elapsed()
    );
    assert_eq!(world.status().backends[0].state, BackendState::Connecting);
}

#[tokio::test]
async fn nobody_waits_once_every_backend_was_tried() {
    let good = Backend::builder().tool(tool("x"), Answer::usual()).start().await.unwrap();
    let refusing = "http://127.0.0.1:1/mcp";
    let world = World::start(bare(), vec![http("good", &good), at("none", refusing)]);
    let began = Instant::now();
    let client = world.client().await;
    assert!(began.elapsed() < Duration::from_millis(1000), "{:?}", began.elapsed());
    assert_eq!(client.list("tools/list").await, ["x"]);
    let status = world.status();
    assert_eq!(status.backends[1].state, BackendState::Failed);
    assert_eq!(status.backends[1].reason, Some(Reason::Unreachable));
    assert!(status.backends[1].next_try.is_some() && status.backends[1].last_error.is_some());
    assert_eq!(status.backends[0].state, BackendState::Ready);
    assert_eq!(status.backends[0].offers.tools, 1);
}

#[tokio::test]
async fn a_late_backend_joins_the_clients_that_are_there() {
    let gate = Gate::new();
    let late = Backend::builder()
        .tool(tool("late"), Answer::text("here"))
        .on("initialize", Answer::usual().gate(&gate))
        .start()
        .await
        .unwrap();
    let mut config = bare();
    config.timeouts.first_catalogue = Duration::from_millis(50);
    let world = World::start(config, vec![http("late", &late)]);
    let mut client = world.client().await;
    assert!(client.list("tools/list").await.is_empty());
    let capabilities = client.session.capabilities();
    assert!(capabilities.starts_with(br#"{"tools":{"listChanged":true}"#), "{capabilities:?}");
    gate.open();
    client.told("notifications/tools/list_changed").await;
    assert_eq!(client.list("tools/list").await, ["late"]);
    assert_eq!(client.text("late", json!({})).await, "here");
    assert_eq!(client.so_far(), Vec::<String>::new(), "one notification, and of one kind");
}

#[tokio::test]
async fn a_backend_that_was_down_at_the_start_joins_when_it_comes_up() {
    let a = Backend::builder().tool(tool("x"), Answer::text("hi")).start().await.unwrap();
    a.down().await;
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let mut client = world.client().await;
    assert!(client.list("tools/list").await.is_empty());
    a.up().await.unwrap();
    client.told("notifications/tools/list_changed").await;
    assert_eq!(client.text("x", json!({})).await, "hi");
    world.until("ready", |status| status.backends[0].state == BackendState::Ready).await;
}

#[tokio::test]
async fn a_backend_that_goes_down_keeps_what_it_offered_and_heals() {
    let a = Backend::builder().tool(tool("x"), Answer::text("hi")).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let mut client = world.client().await;
    assert_eq!(client.text("x", json!({})).await, "hi");
    a.down().await;
    let refused = client.refused("tools/call", json!({"name": "x"})).await;
    assert_eq!(refused, ErrorKind::Unavailable);
    world.until("stale", |status| status.backends[0].state == BackendState::Stale).await;
    assert_eq!(client.list("tools/list").await, ["x"]);
    a.forget_sessions();
    a.set_tool(tool("y"), Answer::text("new"));
    a.up().await.unwrap();
    client.told("notifications/tools/list_changed").await;
    assert_eq!(client.list("tools/list").await, ["x", "y"]);
    assert_eq!(client.text("y", json!({})).await, "new");
}

#[tokio::test]
async fn a_backend_that_comes_and_goes_costs_the_others_nothing() {
    let mut backends = Vec::new();
    for n in 0..20 {
        let name = format!("t{n}");
        let answer = Answer::text(name.clone());
        backends.push(Backend::builder().tool(tool(&name), answer).start().await.unwrap());
    }
    let targets =
        backends.iter().enumerate().map(|(n, backend)| http(&format!("b{n}"), backend)).collect();
    let world = World::settled(bare(), targets).await;
    let client = world.client().await;
    let flapping = backends.remove(0);
    let flaps = async {
        for _ in 0..20 {
            flapping.down().await;
            // Whoever finds it so has to say it; it may also come up before anybody asks.
            let _ = client.hear("tools/call", json!({"name": "t0"})).await;
            flapping.up().await.unwrap();
            let _ = client.hear("tools/call", json!({"name": "t0"})).await;
        }
    };
    let calls = async {
        for _ in 0..10 {
            for n in 1..20 {
                let name = format!("t{n}");
                assert_eq!(client.text(&name, json!({})).await, name);
            }
        }
    };
    tokio::join!(flaps, calls);
    let handshakes: Vec<usize> =
        backends.iter().map(|backend| backend.count("initialize")).collect();
    assert_eq!(handshakes, [2; 19], "one of the catalogue, one of the client");
    assert_eq!(client.list("tools/list").await.len(), 20);
}
