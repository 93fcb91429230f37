//! Tasks where client and backend follow them in different forms, or the client in none.

use serde_json::json;
use vmcp_testkit::{Answer, Backend, Jobs};

use crate::rig::{LATEST, Rig, tool};
use crate::tasks::{EXTENSION, RELATED, ask, follower, offering, parted, session, taking};

/// A tool that is nothing but a task.
fn required() -> serde_json::Value {
    let mut tool = tool("t");
    tool["execution"] = json!({"taskSupport": "required"});
    tool
}

#[tokio::test]
async fn a_client_that_is_offered_tasks_follows_one_that_has_to_be_asked_for() {
    let (backend, jobs) = taking(required()).await;
    let rig = Rig::before(&backend).await;
    let client = follower(&rig);
    let told = client.discover().await.unwrap();
    assert_eq!(told["result"]["capabilities"]["extensions"][EXTENSION], json!({}));
    let made = client.tool("t", json!({})).await.unwrap()["result"].take();
    assert_eq!((&made["resultType"], &made["pollIntervalMs"]), (&json!("task"), &json!(20)));
    assert!(made.get("ttlMs").is_some() && made.get("ttl").is_none(), "{made}");
    let named = json!({"taskId": made["taskId"]});
    let runs = client.call("tasks/get", named.clone()).await.unwrap()["result"].take();
    assert_eq!((&runs["status"], &runs["resultType"]), (&json!("working"), &json!("complete")));

    // Two questions, one after the other, under keys that are never the same.
    let mut keys = Vec::new();
    for key in ["one", "two"] {
        jobs.ask("task-1", key, "elicitation/create", json!({"message": key}));
        let asked = client.call("tasks/get", named.clone()).await.unwrap()["result"].take();
        assert_eq!(asked["status"], "input_required", "{asked}");
        let (key_given, request) =
            asked["inputRequests"].as_object().unwrap().iter().next().unwrap();
        let wanted = json!({"method": "elicitation/create", "params": {"message": key}});
        assert_eq!(*request, wanted);
        let again = client.call("tasks/get", named.clone()).await.unwrap()["result"].take();
        assert_eq!(again["inputRequests"], asked["inputRequests"], "the same until it is answered");
        let answers = json!({key_given: {"action": "accept", "content": {"k": key}}, "r99": {}});
        let params = json!({"taskId": made["taskId"], "inputResponses": answers});
        let acked = client.call("tasks/update", params).await.unwrap()["result"].take();
        assert_eq!(acked["resultType"], "complete", "{acked}");
        assert_eq!(jobs.answered("task-1", key).await["content"]["k"], key);
        jobs.wait_status("task-1", "working").await;
        keys.push(key_given.clone());
    }
    assert_ne!(keys[0], keys[1]);
    jobs.finish("task-1", json!({"content": [], "isError": true, "n": 1.5}));
    let done = client.call("tasks/get", named.clone()).await.unwrap()["result"].take();
    assert_eq!(done["status"], "completed", "a tool that failed has a result: {done}");
    assert_eq!(done["result"], json!({"content": [], "isError": true, "n": 1.5}));
    assert_eq!(done["taskId"], made["taskId"]);
    let late = client.call("tasks/cancel", named).await.unwrap();
    assert!(late["result"].is_object(), "cancelling what is over is no error: {late}");
    assert_eq!(backend.count("tools/call"), 1);
}

#[tokio::test]
async fn errors_and_cancellations_of_such_a_task_are_told() {
    let (backend, jobs) = taking(required()).await;
    let rig = Rig::before(&backend).await;
    let client = follower(&rig);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let made = client.tool("t", json!({})).await.unwrap();
        ids.push(json!({"taskId": made["result"]["taskId"]}));
    }
    jobs.fail("task-1", json!({"code": 7, "message": "broken"}));
    let failed = client.call("tasks/get", ids[0].clone()).await.unwrap()["result"].take();
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["error"], json!({"code": 7, "message": "broken"}));
    let acked = client.call("tasks/cancel", ids[1].clone()).await.unwrap()["result"].take();
    assert_eq!(acked.get("status"), None, "an empty word: {acked}");
    let over = client.call("tasks/get", ids[1].clone()).await.unwrap()["result"].take();
    assert_eq!(over["status"], "cancelled");
}

