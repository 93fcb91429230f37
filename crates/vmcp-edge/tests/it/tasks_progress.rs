//! Progress of tasks where both sides report it: under the token of the call that became the task, until the task is over.

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, RawClient};

use crate::rig::{Rig, target, tool};
use crate::tasks::{ask, session, taking};

const PROGRESS: &str = "notifications/progress";

/// Calls the tool as a task; the client's id of it, and the token that the backend was given.
async fn start(client: &RawClient, backend: &Backend, token: Value) -> (Value, Value) {
    let before = backend.count("tools/call");
    let params = json!({"name": "t", "task": {}, "_meta": {"progressToken": token}});
    let made = ask(client, "tools/call", params).await;
    let heard = backend.heard("tools/call")[before].json();
    let own = heard["params"]["_meta"]["progressToken"].clone();
    (made["result"]["task"]["taskId"].clone(), own)
}

fn at(token: &Value, progress: u64) -> Value {
    json!({"progressToken": token, "progress": progress, "message": "é"})
}

/// A mark on the stream, so that it is seen what does not come before it.
async fn mark(backend: &Backend) {
    backend.notify("notifications/message", json!({"level": "emergency", "data": "mark"})).await;
}

#[tokio::test]
async fn it_comes_on_the_stream_outside_calls_while_the_task_lives() {
    let (backend, jobs) = taking(tool("t")).await;
    let rig = Rig::before(&backend).await;
    let client = session(&rig).await;
    let mut stream = client.get().await.unwrap();
    let (id, own) = start(&client, &backend, json!("mine")).await;
    let (other, second) = start(&client, &backend, json!(7)).await;
    backend.wait_listeners(2).await.unwrap();
    for (own, token) in [(&own, json!("mine")), (&second, json!(7)), (&own, json!("mine"))] {
        backend.notify(PROGRESS, at(own, 1)).await;
        let told = stream.message().await.unwrap().unwrap();
        assert_eq!((&told["method"], &told["params"]), (&json!(PROGRESS), &at(&token, 1)));
    }
    // One is over by its result, the other by what the backend says of it.
    jobs.finish("task-1", json!({"content": []}));
    ask(&client, "tasks/result", json!({"taskId": id})).await;
    jobs.finish("task-2", json!({"content": []}));
    backend.notify("notifications/tasks/status", jobs.plain("task-2")).await;
    let told = stream.message().await.unwrap().unwrap();
    assert_eq!(told["params"]["taskId"], other);
    for own in [&own, &second, &json!(999_999), &json!("mine")] {
        backend.notify(PROGRESS, at(own, 2)).await;
    }
    mark(&backend).await;
    assert_eq!(stream.message().await.unwrap().unwrap()["params"]["data"], "mark");
}

#[tokio::test]
async fn it_comes_where_the_result_is_waited_for() {
    let (backend, _jobs) = taking(tool("t")).await;
    let rig = Rig::before(&backend).await;
    let client = session(&rig).await;
    let (id, own) = start(&client, &backend, json!("mine")).await;
    let done = Answer::result(json!({"content": []}));
    let done = done.notify(PROGRESS, at(&own, 3)).notify(PROGRESS, at(&json!(999_999), 4));
    backend.on("tasks/result", done);
    let params = json!({"taskId": id, "_meta": {"progressToken": "of the waiting"}});
    let mut waiting = client.request("tasks/result", params).await.unwrap();
    assert_eq!(waiting.message().await.unwrap().unwrap()["params"], at(&json!("mine"), 3));
    let last = waiting.message().await.unwrap().unwrap();
    assert!(last["result"].is_object(), "nothing of a call that never was: {last}");
}

#[tokio::test]
async fn a_task_that_is_told_to_be_over_has_none() {
    let (backend, jobs) = taking(tool("t")).await;
    let rig = Rig::before(&backend).await;
    let client = session(&rig).await;
    let mut stream = client.get().await.unwrap();
    let (looked, first) = start(&client, &backend, json!(1)).await;
    let (cancelled, second) = start(&client, &backend, json!(2)).await;
    backend.wait_listeners(2).await.unwrap();
    ask(&client, "tasks/get", json!({"taskId": looked})).await;
    backend.notify(PROGRESS, at(&first, 1)).await;
    assert_eq!(stream.message().await.unwrap().unwrap()["params"], at(&json!(1), 1));
    jobs.finish("task-1", json!({"content": []}));
    ask(&client, "tasks/get", json!({"taskId": looked})).await;
    ask(&client, "tasks/cancel", json!({"taskId": cancelled})).await;
    // An answer that is no task ends the token with the call.
    backend.set_tool(tool("t"), Answer::text("at once"));
    let (_, third) = start(&client, &backend, json!(3)).await;
    for own in [&first, &second, &third] {
        backend.notify(PROGRESS, at(own, 2)).await;
    }
    mark(&backend).await;
    let told = stream.message().await.unwrap().unwrap();
    assert_eq!(told["params"]["data"], "mark", "{told}");
}

#[tokio::test]
async fn the_oldest_goes_where_there_are_too_many() {
    let (backend, _jobs) = taking(tool("t")).await;
    let two = |mut target: vmcp_backend::BackendTarget| {
        target.limits.tasks.max_waiting = 2;
        target
    };
    let rig = Rig::with(vec![two(target("b", &backend))], |_| {}).await;
    let client = session(&rig).await;
    let mut stream = client.get().await.unwrap();
    let mut tokens = Vec::new();
    for token in 1..=3 {
        tokens.push(start(&client, &backend, json!(token)).await.1);
    }
    backend.wait_listeners(2).await.unwrap();
    for own in &tokens {
        backend.notify(PROGRESS, at(own, 1)).await;
    }
    for token in [2, 3] {
        let told = stream.message().await.unwrap().unwrap();
        assert_eq!(told["params"], at(&json!(token), 1));
    }
}
