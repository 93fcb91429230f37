//! What passes between a client and its backend sessions outside calls.

use serde_json::{Value, json};
use vmcp_backend::Call;
use vmcp_testkit::{Answer, Backend, Gate};

use crate::world::{TestClient, World, answer, bare, http, json_of, read, tool};

const LOG: &str = "notifications/message";

/// What is logged in a call that asks for log messages.
async fn logged(client: &TestClient, name: &str) -> Vec<Value> {
    let params = json!({"name": name, "arguments": {}}).to_string();
    let mut call = Call::new("tools/call", Some(params.into()));
    call.log_level = Some("info".into());
    let heard = read(client.session.call(call).await.unwrap()).await.unwrap();
    assert_eq!(heard.response["result"]["content"][0]["text"], "done");
    heard.notifications.iter().map(|log| log["params"]["data"].clone()).collect()
}

/// A backend that logs, and the only client of it, which hears that in calls only.
async fn guest(gate: &Gate) -> (Backend, World, TestClient) {
    let a = Backend::builder()
        .tool(tool("x"), Answer::text("done"))
        .tool(tool("waits"), Answer::text("done").gate(gate))
        .capabilities(json!({"tools": {}, "logging": {}}))
        .start()
        .await
        .unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let client = world.guest().await;
    (a, world, client)
}

#[tokio::test]
async fn what_was_logged_beside_a_call_is_not_overtaken_by_its_answer() {
    let gate = Gate::new();
    let (a, _world, client) = guest(&gate).await;
    for round in 1..=50 {
        gate.close();
        let logging = async {
            gate.reached(round).await.unwrap();
            // Written to two connections, one after the other.
            a.notify(LOG, json!({"level": "error", "data": round})).await;
            gate.open();
        };
        let (heard, ()) = tokio::join!(logged(&client, "waits"), logging);
        assert_eq!(heard, [round]);
    }
}