#[tokio::test]
async fn a_stream_is_told_all_of_a_task_whose_backend_says_only_how_it_is() {
    let (backend, jobs) = taking(required()).await;
    let rig = Rig::before(&backend).await;
    let client = follower(&rig);
    let made = client.tool("t", json!({})).await.unwrap()["result"].take();
    let mut stream = client.listen(json!({"taskIds": [made["taskId"]]})).await.unwrap();
    let honoured = &stream.acknowledged["params"]["notifications"];
    assert_eq!(*honoured, json!({"taskIds": [made["taskId"]]}));
    backend.wait_listeners(2).await.unwrap();
    jobs.finish("task-1", json!({"content": [], "n": 2}));
    backend.notify("notifications/tasks/status", jobs.plain("task-1")).await;
    let told = stream.next().await.unwrap().unwrap();
    assert_eq!(told["method"], "notifications/tasks");
    assert_eq!(
        (&told["params"]["taskId"], &told["params"]["result"]["n"]),
        (&made["taskId"], &json!(2))
    );
    assert_eq!(told["params"].get("resultType"), None);
}

#[tokio::test]
async fn a_tool_that_need_not_be_a_task_is_called_as_ever() {
    let mut optional = tool("t");
    optional["execution"] = json!({"taskSupport": "optional"});
    let (backend, _jobs) = taking(optional).await;
    let rig = Rig::before(&backend).await;
    let client = follower(&rig);
    let done = client.tool("t", json!({})).await.unwrap();
    assert_eq!(done["result"]["content"][0]["text"], "at once");
}

#[tokio::test]
async fn a_tool_that_is_a_task_only_is_refused_to_whom_the_extension_was_not_declared() {
    let (backend, _jobs) = taking(required()).await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    let mut reply = client.request("tools/call", json!({"name": "t"})).await.unwrap();
    assert_eq!(reply.status, 400);
    let error = reply.response().await.unwrap()["error"].take();
    assert_eq!(error["code"], -32021);
    let needed = json!({"requiredCapabilities": {"extensions": {EXTENSION: {}}}});
    assert_eq!(error["data"], needed);
    assert_eq!(backend.count("tools/call"), 0);
}

#[tokio::test]
async fn a_client_that_asks_for_tasks_follows_one_that_is_offered() {
    let (backend, jobs) = offering("t").await;
    let rig = Rig::before(&backend).await;
    let client = session(&rig).await;
    // Who does not ask for a task gets none.
    let done = ask(&client, "tools/call", json!({"name": "t"})).await;
    assert_eq!(done["result"]["content"][0]["text"], "at once");
    let made = ask(&client, "tools/call", json!({"name": "t", "task": {"ttl": 5}})).await;
    let task = &made["result"]["task"];
    assert_eq!(parted(task).0, parted(&jobs.plain("task-1")).0, "{made}");
    assert_eq!(made["result"].get("resultType"), None);
    assert_eq!(backend.heard("tools/call")[1].json()["params"].get("task"), None);
    let named = json!({"taskId": task["taskId"]});
    let found = ask(&client, "tasks/get", named.clone()).await;
    assert_eq!(found["result"]["pollInterval"], 20, "{found}");

    let mut waiting = client.request("tasks/result", named.clone()).await.unwrap();
    jobs.ask("task-1", "who", "elicitation/create", json!({"message": "?"}));
    let question = waiting.message().await.unwrap().unwrap();
    assert_eq!(question["params"]["_meta"][RELATED]["taskId"], task["taskId"]);
    let state = ask(&client, "tasks/get", named.clone()).await;
    assert_eq!(state["result"]["status"], "input_required");
    assert_eq!(state["result"].get("inputRequests"), None);
    client.answer(&question, json!({"action": "decline"})).await.unwrap();
    assert_eq!(jobs.answered("task-1", "who").await["action"], "decline");
    jobs.finish("task-1", json!({"content": [], "isError": true, "n": 1.5}));
    let done = waiting.response().await.unwrap();
    assert_eq!((&done["result"]["n"], &done["result"]["isError"]), (&json!(1.5), &json!(true)));
    assert_eq!(done["result"]["_meta"][RELATED]["taskId"], task["taskId"]);
    let state = ask(&client, "tasks/get", named.clone()).await;
    assert_eq!(state["result"]["status"], "failed", "its word for a tool that failed");
    assert_eq!(state["result"].get("result"), None);
    let late = ask(&client, "tasks/cancel", named).await;
    assert_eq!(late["error"]["code"], -32602, "its word for what is over");
    let listed = ask(&client, "tasks/list", json!({})).await;
    assert_eq!(listed["result"]["tasks"][0]["taskId"], task["taskId"]);
    assert_eq!(backend.executions().len(), 2);
}

