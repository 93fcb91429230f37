//! Taking a call back.

use serde_json::json;
use vmcp_testkit::{Answer, Backend, Gate, Transport};

use crate::rig::{LATEST, Rig, one_tool, tool};

#[tokio::test]
async fn a_call_taken_back_before_a_byte_is_answered_by_an_empty_202() {
    let builder = Backend::builder().transport(Transport::Json).tool(tool("t"), Answer::never());
    let backend = builder.start().await.unwrap();
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.request_as("\"x\"", "tools/call", json!({"name": "t"})).await }
    });
    backend.wait_for("tools/call", 1).await.unwrap();
    let params = json!({"requestId": "x", "reason": "changed my mind"});
    assert_eq!(client.notify("notifications/cancelled", params).await.unwrap().status, 202);
    let mut reply = call.await.unwrap().unwrap();
    assert_eq!((reply.status.as_u16(), reply.bytes().await.unwrap().len()), (202, 0));
    backend.wait_for("notifications/cancelled", 1).await.unwrap();
    let told = backend.heard("notifications/cancelled")[0].json();
    assert_eq!(told["params"]["reason"], "changed my mind");
    let asked = backend.heard("tools/call")[0].json();
    assert_eq!(told["params"]["requestId"], asked["id"]);
    let cancelled = r#"vmcp_edge_calls_total{method="tools/call",outcome="cancelled"}"#;
    assert_eq!(rig.metric(cancelled).await, 1.0);
}

#[tokio::test]
async fn a_call_taken_back_while_it_streams_ends_without_a_response() {
    let backend = one_tool("t", Answer::never().log("info", "first")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session("2025-06-18").await;
    let mut reply = client.request_as("1", "tools/call", json!({"name": "t"})).await.unwrap();
    assert_eq!(reply.message().await.unwrap().unwrap()["params"]["data"], "first");
    client.notify("notifications/cancelled", json!({"requestId": 1})).await.unwrap();
    assert_eq!(reply.message().await.unwrap(), None);
    backend.wait_for("notifications/cancelled", 1).await.unwrap();
}

#[tokio::test]
async fn an_id_that_means_two_calls_or_none_or_anothers_cancels_nothing() {
    let gate = Gate::new();
    let backend = one_tool("t", Answer::text("done").gate(&gate)).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let other = rig.session(LATEST).await;
    let call = |id: &'static str| {
        let client = client.clone();
        tokio::spawn(async move {
            let mut reply =
                client.request_as(id, "tools/call", json!({"name": "t"})).await.unwrap();
            reply.response().await.unwrap()
        })
    };
    let calls = [call("1"), call("1"), call("2")];
    gate.reached(3).await.unwrap();
    for (from, id) in
        [(&client, json!(1)), (&client, json!("2")), (&client, json!(9)), (&other, json!(2))]
    {
        let reply = from.notify("notifications/cancelled", json!({"requestId": id})).await.unwrap();
        assert_eq!(reply.status, 202);
    }
    gate.open();
    for call in calls {
        assert_eq!(call.await.unwrap()["result"]["content"][0]["text"], "done");
    }
    assert_eq!(backend.count("notifications/cancelled"), 0);
}

#[tokio::test]
async fn the_same_id_at_the_same_time_is_two_calls() {
    let backend = one_tool("t", Answer::echo()).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let calls: Vec<_> = (0..16)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                let params = json!({"name": "t", "arguments": {"n": n}});
                let mut reply = client.request_as("1", "tools/call", params).await.unwrap();
                reply.response().await.unwrap()
            })
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        let message = call.await.unwrap();
        assert_eq!(message["id"], 1);
        let text = message["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(&format!("\"n\":{n}}}")), "{text}");
    }
}

#[tokio::test]
async fn one_call_of_a_batch_is_taken_back_and_the_others_are_answered() {
    let gate = Gate::new();
    let answer = Answer::text("done").gate(&gate);
    let builder = Backend::builder().transport(Transport::Json).tool(tool("t"), answer);
    let backend = builder.start().await.unwrap();
    let rig = Rig::before(&backend).await;
    let client = rig.session("2025-03-26").await;
    let call =
        |id| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "t"}});
    let batch = json!([call(1), call(2)]).to_string();
    let posted = tokio::spawn({
        let client = client.clone();
        async move { client.post(batch).await.unwrap().message().await.unwrap().unwrap() }
    });
    gate.reached(2).await.unwrap();
    client.notify("notifications/cancelled", json!({"requestId": 1})).await.unwrap();
    gate.open();
    let answers = posted.await.unwrap();
    assert_eq!(answers.as_array().map(Vec::len), Some(1), "{answers}");
    assert_eq!(answers[0]["id"], 2);
}
