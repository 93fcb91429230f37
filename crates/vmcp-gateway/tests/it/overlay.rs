//! Servers that offer more to a client that declared more: that client alone sees and uses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::broadcast;
use vmcp_backend::{BackendTarget, Endpoint, ErrorKind};

use crate::world::{TestClient, World, bare, tool};

const CHANGED: &str = "notifications/tools/list_changed";

/// A server in this process that offers some tools only to clients that declared `sampling`.
struct Server {
    tools: Mutex<Vec<Value>>,
    extra: Mutex<Vec<Value>>,
    /// It does not announce what it offers to the new client.
    silent: AtomicBool,
    /// Listings by clients that declared `sampling`.
    listed: AtomicUsize,
    /// So many of those to come fail.
    failing: AtomicUsize,
    /// What every connection is told to do.
    say: broadcast::Sender<Say>,
}

#[derive(Clone, Copy, PartialEq)]
enum Say {
    Changed,
    /// Only to clients that did not declare `sampling`, the catalogue among them.
    PlainChanged,
    /// Only to clients that declared `sampling`.
    ExtraChanged,
    /// Ends the connections of clients that declared `sampling`.
    Leave,
}

impl Server {
    fn new(tools: &[&str], extra: &[&str]) -> Arc<Self> {
        let written = |names: &[&str]| Mutex::new(names.iter().map(|name| tool(name)).collect());
        Arc::new(Self {
            tools: written(tools),
            extra: written(extra),
            silent: AtomicBool::new(false),
            listed: AtomicUsize::new(0),
            failing: AtomicUsize::new(0),
            say: broadcast::Sender::new(64),
        })
    }

    fn target(self: &Arc<Self>, id: &str) -> BackendTarget {
        let server = self.clone();
        let open = move || {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            tokio::spawn(serve(theirs, server.clone()));
            ours
        };
        BackendTarget::new(id, Endpoint::InProcess(Arc::new(open)))
    }

    fn say(&self, what: Say) {
        assert!(self.say.send(what).is_ok(), "nobody is connected");
    }

    fn offered(&self, sampling: bool) -> Vec<Value> {
        let mut tools = self.tools.lock().clone();
        if sampling {
            tools.extend(self.extra.lock().clone());
        }
        tools
    }

    fn fails(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.failing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn answer(&self, message: &Value, sampling: bool) -> Value {
        let result = match message["method"].as_str().unwrap_or_default() {
            "initialize" => json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {"listChanged": true}},
                "serverInfo": {"name": "in-process", "version": "1"},
            }),
            "tools/list" if sampling && self.fails() => {
                self.listed.fetch_add(1, Ordering::Relaxed);
                let error = json!({"code": -32603, "message": "not now"});
                return json!({"jsonrpc": "2.0", "id": message["id"], "error": error});
            }
            "tools/list" => {
                self.listed.fetch_add(usize::from(sampling), Ordering::Relaxed);
                json!({"tools": self.offered(sampling)})
            }
            "tools/call" => {
                let name = &message["params"]["name"];
                let known = self.offered(sampling).iter().any(|tool| tool["name"] == *name);
                assert!(known, "{name} was called by a client to which it is not offered");
                json!({"content": [{"type": "text", "text": name}]})
            }
            _ => json!({}),
        };
        json!({"jsonrpc": "2.0", "id": message["id"], "result": result})
    }
}