#[tokio::test]
async fn such_a_task_is_cancelled_and_fails_as_the_client_knows_it() {
    let (backend, jobs) = offering("t").await;
    let rig = Rig::before(&backend).await;
    let client = session(&rig).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let made = ask(&client, "tools/call", json!({"name": "t", "task": {}})).await;
        ids.push(json!({"taskId": made["result"]["task"]["taskId"]}));
    }
    let cancelled = ask(&client, "tasks/cancel", ids[0].clone()).await;
    assert_eq!(cancelled["result"]["status"], "cancelled", "{cancelled}");
    assert_eq!(cancelled["result"]["taskId"], ids[0]["taskId"]);
    let ended = ask(&client, "tasks/result", ids[0].clone()).await;
    assert_eq!(ended["error"]["code"], -32603);
    jobs.fail("task-2", json!({"code": 7, "message": "broken"}));
    let failed = ask(&client, "tasks/result", ids[1].clone()).await;
    assert_eq!(failed["error"], json!({"code": 7, "message": "broken"}));
}

#[tokio::test]
async fn what_is_done_at_once_is_answered_at_once() {
    let jobs = Jobs::new();
    let backend = jobs.offered(Backend::builder().stateless(), tool("t")).start().await.unwrap();
    backend.set_tool(tool("t"), Answer::result(r#"{"content":[],"n":1.0}"#));
    let rig = Rig::before(&backend).await;
    let client = session(&rig).await;
    let mut reply = client.request("tools/call", json!({"name": "t", "task": {}})).await.unwrap();
    let text = reply.text().await.unwrap().unwrap();
    assert!(text.contains(r#""content":[],"n":1.0"#), "{text}");
    let listed = ask(&client, "tasks/list", json!({})).await;
    assert_eq!(listed["result"]["tasks"], json!([]));
}

#[tokio::test]
async fn a_client_that_knows_no_tasks_waits_for_the_result_of_one() {
    let (backend, jobs) = taking(required()).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session_with("2025-06-18", json!({"elicitation": {}})).await;
    let mut reply = client.request("tools/call", json!({"name": "t"})).await.unwrap();
    backend.wait_for("tasks/result", 1).await.unwrap();
    jobs.ask("task-1", "who", "elicitation/create", json!({"message": "?"}));
    let question = reply.message().await.unwrap().unwrap();
    assert_eq!(question["params"]["message"], "?");
    client.answer(&question, json!({"action": "accept"})).await.unwrap();
    jobs.answered("task-1", "who").await;
    jobs.finish("task-1", json!({"content": [], "n": 1.5}));
    let done = reply.response().await.unwrap();
    assert_eq!(done["result"], json!({"content": [], "n": 1.5}));
    assert_eq!(backend.count("tools/call"), 1);
    assert_eq!(ask(&client, "tasks/list", json!({})).await["error"]["code"], -32601);
}

#[tokio::test]
async fn a_call_that_is_taken_back_takes_its_task_along() {
    let (backend, jobs) = taking(required()).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session_with("2025-06-18", json!({})).await;
    let called = client.request_as("5", "tools/call", json!({"name": "t"}));
    let cancel = async {
        backend.wait_for("tasks/result", 1).await.unwrap();
        client.notify("notifications/cancelled", json!({"requestId": 5})).await.unwrap();
        jobs.wait_status("task-1", "cancelled").await;
    };
    let (_reply, ()) = tokio::join!(called, cancel);
    assert_eq!(jobs.plain("task-1")["status"], "cancelled");
    assert_eq!(LATEST, "2025-11-25");
}
