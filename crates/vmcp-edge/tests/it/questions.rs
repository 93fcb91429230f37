//! Requests of servers to the client.

use std::time::Duration;

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, RawClient, RawReply};

use crate::rig::{LATEST, Rig, one_tool, target, tool};

const ALL: &str = r#"{"sampling":{},"elicitation":{},"roots":{}}"#;

fn asks(method: &str) -> Answer {
    Answer::text("done").ask(method, json!({"message": "?", "requestedSchema": {}}))
}

async fn session(rig: &Rig) -> RawClient {
    rig.session_with(LATEST, serde_json::from_str(ALL).unwrap()).await
}

async fn next(reply: &mut RawReply) -> Value {
    reply.message().await.unwrap().unwrap()
}

#[tokio::test]
async fn a_question_on_a_call_comes_on_its_stream_and_its_answer_goes_to_who_asked() {
    let first = one_tool("t", asks("elicitation/create")).await;
    let second = one_tool("u", asks("sampling/createMessage")).await;
    let targets = vec![target("b", &first), target("c", &second)];
    let rig = Rig::with(targets, |_| {}).await;
    let client = session(&rig).await;
    // Both backends ask under an id of their own, which may be the same.
    let mut one = client.request_as("0", "tools/call", json!({"name": "t"})).await.unwrap();
    let mut two = client.request_as("0", "tools/call", json!({"name": "u"})).await.unwrap();
    let (asked, other) = (next(&mut one).await, next(&mut two).await);
    assert_eq!(asked["method"], "elicitation/create");
    assert_eq!(other["method"], "sampling/createMessage");
    assert_ne!(asked["id"], other["id"]);
    client.answer(&other, json!({"to": "second"})).await.unwrap();
    client.answer(&asked, json!({"to": "first"})).await.unwrap();
    for (reply, backend, to) in [(&mut one, &first, "first"), (&mut two, &second, "second")] {
        assert_eq!(next(reply).await["result"]["content"][0]["text"], "done");
        assert_eq!(backend.replies()[0]["result"]["to"], to);
    }
}

#[tokio::test]
async fn an_error_is_an_answer_too_and_only_the_first_answer_counts() {
    let backend = one_tool("t", asks("roots/list")).await;
    let rig = Rig::before(&backend).await;
    let client = session(&rig).await;
    let mut reply = client.request("tools/call", json!({"name": "t"})).await.unwrap();
    let asked = next(&mut reply).await;
    let error = json!({"code": -1, "message": "no", "data": {"x": 1}});
    client.refuse(&asked, error.clone()).await.unwrap();
    assert_eq!(next(&mut reply).await["result"]["content"][0]["text"], "done");
    assert_eq!(client.answer(&asked, json!({})).await.unwrap().status, 202);
    assert_eq!(backend.replies().len(), 1);
    assert_eq!(backend.replies()[0]["error"], error);
}

#[tokio::test]
async fn another_session_cannot_answer() {
    let backend = one_tool("t", asks("roots/list")).await;
    let rig = Rig::before(&backend).await;
    let (alice, bob) = (session(&rig).await, session(&rig).await);
    let mut reply = alice.request("tools/call", json!({"name": "t"})).await.unwrap();
    let asked = next(&mut reply).await;
    assert_eq!(bob.answer(&asked, json!({"roots": ["evil"]})).await.unwrap().status, 202);
    alice.answer(&asked, json!({"roots": []})).await.unwrap();
    assert_eq!(next(&mut reply).await["result"]["content"][0]["text"], "done");
    assert_eq!(backend.replies()[0]["result"], json!({"roots": []}));
}

#[tokio::test]
async fn what_the_client_did_not_declare_is_refused_for_it() {
    let backend = one_tool("t", asks("elicitation/create")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session_with(LATEST, json!({"sampling": {}})).await;
    let message = client.tool("t", json!({})).await.unwrap();
    assert_eq!(message["result"]["content"][0]["text"], "done");
    assert_eq!(backend.replies()[0]["error"]["code"], -32601);
}

#[tokio::test]
async fn a_question_nobody_answers_is_refused_in_the_end() {
    let backend = one_tool("t", asks("roots/list")).await;
    let rig = Rig::with(vec![target("b", &backend)], |config| {
        config.timeouts.answer = Duration::from_millis(10);
        config.session.idle = Duration::from_millis(400);
    })
    .await;
    let client = session(&rig).await;
    let mut reply = client.request("tools/call", json!({"name": "t"})).await.unwrap();
    next(&mut reply).await;
    assert_eq!(next(&mut reply).await["result"]["content"][0]["text"], "done");
    assert_eq!(backend.replies()[0]["error"]["code"], -32603);
}

#[tokio::test]
async fn the_end_of_a_session_refuses_its_questions() {
    let backend = one_tool("t", asks("roots/list")).await;
    let rig = Rig::before(&backend).await;
    let client = session(&rig).await;
    let mut reply = client.request("tools/call", json!({"name": "t"})).await.unwrap();
    next(&mut reply).await;
    client.delete().await.unwrap();
    while reply.event().await.unwrap().is_some() {}
    let replied = async {
        while backend.replies().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(vmcp_testkit::PATIENCE, replied).await.unwrap();
    assert_eq!(backend.replies()[0]["error"]["code"], -32603);
}

#[tokio::test]
async fn a_question_outside_calls_comes_on_the_standalone_stream() {
    let builder = Backend::builder().tool(tool("t"), Answer::text("x"));
    let backend = builder.start().await.unwrap();
    let rig = Rig::before(&backend).await;
    let client = session(&rig).await;
    let before = backend.listeners();
    let mut stream = client.get().await.unwrap();
    client.tool("t", json!({})).await.unwrap();
    backend.wait_listeners(before + 1).await.unwrap();
    let answers = tokio::spawn({
        let client = client.clone();
        async move {
            let asked = next(&mut stream).await;
            assert_eq!(asked["method"], "roots/list");
            client.answer(&asked, json!({"roots": [1]})).await.unwrap();
            stream
        }
    });
    let replies = backend.ask("roots/list", json!({})).await;
    let _stream = answers.await.unwrap();
    assert!(replies.iter().any(|reply| reply["result"] == json!({"roots": [1]})), "{replies:?}");
}

#[tokio::test]
async fn a_question_can_be_answered_after_resuming() {
    let backend = one_tool("t", asks("roots/list")).await;
    let rig = Rig::before(&backend).await;
    let client = session(&rig).await;
    let mut reply = client.request("tools/call", json!({"name": "t"})).await.unwrap();
    let primed = reply.event().await.unwrap().unwrap();
    drop(reply);
    let mut resumed = client.resume(&primed.id.unwrap()).await.unwrap();
    let asked = next(&mut resumed).await;
    client.answer(&asked, json!({"roots": []})).await.unwrap();
    assert_eq!(next(&mut resumed).await["result"]["content"][0]["text"], "done");
}
