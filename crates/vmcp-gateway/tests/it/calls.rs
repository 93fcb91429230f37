//! Calls on their way to the one backend that owns the name.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use vmcp_backend::{Call, Cancel, ErrorKind, Event, Response};
use vmcp_config::Config;
use vmcp_testkit::{Answer, Backend, Gate, Transport};

use crate::world::{World, bare, http, prompt, read, tool};

#[tokio::test]
async fn only_the_name_changes_on_the_way() {
    let a = Backend::builder().tool(tool("echo"), Answer::echo()).start().await.unwrap();
    let world = World::settled(Config::default(), vec![http("a", &a)]).await;
    let client = world.client().await;
    let params =
        r#"{ "arguments":{"name":"a_echo","n":1.0,"u":"\u00e9"}, "x":[ 1 ], "name":"a_echo" }"#;
    let call = Call::new("tools/call", Some(Bytes::from_static(params.as_bytes())));
    let heard = read(client.session.call(call).await.unwrap()).await.unwrap();
    assert_eq!(
        heard.response["result"]["content"][0]["text"],
        params.replace(r#""name":"a_echo" }"#, r#""name":"echo" }"#)
    );
}

#[tokio::test]
async fn results_and_errors_come_back_as_they_are() {
    let result = r#"{"content":[],"structuredContent":[1.50,null],"zz":{"a":1e3}}"#;
    let error = r#"{"code":-32602,"message":"no","data":{"why":1.0}}"#;
    let a = Backend::builder()
        .tool(tool("good"), Answer::result(result))
        .tool(tool("bad"), Answer::error_object(error))
        .start()
        .await
        .unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let client = world.client().await;
    for (name, raw) in [("good", result), ("bad", error)] {
        let params = json!({"name": name}).to_string().into();
        let mut reply = client.session.call(Call::new("tools/call", Some(params))).await.unwrap();
        let Some(Event::Response(Response::Whole(message))) = reply.next().await else {
            panic!("no response");
        };
        let got = message.result().or_else(|| message.error()).unwrap();
        assert_eq!(std::str::from_utf8(&got).unwrap(), raw);
        assert!(reply.next().await.is_none());
    }
}

#[tokio::test]
async fn twenty_calls_are_one_handshake_per_client() {
    let a = Backend::builder().tool(tool("x"), Answer::text("hi")).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let catalogue = a.count("initialize");
    assert_eq!(catalogue, 1);
    let (one, two) = (world.client().await, world.client().await);
    assert_eq!(a.count("initialize"), catalogue, "nothing is dialled before it is needed");
    for _ in 0..10 {
        let (first, second) = tokio::join!(one.text("x", json!({})), two.text("x", json!({})));
        assert_eq!((first.as_str(), second.as_str()), ("hi", "hi"));
    }
    assert_eq!((a.count("initialize"), a.count("tools/call")), (catalogue + 2, 20));
    one.session.close().await;
    a.wait_for("DELETE", 1).await.unwrap();
    let refused = one.refused("tools/call", json!({"name": "x"})).await;
    assert_eq!(refused, ErrorKind::Closed);
    assert_eq!(two.text("x", json!({})).await, "hi");
}

#[tokio::test]
async fn calls_at_the_same_time_share_one_handshake() {
    let gate = Gate::new();
    let a = Backend::builder()
        .tool(tool("x"), Answer::text("hi"))
        .on("initialize", Answer::sequence([Answer::usual(), Answer::usual().gate(&gate)]))
        .start()
        .await
        .unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let client = world.client().await;
    let calls = async { tokio::join!(client.text("x", json!({})), client.text("x", json!({}))) };
    let open = async {
        gate.reached(1).await.unwrap();
        gate.open();
    };
    tokio::join!(calls, open);
    assert_eq!((a.count("initialize"), a.count("tools/call")), (2, 2));
}

#[tokio::test]
async fn ambiguous_and_missing_names_are_refused() {
    let a = Backend::builder().tool(tool("x"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let client = world.client().await;
    for params in [
        Some(r#"{"name":"x","name":"y"}"#),
        Some(r#"{"name":"x","Name":"y"}"#),
        Some(r#"{"name":7}"#),
        Some("{}"),
        Some("[]"),
        None,
    ] {
        let call = Call::new("tools/call", params.map(|raw| Bytes::from_static(raw.as_bytes())));
        let error = client.session.call(call).await.err().unwrap();
        assert!(matches!(error.kind, ErrorKind::InvalidParams(_)), "{params:?}: {error}");
    }
    assert_eq!(a.count("tools/call"), 0);
}

#[tokio::test]
async fn prompts_and_completions_find_their_owner() {
    let values = json!({"completion": {"values": ["one"]}});
    let a = Backend::builder()
        .prompt(prompt("greet.me"), Answer::echo())
        .on("completion/complete", Answer::echo())
        .start()
        .await
        .unwrap();
    let b = Backend::builder()
        .prompt(prompt("other"), Answer::usual())
        .capabilities(json!({"prompts": {}}))
        .on("completion/complete", Answer::result(values))
        .start()
        .await
        .unwrap();
    let world = World::settled(Config::default(), vec![http("a", &a), http("b", &b)]).await;
    let client = world.client().await;
    let got =
        client.ok("prompts/get", json!({"name": "a_greet_me", "arguments": {"k": "v"}})).await;
    let seen = got["content"][0]["text"].as_str().unwrap();
    assert_eq!(seen, r#"{"name":"greet.me","arguments":{"k":"v"}}"#);
    let params = |name: &str| json!({"ref": {"type": "ref/prompt", "name": name}, "argument": {"name": "k", "value": ""}});
    let got = client.ok("completion/complete", params("a_greet_me")).await;
    let seen = got["content"][0]["text"].as_str().unwrap();
    assert!(seen.contains(r#""ref":{"type":"ref/prompt","name":"greet.me"}"#), "{seen}");
    let refused = client.refused("completion/complete", params("b_other")).await;
    assert_eq!(refused, ErrorKind::MethodNotFound("completion/complete".into()));
    assert_eq!(b.count("completion/complete"), 0);
    let refused = client.refused("completion/complete", params("nobody")).await;
    assert_eq!(refused, ErrorKind::UnknownPrompt("nobody".into()));
    let refused = client.refused("prompts/get", json!({"name": "greet.me"})).await;
    assert_eq!(refused, ErrorKind::UnknownPrompt("greet.me".into()));
}

#[tokio::test]
async fn progress_and_requests_come_on_the_calls_own_reply() {
    for transport in [Transport::Json, Transport::Sse] {
        let work = Answer::text("done")
            .progress(1, Some(2.0), None)
            .ask("sampling/createMessage", json!({"messages": [], "maxTokens": 5}));
        let a =
            Backend::builder().transport(transport).tool(tool("work"), work).start().await.unwrap();
        let world = World::settled(bare(), vec![http("a", &a)]).await;
        let client = world.client().await;
        let params = json!({"name": "work", "_meta": {"progressToken": "mine"}});
        let heard = client.hear("tools/call", params).await.unwrap();
        assert!(heard.streamed);
        assert_eq!(heard.notifications.len(), 1);
        assert_eq!(heard.notifications[0]["params"]["progressToken"], "mine");
        assert_eq!(a.replies()[0]["result"], json!({"answered": true}));
    }
}

#[tokio::test]
async fn a_call_taken_back_is_taken_back_at_the_backend() {
    let gate = Gate::new();
    let a = Backend::builder()
        .tool(tool("slow"), Answer::text("late").gate(&gate))
        .tool(tool("quick"), Answer::text("hi"))
        .start()
        .await
        .unwrap();
    let world = World::settled(bare(), vec![http("a", &a)]).await;
    let client = world.client().await;
    let cancel = Cancel::new();
    let params = json!({"name": "slow"}).to_string().into();
    let call = Call::new("tools/call", Some(params)).with_cancel(cancel.clone());
    let running = async { read(client.session.call(call).await?).await };
    let taking_back = async {
        gate.reached(1).await.unwrap();
        cancel.cancel(Some("enough".into()));
    };
    let (ended, ()) = tokio::join!(running, taking_back);
    assert_eq!(ended.err().unwrap().kind, ErrorKind::Cancelled);
    a.wait_for("notifications/cancelled", 1).await.unwrap();
    assert_eq!(client.text("quick", json!({})).await, "hi");
    assert_eq!(a.count("initialize"), 2);
}

#[tokio::test]
async fn unknown_methods_go_to_the_one_backend_that_declares_them() {
    let a = Backend::builder()
        .capabilities(json!({"experimental": {"acme": {}}}))
        .on("acme/do", Answer::result(json!({"did": 1})))
        .start()
        .await
        .unwrap();
    let b = Backend::builder().tool(tool("x"), Answer::usual()).start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &a), http("b", &b)]).await;
    let client = world.client().await;
    assert_eq!(client.ok("acme/do", json!({"y": 1})).await, json!({"did": 1}));
    for method in ["acmes/do", "other/do", "tasks/list"] {
        let refused = client.refused(method, json!({})).await;
        assert_eq!(refused, ErrorKind::MethodNotFound(method.into()));
    }
}

#[tokio::test]
async fn a_backend_that_cannot_be_opened_costs_its_own_calls_only() {
    let a = Backend::builder().tool(tool("x"), Answer::usual()).start().await.unwrap();
    let b = Backend::builder().tool(tool("y"), Answer::text("hi")).start().await.unwrap();
    let mut dead = http("a", &a);
    dead.timeouts.connect = Duration::from_millis(300);
    let world = World::settled(bare(), vec![dead, http("b", &b)]).await;
    let client = world.client().await;
    a.every(Answer::never());
    let (refused, said) = tokio::join!(
        client.refused("tools/call", json!({"name": "x"})),
        client.text("y", json!({}))
    );
    assert_eq!(said, "hi");
    assert!(matches!(refused, ErrorKind::Timeout(_)), "{refused:?}");
    a.every(None);
    client.ok("tools/call", json!({"name": "x"})).await;
}
