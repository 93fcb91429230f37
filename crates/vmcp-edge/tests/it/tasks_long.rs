//! Tasks whose first state is longer than what is held of a response: their ids are the client's own all the same.

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend};

use crate::rig::{Rig, tool};
use crate::tasks::{EXTENSION, ask, follower, session};

/// Longer than `holdBytes`, and than what is looked at to see what a response is.
fn long() -> String {
    "x".repeat(1 << 20)
}

fn state() -> String {
    format!(
        r#""createdAt":"2025-11-25T00:00:00Z","ttl":null,"status":"working","statusMessage":"{}""#,
        long()
    )
}

/// A backend that answers every call of `t` with this result, and tells how a task is under the id it is asked for.
async fn backend(offers: bool, result: String) -> Backend {
    let requests = json!({"requests": {"tools": {"call": {}}}});
    let (builder, tasks) = match offers {
        true => (Backend::builder().stateless(), json!({"extensions": {EXTENSION: {}}})),
        false => (Backend::builder(), json!({"tasks": requests})),
    };
    let mut capabilities = tasks;
    capabilities["tools"] = json!({});
    let get = Answer::with(|call| {
        let id = call.params()["taskId"].take();
        Answer::result(json!({"taskId": id, "status": "working", "n": 1}))
    });
    let builder = builder.capabilities(capabilities).bare_results();
    let mut tool = tool("t");
    if !offers {
        // So that it is one for a client that cannot ask, too.
        tool["execution"] = json!({"taskSupport": "required"});
    }
    builder.tool(tool, Answer::result(result)).on("tasks/get", get).start().await.unwrap()
}

fn own(heard: &Backend) -> Vec<Value> {
    heard.heard("tasks/get").iter().map(|one| one.json()["params"]["taskId"].clone()).collect()
}

#[tokio::test]
async fn a_long_task_that_was_asked_for_has_an_id_of_its_client() {
    let state = state();
    for result in [
        format!(r#"{{"task":{{"taskId":"task-1",{state}}}}}"#),
        format!(r#"{{"task":{{{state},"taskId":"task-1"}}}}"#),
        format!(r#"{{"_meta":{{"x":"{}"}},"task":{{{state},"taskId":"task-1"}}}}"#, long()),
    ] {
        let backend = backend(false, result).await;
        let rig = Rig::before(&backend).await;
        let client = session(&rig).await;
        let made = ask(&client, "tools/call", json!({"name": "t", "task": {}})).await;
        let task = &made["result"]["task"];
        assert_eq!(task["statusMessage"].as_str().map(str::len), Some(1 << 20));
        assert!(task["taskId"].is_string() && task["taskId"] != "task-1", "{}", task["taskId"]);
        let found = ask(&client, "tasks/get", json!({"taskId": task["taskId"]})).await;
        assert_eq!((&found["result"]["n"], own(&backend)), (&json!(1), vec![json!("task-1")]));
    }
}

#[tokio::test]
async fn a_long_task_that_was_offered_has_an_id_of_its_client() {
    let state = state();
    for result in [
        format!(r#"{{"resultType":"task","taskId":"task-1",{state}}}"#),
        format!(r#"{{"resultType":"task",{state},"taskId":"task-1"}}"#),
        format!(r#"{{"taskId":"task-1",{state},"resultType":"task"}}"#),
    ] {
        let backend = backend(true, result).await;
        let rig = Rig::before(&backend).await;
        let client = follower(&rig);
        let made = client.tool("t", json!({})).await.unwrap()["result"].take();
        assert_eq!(made["statusMessage"].as_str().map(str::len), Some(1 << 20));
        assert!(made["taskId"].is_string() && made["taskId"] != "task-1", "{}", made["taskId"]);
        let found = client.call("tasks/get", json!({"taskId": made["taskId"]})).await.unwrap();
        assert_eq!((&found["result"]["n"], own(&backend)), (&json!(1), vec![json!("task-1")]));
    }
}

#[tokio::test]
async fn a_long_task_is_translated_to_the_form_of_its_client() {
    let state = state();
    let asked = backend(false, format!(r#"{{"task":{{{state},"taskId":"task-1"}}}}"#)).await;
    let offered = format!(r#"{{"resultType":"task",{state},"taskId":"task-1"}}"#);
    let offered = backend(true, offered).await;
    let rig = Rig::before(&offered).await;
    let client = session(&rig).await;
    let made = ask(&client, "tools/call", json!({"name": "t", "task": {}})).await;
    let task = &made["result"]["task"];
    assert!(task["taskId"].is_string() && task["taskId"] != "task-1", "{}", task["taskId"]);
    ask(&client, "tasks/get", json!({"taskId": task["taskId"]})).await;
    assert_eq!(own(&offered), ["task-1"]);
    let rig = Rig::before(&asked).await;
    let client = follower(&rig);
    client.call("tools/list", json!({})).await.unwrap();
    let made = client.tool("t", json!({})).await.unwrap()["result"].take();
    assert_eq!(made["resultType"], "task", "{}", &made.to_string()[..80]);
    assert!(made["taskId"].is_string() && made["taskId"] != "task-1", "{}", made["taskId"]);
}

#[tokio::test]
async fn a_long_answer_that_says_too_late_that_it_is_a_task_is_no_answer() {
    let content = format!(r#""content":[{{"type":"text","text":"{}"}}]"#, long());
    let late = format!(r#"{{{content},"taskId":"task-1","resultType":"task"}}"#);
    let offering = backend(true, late).await;
    let rig = Rig::before(&offering).await;
    let params = json!({"name": "t", "arguments": {}});
    let mut reply = follower(&rig).request("tools/call", params.clone()).await.unwrap();
    assert!(reply.response().await.is_err(), "it breaks off");

    let answer = format!(r#"{{{content},"n":1.50,"resultType":"complete"}}"#);
    let answering = backend(true, answer).await;
    let rig = Rig::before(&answering).await;
    let mut reply = follower(&rig).request("tools/call", params).await.unwrap();
    let text = String::from_utf8(reply.bytes().await.unwrap().to_vec()).unwrap();
    assert!(text.contains(r#","n":1.50,"resultType":"complete"}"#), "as it came");
}