async fn serve(stream: DuplexStream, server: Arc<Server>) {
    let (input, mut output) = tokio::io::split(stream);
    let mut lines = BufReader::new(input).lines();
    let mut said = server.say.subscribe();
    let mut sampling = false;
    let changed = json!({"jsonrpc": "2.0", "method": CHANGED});
    loop {
        let out = tokio::select! {
            line = lines.next_line() => {
                let Ok(Some(line)) = line else { return };
                let message: Value = serde_json::from_str(&line).unwrap();
                sampling |= message["params"]["capabilities"].get("sampling").is_some();
                match message["method"].as_str() {
                    Some("notifications/initialized") => {
                        let announces = sampling && !server.silent.load(Ordering::Relaxed);
                        announces.then(|| changed.clone())
                    }
                    _ => message.get("id").map(|_| server.answer(&message, sampling)),
                }
            }
            said = said.recv() => match said.unwrap() {
                Say::Leave if sampling => return,
                Say::ExtraChanged if !sampling => None,
                Say::PlainChanged if sampling => None,
                Say::Leave => None,
                Say::Changed | Say::PlainChanged | Say::ExtraChanged => Some(changed.clone()),
            },
        };
        if let Some(out) = out
            && output.write_all(format!("{out}\n").as_bytes()).await.is_err()
        {
            return;
        }
    }
}

/// Lets everything happen that happens without being asked for.
async fn a_second_passes() {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    every.tick().await;
    every.tick().await;
}

/// A client that sees what is offered to it alone.
async fn sampling(world: &World) -> TestClient {
    let mut client = world.client_with(json!({"sampling": {}})).await;
    assert_eq!(client.text("a", json!({})).await, "a");
    client.told(CHANGED).await;
    client
}