#[tokio::test]
async fn what_is_logged_too_late_for_a_call_is_told_in_the_next_that_wants_it() {
    let (a, _world, client) = guest(&Gate::new()).await;
    assert_eq!(logged(&client, "x").await, Vec::<Value>::new());
    a.notify(LOG, json!({"level": "error", "data": "late"})).await;
    client.text("x", json!({})).await;
    assert_eq!(logged(&client, "x").await, ["late"]);
    assert_eq!(logged(&client, "x").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_backend_is_told_what_the_client_declared_and_no_more() {
    let a = Backend::builder().tool(tool("x"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let client =
        world.client_with(json!({"sampling": {"tools": {}}, "tasks": {"list": {}}, "x": 1})).await;
    client.text("x", json!({})).await;
    let said: Vec<Value> = a.heard("initialize").iter().map(|hello| hello.json()).collect();
    assert_eq!(said[0]["params"]["capabilities"], json!({}), "the catalogue's own session");
    assert_eq!(said[0]["params"]["clientInfo"]["name"], "vmcp");
    assert_eq!(said[1]["params"]["capabilities"], json!({"sampling": {"tools": {}}, "x": 1}));
    assert_eq!(said[1]["params"]["clientInfo"]["name"], "test");
}

#[tokio::test]
async fn requests_outside_calls_reach_the_client_and_its_answer_the_backend() {
    let a = Backend::builder().tool(tool("x"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    a.wait_listeners(1).await.unwrap();
    let mut client = world.client().await;
    client.text("x", json!({})).await;
    client.session.listening(true);
    a.wait_listeners(2).await.unwrap();
    let answering = async {
        let request = client.asked().await;
        assert_eq!(request.message.method(), "roots/list");
        answer(request, json!({"roots": []})).await;
    };
    let (replies, ()) = tokio::join!(a.ask("roots/list", "{}"), answering);
    let answered: Vec<bool> = replies.iter().map(|reply| reply.get("result").is_some()).collect();
    assert_eq!(answered.iter().filter(|answered| **answered).count(), 1, "{replies:?}");
    assert_eq!(replies.len(), 2, "the catalogue's session refuses");
}

#[tokio::test]
async fn a_backend_can_ask_outside_calls_before_it_is_called() {
    // A stream that is slow to open: nothing of the first call may come before it.
    let gate = Gate::new();
    let a = Backend::builder().tool(tool("x"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    a.wait_listeners(1).await.unwrap();
    a.on("GET", Answer::status(405).gate(&gate));
    let client = world.client().await;
    client.session.listening(true);
    let opening = async {
        gate.reached(1).await.unwrap();
        // Whoever cannot be asked does not wait.
        world.client_with(json!({})).await.text("x", json!({})).await;
        assert_eq!(a.count("tools/call"), 1);
        gate.open();
    };
    tokio::join!(client.text("x", json!({})), opening);
    assert_eq!(a.count("tools/call"), 2);
}

#[tokio::test]
async fn changed_roots_are_told_to_the_sessions_that_are_open() {
    let a = Backend::builder().tool(tool("x"), Answer::usual()).start().await.unwrap();
    let b = Backend::builder().tool(tool("y"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a), http("b", &b)]).await;
    let client = world.client().await;
    client.text("x", json!({})).await;
    client.session.notify("notifications/roots/list_changed", None);
    a.wait_for("notifications/roots/list_changed", 1).await.unwrap();
    assert_eq!(b.count("notifications/roots/list_changed"), 0);
}

#[tokio::test]
async fn progress_of_the_client_goes_to_the_backend_that_asked() {
    let params = json!({"messages": [], "maxTokens": 1, "_meta": {"progressToken": 0}});
    let ask = || Answer::text("done").ask("sampling/createMessage", params.clone());
    let a = Backend::builder().tool(tool("x"), ask()).start().await.unwrap();
    let b = Backend::builder().tool(tool("y"), ask()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a), http("b", &b)]).await;
    let client = world.client().await;
    let mut tokens = Vec::new();
    for name in ["x", "y"] {
        let call =
            vmcp_backend::Call::new("tools/call", Some(json!({"name": name}).to_string().into()));
        let mut reply = client.session.call(call).await.unwrap();
        while let Some(event) = reply.next().await {
            if let vmcp_backend::Event::Request(request) = event {
                let token = json_of(&request.message)["params"]["_meta"]["progressToken"].clone();
                let said = json!({"progressToken": token, "progress": 1}).to_string();
                client.session.notify("notifications/progress", Some(said.into()));
                tokens.push(token);
                answer(request, json!({"role": "assistant"})).await;
            }
        }
    }
    assert_eq!(tokens[0], 0);
    assert_ne!(tokens[1], 0, "the second backend's token is another for the client");
    for backend in [&a, &b] {
        backend.wait_for("notifications/progress", 1).await.unwrap();
        let heard = backend.heard("notifications/progress");
        assert_eq!(heard[0].json()["params"]["progressToken"], 0);
    }
}

#[tokio::test]
async fn the_level_is_told_to_open_sessions_and_to_those_opened_later() {
    let logs = |name: &str| {
        Backend::builder()
            .capabilities(json!({"tools": {}, "logging": {}}))
            .on("logging/setLevel", Answer::result("{}"))
            .tool(tool(name), Answer::usual())
    };
    let a = logs("x").start().await.unwrap();
    let b = logs("y").start().await.unwrap();
    let c = Backend::builder().tool(tool("z"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a), http("b", &b), http("c", &c)]).await;
    let client = world.client().await;
    client.text("x", json!({})).await;
    client.ok("logging/setLevel", json!({"level": "warning"})).await;
    assert_eq!(a.heard("logging/setLevel")[0].json()["params"]["level"], "warning");
    client.text("y", json!({})).await;
    client.text("z", json!({})).await;
    let heard = b.requests();
    let order: Vec<&str> = heard.iter().filter_map(|heard| heard.method.as_deref()).collect();
    let level = order.iter().position(|method| *method == "logging/setLevel").unwrap();
    let call = order.iter().position(|method| *method == "tools/call").unwrap();
    assert!(level < call, "{order:?}");
    assert_eq!(c.count("logging/setLevel"), 0);
    let refused = client.refused("logging/setLevel", json!({"level": "loud"})).await;
    assert!(matches!(refused, vmcp_backend::ErrorKind::InvalidParams(_)));
}

#[tokio::test]
async fn closing_the_gateway_ends_every_session_at_the_backends() {
    let a = Backend::builder().tool(tool("x"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let client = world.client().await;
    client.text("x", json!({})).await;
    world.gateway.close(vmcp_testkit::PATIENCE).await;
    assert_eq!(a.count("DELETE"), 2);
    assert!(a.sessions().is_empty());
    let refused = client.refused("tools/call", json!({"name": "x"})).await;
    assert_eq!(refused, vmcp_backend::ErrorKind::Closed);
}

#[tokio::test]
async fn a_session_that_is_dropped_is_closed() {
    let a = Backend::builder().tool(tool("x"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let client = world.client().await;
    client.text("x", json!({})).await;
    assert_eq!(world.status().sessions, 1);
    drop(client);
    a.wait_for("DELETE", 1).await.unwrap();
    assert_eq!(world.status().sessions, 0);
}
