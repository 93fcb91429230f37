//! Child processes: one for everybody, or one for each client session.

use serde_json::{Value, json};
use vmcp_auth::Identity;
use vmcp_backend::{Call, Cancel, ErrorKind};
use vmcp_config::{Backend, BackendId, Config, ProcessScope, Stdio, Transport};
use vmcp_gateway::{BackendState, Reason};

use crate::world::{World, bare, child};

async fn pid(client: &crate::world::TestClient) -> u64 {
    let said: Value = serde_json::from_str(&client.text("whoami", json!({})).await).unwrap();
    said["pid"].as_u64().unwrap()
}

/// A configuration that gives each client session a process of its own.
fn per_session(id: &str) -> Config {
    let mut config = bare();
    let stdio = Stdio {
        command: "unused".into(),
        args: Vec::new(),
        env: Vec::new(),
        cwd: None,
        process: ProcessScope::PerSession,
    };
    config.backends.push(Backend {
        protocol: vmcp_wire::revision::Protocol::Auto,
        id: BackendId::from(id),
        transport: Transport::Stdio(stdio),
        headers: Vec::new(),
        auth: vmcp_config::OutgoingAuth::default(),
        timeouts: vmcp_config::BackendTimeouts::default(),
        network: vmcp_config::Network::default(),
        ca_bundle: None,
    });
    config
}

#[tokio::test]
async fn a_shared_process_is_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let target = child("s", &["--pids", pids.to_str().unwrap()]);
    let world = World::settled(bare(), vec![target]).await;
    let (one, two) = (world.client().await, world.client().await);
    assert_eq!(pid(&one).await, pid(&two).await);
    one.session.close().await;
    assert!(pid(&two).await > 0, "the process is not the client's to end");
    assert_eq!(std::fs::read_to_string(&pids).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn with_a_process_per_session_nothing_is_shared() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let target = child("s", &["--pids", pids.to_str().unwrap()]);
    let world = World::settled(per_session("s"), vec![target]).await;
    let (one, two) = (world.client().await, world.client().await);
    let (first, second) = (pid(&one).await, pid(&two).await);
    assert_ne!(first, second);
    assert_eq!(pid(&one).await, first, "and it stays");
    let all = std::fs::read_to_string(&pids).unwrap();
    assert_eq!(all.lines().count(), 4, "two more for listing, one for each way, ended by now");
    assert_eq!(world.status().backends[0].sessions, 2);
    one.session.close().await;
    assert_eq!(world.status().backends[0].sessions, 1);
}

#[tokio::test]
async fn requests_of_a_shared_process_are_refused_and_those_of_an_own_one_relayed() {
    let world = World::settled(bare(), vec![child("s", &[])]).await;
    let client = world.client().await;
    let said: Value = serde_json::from_str(&client.text("sample", json!({})).await).unwrap();
    assert!(said["error"]["code"].is_i64(), "{said}");

    let world = World::settled(per_session("s"), vec![child("s", &[])]).await;
    let client = world.client().await;
    let said: Value = serde_json::from_str(&client.text("sample", json!({})).await).unwrap();
    assert_eq!(said["result"], json!({"answered": true}));
}

#[tokio::test]
async fn progress_on_a_shared_process_finds_its_call() {
    let world = World::settled(bare(), vec![child("s", &[])]).await;
    let (one, two) = (world.client().await, world.client().await);
    let params = |count| json!({"name": "progress", "arguments": {"count": count}, "_meta": {"progressToken": 0}});
    let (first, second) =
        tokio::join!(one.hear("tools/call", params(2)), two.hear("tools/call", params(3)));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.notifications.len(), second.notifications.len()), (2, 3));
    for message in first.notifications.iter().chain(&second.notifications) {
        assert_eq!(message["params"]["progressToken"], 0);
    }
}

#[tokio::test]
async fn subscriptions_to_a_shared_process_are_counted() {
    let world = World::settled(bare(), vec![child("s", &[])]).await;
    let (mut one, mut two) = (world.client().await, world.client().await);
    let uri = json!({"uri": "test://stdio"});
    one.ok("resources/subscribe", uri.clone()).await;
    two.ok("resources/subscribe", uri.clone()).await;
    two.text("update", json!({})).await;
    one.told("notifications/resources/updated").await;
    two.told("notifications/resources/updated").await;

    one.ok("resources/unsubscribe", uri.clone()).await;
    two.text("update", json!({})).await;
    two.told("notifications/resources/updated").await;
    assert_eq!(one.so_far(), Vec::<String>::new());

    two.session.close().await;
    let mut three = world.client().await;
    three.ok("resources/subscribe", uri.clone()).await;
    three.text("update", json!({})).await;
    three.told("notifications/resources/updated").await;
}