#[tokio::test(start_paused = true)]
async fn what_is_offered_to_one_client_is_its_alone() {
    let server = Server::new(&["a"], &["more"]);
    let mut config = bare();
    config.aggregation.page_size = 1;
    let world = World::settled(config, vec![server.target("s")]).await;
    let mut plain = world.client_with(json!({})).await;
    plain.text("a", json!({})).await;
    let mut client = sampling(&world).await;

    let first = client.ok("tools/list", Value::Null).await;
    assert_eq!(first["tools"][0]["name"], "a");
    let second = client.ok("tools/list", json!({"cursor": first["nextCursor"]})).await;
    assert_eq!(second["tools"][0]["name"], "more");
    assert_eq!(client.text("more", json!({})).await, "more");

    assert_eq!(plain.list("tools/list").await, ["a"]);
    let refused = plain.refused("tools/call", json!({"name": "more"})).await;
    assert_eq!(refused, ErrorKind::UnknownTool("more".to_owned()));
    a_second_passes().await;
    assert_eq!(client.so_far(), Vec::<String>::new(), "told once");
    assert_eq!(plain.so_far(), Vec::<String>::new());
    assert_eq!(world.status().advertised.tools, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_announced_before_anybody_listened_is_found() {
    let server = Server::new(&["a"], &["more"]);
    server.silent.store(true, Ordering::Relaxed);
    let world = World::settled(bare(), vec![server.target("s")]).await;
    let client = sampling(&world).await;
    assert_eq!(client.list("tools/list").await, ["a", "more"]);
}

#[tokio::test(start_paused = true)]
async fn changes_of_the_catalogue_reach_a_session_with_a_view_of_its_own() {
    let (one, two) = (Server::new(&["a"], &["more"]), Server::new(&["x"], &[]));
    let world = World::settled(bare(), vec![one.target("one"), two.target("two")]).await;
    let mut client = sampling(&world).await;
    assert_eq!(client.list("tools/list").await, ["a", "more", "x"]);

    two.tools.lock().push(tool("y"));
    two.say(Say::Changed);
    client.told(CHANGED).await;
    assert_eq!(client.list("tools/list").await, ["a", "more", "x", "y"]);

    // Its own session does not say so, but what everybody is offered changed.
    one.tools.lock().push(tool("b"));
    one.say(Say::PlainChanged);
    client.told(CHANGED).await;
    a_second_passes().await;
    assert_eq!(client.list("tools/list").await, ["a", "b", "more", "x", "y"]);
    assert_eq!(client.so_far(), Vec::<String>::new(), "told once");
}

#[tokio::test(start_paused = true)]
async fn once_all_are_offered_the_same_all_see_the_same() {
    let server = Server::new(&["a"], &["more"]);
    let world = World::settled(bare(), vec![server.target("s")]).await;
    let mut client = sampling(&world).await;
    // What one had is now everybody's: nothing changes for the one.
    let extra = std::mem::take(&mut *server.extra.lock());
    server.tools.lock().extend(extra);
    server.say(Say::Changed);
    world.until("everybody's", |status| status.advertised.tools == 2).await;
    a_second_passes().await;
    assert_eq!(client.so_far(), Vec::<String>::new());

    // And again one has more, until it has not.
    server.extra.lock().push(tool("most"));
    server.say(Say::ExtraChanged);
    client.told(CHANGED).await;
    assert_eq!(client.list("tools/list").await, ["a", "more", "most"]);
    server.extra.lock().clear();
    server.say(Say::ExtraChanged);
    client.told(CHANGED).await;
    assert_eq!(client.list("tools/list").await, ["a", "more"]);
    let refused = client.refused("tools/call", json!({"name": "most"})).await;
    assert_eq!(refused, ErrorKind::UnknownTool("most".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_session_offered_goes_with_it_and_comes_back_with_the_next() {
    let server = Server::new(&["a"], &["more"]);
    let world = World::settled(bare(), vec![server.target("s")]).await;
    let mut client = sampling(&world).await;
    server.say(Say::Leave);
    client.told(CHANGED).await;
    assert_eq!(client.list("tools/list").await, ["a"]);
    client.text("a", json!({})).await;
    client.told(CHANGED).await;
    assert_eq!(client.text("more", json!({})).await, "more");
}

#[tokio::test(start_paused = true)]
async fn announcements_of_nothing_new_are_listed_less_and_less() {
    let server = Server::new(&["a"], &["more"]);
    let world = World::settled(bare(), vec![server.target("s")]).await;
    let mut client = sampling(&world).await;
    let before = server.listed.load(Ordering::Relaxed);
    let mut every = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..300 {
        every.tick().await;
        server.say(Say::ExtraChanged);
    }
    let listings = server.listed.load(Ordering::Relaxed) - before;
    assert!((5..25).contains(&listings), "{listings} listings in 30 s");
    assert_eq!(client.so_far(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_failed_is_tried_again_without_an_announcement() {
    let server = Server::new(&["a"], &["more"]);
    let world = World::settled(bare(), vec![server.target("s")]).await;
    let mut client = sampling(&world).await;
    server.failing.store(3, Ordering::Relaxed);
    server.extra.lock().push(tool("most"));
    server.say(Say::ExtraChanged);
    client.told(CHANGED).await;
    assert_eq!(server.failing.load(Ordering::Relaxed), 0);
    assert_eq!(client.list("tools/list").await, ["a", "more", "most"]);
}

#[tokio::test(start_paused = true)]
async fn listings_that_always_fail_come_to_an_end_and_an_announcement_waits_for_none() {
    let server = Server::new(&["a"], &["more"]);
    let world = World::settled(bare(), vec![server.target("s")]).await;
    let mut client = sampling(&world).await;
    let before = server.listed.load(Ordering::Relaxed);
    server.failing.store(usize::MAX, Ordering::Relaxed);
    server.say(Say::ExtraChanged);
    for _ in 0..3600 {
        a_second_passes().await;
    }
    let listings = server.listed.load(Ordering::Relaxed) - before;
    assert!((3..=8).contains(&listings), "{listings} listings in an hour");

    // Some attempts later, when the next would be far away.
    server.say(Say::ExtraChanged);
    for _ in 0..20 {
        a_second_passes().await;
    }
    server.failing.store(0, Ordering::Relaxed);
    server.extra.lock().push(tool("most"));
    let announced = tokio::time::Instant::now();
    server.say(Say::ExtraChanged);
    client.told(CHANGED).await;
    let late = announced.elapsed();
    assert!(late < Duration::from_secs(1), "{late:?}");
    assert_eq!(client.list("tools/list").await, ["a", "more", "most"]);
}
