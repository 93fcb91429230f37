//! What time does, with a paused clock and servers in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::broadcast;
use vmcp_backend::{BackendTarget, Endpoint};
use vmcp_gateway::BackendState;

use crate::world::{World, bare, tool};

/// A server in this process whose tools can be changed, and which can be out of order.
struct Server {
    tools: Mutex<Vec<Value>>,
    broken: AtomicBool,
    listed: AtomicUsize,
    opened: AtomicUsize,
    /// Lines for everybody who is connected.
    say: broadcast::Sender<String>,
}

impl Server {
    fn new(tools: &[&str]) -> Arc<Self> {
        Arc::new(Self {
            tools: Mutex::new(tools.iter().map(|name| tool(name)).collect()),
            broken: AtomicBool::new(false),
            listed: AtomicUsize::new(0),
            opened: AtomicUsize::new(0),
            say: broadcast::Sender::new(64),
        })
    }

    fn target(self: &Arc<Self>, id: &str) -> BackendTarget {
        let server = self.clone();
        let open = move || {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            server.opened.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(theirs, server.clone()));
            ours
        };
        BackendTarget::new(id, Endpoint::InProcess(Arc::new(open)))
    }

    fn announce(&self) {
        let line = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
        self.say.send(line.to_owned()).unwrap();
    }

    fn listed(&self) -> usize {
        self.listed.load(Ordering::Relaxed)
    }
}

async fn serve(stream: DuplexStream, server: Arc<Server>) {
    let (input, mut output) = tokio::io::split(stream);
    let mut lines = BufReader::new(input).lines();
    let mut said = server.say.subscribe();
    loop {
        let line = tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => line,
                _ => return,
            },
            said = said.recv() => {
                let line = said.unwrap();
                output.write_all(format!("{line}\n").as_bytes()).await.unwrap();
                continue;
            }
        };
        let message: Value = serde_json::from_str(&line).unwrap();
        if server.broken.load(Ordering::Relaxed) {
            return;
        }
        let result = match message["method"].as_str().unwrap_or_default() {
            "initialize" => json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {"listChanged": true}},
                "serverInfo": {"name": "in-process", "version": "1"},
            }),
            "tools/list" => {
                server.listed.fetch_add(1, Ordering::Relaxed);
                json!({"tools": server.tools.lock().clone()})
            }
            _ => json!({}),
        };
        if message.get("id").is_some() {
            let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
            output.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_announces_is_found_in_time() {
    let server = Server::new(&["a"]);
    let world = World::settled(bare(), vec![server.target("s")]).await;
    let mut client = world.client().await;
    server.tools.lock().push(tool("b"));
    let began = tokio::time::Instant::now();
    world.gateway.when(|status| status.advertised.tools == 2).await;
    assert!(began.elapsed() <= Duration::from_secs(61), "{:?}", began.elapsed());
    client.told("notifications/tools/list_changed").await;
    assert_eq!(client.list("tools/list").await, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_stays_away_is_forgotten_and_comes_back() {
    let server = Server::new(&["a"]);
    let world = World::settled(bare(), vec![server.target("s")]).await;
    let mut client = world.client().await;
    server.broken.store(true, Ordering::Relaxed);
    world.gateway.when(|status| status.backends[0].state == BackendState::Stale).await;
    assert_eq!(client.list("tools/list").await, ["a"], "kept for a while");
    let opened = server.opened.load(Ordering::Relaxed);
    let began = tokio::time::Instant::now();
    world.gateway.when(|status| status.backends[0].state == BackendState::Failed).await;
    let away = began.elapsed();
    assert!((Duration::from_secs(500)..Duration::from_secs(660)).contains(&away), "{away:?}");
    assert!(client.list("tools/list").await.is_empty());
    client.told("notifications/tools/list_changed").await;
    let attempts = server.opened.load(Ordering::Relaxed) - opened;
    assert!((15..60).contains(&attempts), "{attempts} attempts in {away:?}");

    server.broken.store(false, Ordering::Relaxed);
    world.gateway.when(|status| status.backends[0].state == BackendState::Ready).await;
    client.told("notifications/tools/list_changed").await;
    assert_eq!(client.list("tools/list").await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_announces_what_is_no_change_is_listed_less_and_less() {
    let server = Server::new(&["a"]);
    let world = World::settled(bare(), vec![server.target("s")]).await;
    let mut client = world.client().await;
    let before = server.listed();
    let mut every = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..300 {
        every.tick().await;
        server.announce();
    }
    let listings = server.listed() - before;
    assert!((5..25).contains(&listings), "{listings} listings in 30 s");
    assert_eq!(client.so_far(), Vec::<String>::new());

    server.tools.lock().push(tool("b"));
    server.announce();
    client.told("notifications/tools/list_changed").await;
    assert_eq!(client.list("tools/list").await, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_within_a_fraction_of_a_second() {
    let server = Server::new(&["a"]);
    let world = World::settled(bare(), vec![server.target("s")]).await;
    let mut client = world.client().await;
    for name in ["b", "c", "d"] {
        server.tools.lock().push(tool(name));
        let began = tokio::time::Instant::now();
        server.announce();
        client.told("notifications/tools/list_changed").await;
        assert!(began.elapsed() < Duration::from_millis(300), "{:?}", began.elapsed());
    }
}
