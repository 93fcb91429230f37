//! Disconnects are no cancellations: calls go on, and what they say can be had later.

use std::time::Duration;

use serde_json::json;
use vmcp_testkit::{Answer, Backend, Gate, RawClient, RawReply};

use crate::rig::{LATEST, Rig, one_tool, target, tool};

/// Calls the one tool and reads to the first notification's data; gives the reply and the last id.
async fn begin(client: &RawClient) -> (RawReply, String) {
    let mut reply = client.request_as("7", "tools/call", json!({"name": "t"})).await.unwrap();
    loop {
        let event = reply.event().await.unwrap().unwrap();
        if event.data.contains("first") {
            return (reply, event.id.unwrap());
        }
    }
}

#[tokio::test]
async fn a_call_goes_on_without_its_client_and_the_rest_is_had_by_resuming() {
    let gate = Gate::new();
    let answer = Answer::text("done").log("info", "first").gate(&gate).log("info", "second");
    let backend = one_tool("t", answer).await;
    let rig = Rig::before(&backend).await;
    for revision in ["2025-11-25", "2025-06-18", "2025-03-26"] {
        gate.close();
        let client = rig.session(revision).await;
        let (reply, id) = begin(&client).await;
        drop(reply);
        rig.until_metric(r#"vmcp_edge_streams{kind="call"}"#, 0.0).await;
        gate.open();
        let mut resumed = client.resume(&id).await.unwrap();
        assert_eq!(resumed.status, 200);
        assert_eq!(resumed.message().await.unwrap().unwrap()["params"]["data"], "second");
        let response = resumed.message().await.unwrap().unwrap();
        assert_eq!(response["id"], 7);
        assert_eq!(response["result"]["content"][0]["text"], "done");
        assert_eq!(resumed.message().await.unwrap(), None);
    }
    assert_eq!(backend.count("notifications/cancelled"), 0);
    assert_eq!(backend.count("tools/call"), 3);
}

#[tokio::test]
async fn a_stream_is_resumed_from_any_event_without_gap_or_repetition() {
    let mut answer = Answer::text("done");
    for n in 0..20 {
        answer = answer.log("info", n);
    }
    let backend = one_tool("t", answer).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let mut reply = client.request("tools/call", json!({"name": "t"})).await.unwrap();
    let mut all = Vec::new();
    while let Some(event) = reply.event().await.unwrap() {
        all.push((event.id.unwrap(), event.data));
    }
    assert_eq!(all.len(), 22);
    for (at, (id, _)) in all.iter().enumerate() {
        let mut resumed = client.resume(id).await.unwrap();
        let mut rest = Vec::new();
        while let Some(event) = resumed.event().await.unwrap() {
            rest.push((event.id.unwrap(), event.data));
        }
        assert_eq!(rest, all[at + 1..], "{id}");
    }
}

#[tokio::test]
async fn a_live_stream_is_taken_over_by_whoever_resumes_it() {
    let gate = Gate::new();
    let backend = one_tool("t", Answer::text("done").log("info", "first").gate(&gate)).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let (mut old, id) = begin(&client).await;
    let mut new = client.resume(&id).await.unwrap();
    // The old connection ends, so the message cannot come on both.
    while old.event().await.unwrap().is_some() {}
    gate.open();
    assert_eq!(new.response().await.unwrap()["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn a_call_whose_client_left_before_any_byte_runs_to_its_end() {
    let gate = Gate::new();
    let builder = vmcp_testkit::Backend::builder().transport(vmcp_testkit::Transport::Json);
    let answer = Answer::text("done").gate(&gate);
    let backend = builder.tool(crate::rig::tool("t"), answer).start().await.unwrap();
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.tool("t", json!({})).await }
    });
    gate.reached(1).await.unwrap();
    call.abort();
    assert!(call.await.is_err());
    gate.open();
    let done = r#"vmcp_edge_calls_total{method="tools/call",outcome="ok"}"#;
    rig.until_metric(done, 1.0).await;
    assert_eq!(backend.count("notifications/cancelled"), 0);
    assert!(backend.abandoned().is_empty());
}