#[tokio::test]
async fn a_log_message_of_a_shared_process_goes_to_the_only_call_there_is() {
    let world = World::settled(bare(), vec![child("s", &[])]).await;
    let (user, mut other) = (world.client().await, world.client().await);
    other.text("echo", json!({})).await;
    let log = json!({"name": "log"});
    let heard = user.hear("tools/call", log.clone()).await.unwrap();
    assert_eq!(heard.notifications[0]["params"]["data"], "logged");
    assert_eq!(other.so_far(), Vec::<String>::new());

    user.ok("logging/setLevel", json!({"level": "error"})).await;
    other.ok("logging/setLevel", json!({"level": "debug"})).await;
    let heard = user.hear("tools/call", log.clone()).await.unwrap();
    assert!(heard.notifications.is_empty(), "the level of the backend is another client's");
    let heard = other.hear("tools/call", log).await.unwrap();
    assert_eq!(heard.notifications.len(), 1);
}

/// Who hears a log message that may be of either of two calls.
async fn heard_by_both(first: Identity, second: Identity) -> [usize; 2] {
    let world = World::settled(bare(), vec![child("s", &[])]).await;
    let mut one = world.client_as(json!({}), first).await;
    let mut two = world.client_as(json!({}), second).await;
    let cancel = Cancel::new();
    let params = json!({"name": "never"}).to_string().into();
    let busy = Call::new("tools/call", Some(params)).with_cancel(cancel.clone());
    let session = two.session.clone();
    let busy = tokio::spawn(async move { session.call(busy).await.is_ok() });
    // Answered after the busy call was sent: both are this one thread's, and it came first.
    two.text("echo", json!({})).await;
    one.text("log", json!({})).await;
    one.text("echo", json!({})).await;
    cancel.cancel(None);
    busy.await.unwrap();
    [one.so_far().len(), two.so_far().len()]
}

#[tokio::test]
async fn a_log_message_that_may_be_of_two_calls_is_told_within_one_principal_only() {
    let who = |subject: &str| Identity::verified("https://issuer", subject.to_owned(), "{}");
    assert_eq!(heard_by_both(who("alice"), who("alice")).await, [1, 1]);
    assert_eq!(heard_by_both(who("alice"), who("bob")).await, [0, 0]);
}

#[tokio::test]
async fn a_tool_added_by_a_shared_process_is_told_to_everybody() {
    let world = World::settled(bare(), vec![child("s", &[])]).await;
    let (one, mut two) = (world.client().await, world.client().await);
    one.text("add", json!({"name": "fresh"})).await;
    two.told("notifications/tools/list_changed").await;
    assert!(two.list("tools/list").await.contains(&"fresh".to_owned()));
}

#[tokio::test]
async fn a_shared_process_that_crashes_is_started_again_for_everybody() {
    let world = World::settled(bare(), vec![child("s", &[])]).await;
    let (one, mut two) = (world.client().await, world.client().await);
    let before = pid(&one).await;
    let uri = json!({"uri": "test://stdio"});
    two.ok("resources/subscribe", uri).await;
    let crash = json!({"name": "crash", "arguments": {"code": 3}});
    let refused = one.refused("tools/call", crash).await;
    assert_eq!(refused, ErrorKind::Unavailable);
    let after = pid(&two).await;
    assert_ne!(before, after);
    assert_eq!(pid(&one).await, after);
    one.text("update", json!({})).await;
    two.told("notifications/resources/updated").await;
}

#[tokio::test]
async fn a_command_that_is_not_there_costs_its_own_tools_only() {
    let mut gone = child("gone", &[]);
    if let vmcp_backend::Endpoint::Stdio(command) = &mut gone.endpoint {
        command.command = "vmcp-no-such-program".to_owned();
    }
    let world = World::settled(bare(), vec![gone, child("s", &[])]).await;
    let states: Vec<_> = world.status().backends.iter().map(|b| (b.state, b.reason)).collect();
    assert_eq!(
        states,
        [(BackendState::Failed, Some(Reason::Unreachable)), (BackendState::Ready, None)]
    );
    assert!(pid(&world.client().await).await > 0);
}

#[tokio::test]
async fn a_tool_added_by_a_process_of_its_own_is_told_to_a_client_that_does_not_listen_yet() {
    for args in [&["--stateless"][..], &[]] {
        let world = World::settled(per_session("s"), vec![child("s", args)]).await;
        let (mut one, two) = (world.guest().await, world.guest().await);
        two.text("echo", json!({})).await;
        one.text("add", json!({"name": "fresh"})).await;
        one.told("notifications/tools/list_changed").await;
        assert!(one.list("tools/list").await.contains(&"fresh".to_owned()), "{args:?}");
        assert!(!two.list("tools/list").await.contains(&"fresh".to_owned()), "{args:?}");
    }
}