#[tokio::test]
async fn an_abandoned_call_ends_in_time() {
    let backend = one_tool("t", Answer::never().log("info", "first")).await;
    let rig = Rig::with(vec![target("b", &backend)], |config| {
        config.timeouts.abandoned = Duration::from_millis(50);
    })
    .await;
    let client = rig.session(LATEST).await;
    let (reply, id) = begin(&client).await;
    drop(reply);
    backend.wait_for("notifications/cancelled", 1).await.unwrap();
    let mut resumed = client.resume(&id).await.unwrap();
    let message = resumed.message().await.unwrap().unwrap();
    assert_eq!((&message["id"], &message["error"]["code"]), (&json!(7), &json!(1008)));
    assert_eq!(resumed.message().await.unwrap(), None);
}

#[tokio::test]
async fn a_long_response_that_was_cut_off_is_an_error_when_it_is_resumed() {
    let backend = one_tool("t", Answer::huge(20 << 20).log("info", "first")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let (mut reply, id) = begin(&client).await;
    assert!(reply.piece().await.unwrap().is_some());
    drop(reply);
    let mut resumed = client.resume(&id).await.unwrap();
    let message = resumed.message().await.unwrap().unwrap();
    assert_eq!(
        (&message["id"], &message["error"]["data"]["reason"]),
        (&json!(7), &json!("not_kept"))
    );
    assert_eq!(resumed.message().await.unwrap(), None);
}

#[tokio::test]
async fn only_the_sessions_own_events_can_be_resumed() {
    let gate = Gate::new();
    let backend = one_tool("t", Answer::text("done").log("info", "first").gate(&gate)).await;
    let rig = Rig::before(&backend).await;
    let alice = rig.session(LATEST).await;
    let bob = rig.session(LATEST).await;
    let (_reply, id) = begin(&alice).await;
    assert_eq!(bob.resume(&id).await.unwrap().status, 400);
    let long = format!("c1.{}", "1".repeat(2000));
    for forged in ["c99.0", "c1.99", "g1.0", "x", "c1", "1-2", long.as_str()] {
        assert_eq!(alice.resume(forged).await.unwrap().status, 400, "{forged}");
    }
}

#[tokio::test]
async fn messages_outside_calls_wait_for_a_stream_and_go_to_one_only() {
    let backend = one_tool("t", Answer::text("x")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let mut first = client.get().await.unwrap();
    let mut second = client.get().await.unwrap();
    client.tool("t", json!({})).await.unwrap();
    backend.set_tool(crate::rig::tool("u"), Answer::text("y"));
    backend.list_changed("tools").await;
    let changed = async |reply: &mut RawReply| reply.message().await.unwrap().unwrap();
    let message = tokio::select! {
        message = changed(&mut second) => message,
        _ = changed(&mut first) => panic!("the older stream got it"),
    };
    assert_eq!(message["method"], "notifications/tools/list_changed");
    // Without a stream it waits.
    drop((first, second));
    rig.until_metric(r#"vmcp_edge_streams{kind="standalone"}"#, 0.0).await;
    backend.set_tool(crate::rig::tool("v"), Answer::text("z"));
    backend.list_changed("tools").await;
    let mut third = client.get().await.unwrap();
    assert_eq!(changed(&mut third).await["method"], "notifications/tools/list_changed");
}

/// A backend that closes its stream in the middle of a call and gives the rest to who comes back.
async fn polling() -> Backend {
    let answer = Answer::text("done").log("info", "first").close_stream(Some(10));
    Backend::builder().tool(tool("t"), answer).resumable().start().await.unwrap()
}

#[tokio::test]
async fn a_client_that_can_poll_is_let_go_when_the_backend_lets_go() {
    let backend = polling().await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let (mut reply, id) = begin(&client).await;
    // Nothing of the response: the stream ends, and the rest is had by coming back.
    assert_eq!(reply.event().await.unwrap().map(|event| event.data), None);
    let mut resumed = client.resume(&id).await.unwrap();
    let response = resumed.message().await.unwrap().unwrap();
    assert_eq!(response["result"]["content"][0]["text"], "done");
    assert_eq!(backend.count("tools/call"), 1);
}

#[tokio::test]
async fn a_client_that_cannot_poll_keeps_its_stream_when_the_backend_lets_go() {
    let backend = polling().await;
    let rig = Rig::before(&backend).await;
    let client = rig.session("2025-06-18").await;
    let (mut reply, _) = begin(&client).await;
    let response = reply.message().await.unwrap().unwrap();
    assert_eq!(response["result"]["content"][0]["text"], "done");
}
