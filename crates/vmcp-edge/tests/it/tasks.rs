//! Tasks where client and backend follow them in the same form: all that vmcp changes is their ids.

use serde_json::{Value, json};
use vmcp_config::{Config, SealKey};
use vmcp_testkit::{Answer, Backend, Jobs, RawClient, StatelessClient};

use crate::rig::{LATEST, Rig, target, tool};

pub(crate) const EXTENSION: &str = "io.modelcontextprotocol/tasks";
pub(crate) const RELATED: &str = "io.modelcontextprotocol/related-task";

/// A backend whose tool becomes a task when a client that can follow one calls it.
pub(crate) async fn offering(name: &str) -> (Backend, Jobs) {
    let jobs = Jobs::new();
    let backend = jobs.offered(Backend::builder().stateless(), tool(name)).start().await.unwrap();
    (backend, jobs)
}

/// A backend whose tool becomes a task when a client asks for one.
pub(crate) async fn taking(tool: Value) -> (Backend, Jobs) {
    let jobs = Jobs::new();
    let backend = jobs.asked_for(Backend::builder(), tool).start().await.unwrap();
    (backend, jobs)
}

/// A client without a session that can follow tasks and be asked.
pub(crate) fn follower(rig: &Rig) -> StatelessClient {
    let client = rig.stateless();
    client.set_capabilities(json!({"elicitation": {}, "extensions": {EXTENSION: {}}}));
    client
}

/// A client with a session that can be asked.
pub(crate) async fn session(rig: &Rig) -> RawClient {
    rig.session_with(LATEST, json!({"elicitation": {}})).await
}

/// A whole answer of a client with a session.
pub(crate) async fn ask(client: &RawClient, method: &str, params: Value) -> Value {
    client.request(method, params).await.unwrap().response().await.unwrap()
}

/// The task object without its id, and the id.
pub(crate) fn parted(task: &Value) -> (Value, String) {
    let mut rest = task.clone();
    let id = rest.as_object_mut().unwrap().remove("taskId").unwrap();
    (rest, id.as_str().unwrap().to_owned())
}

fn bare(mut task: Value) -> Value {
    for key in ["taskId", "resultType", "_meta"] {
        task.as_object_mut().unwrap().remove(key);
    }
    task
}

#[tokio::test]
async fn offered_tasks_keep_everything_but_their_ids() {
    let (backend, jobs) = offering("t").await;
    let rig = Rig::before(&backend).await;
    let client = follower(&rig);
    let told = client.discover().await.unwrap();
    assert_eq!(told["result"]["capabilities"]["extensions"][EXTENSION], json!({}));
    let made = client.tool("t", json!({})).await.unwrap()["result"].take();
    assert_eq!(made["resultType"], "task");
    let id = made["taskId"].as_str().unwrap().to_owned();
    assert!(id != "task-1" && !id.contains("task"), "{id}");
    assert_eq!(bare(made), bare(jobs.detailed("task-1")));
    let named = json!({"taskId": id});

    jobs.ask("task-1", "who", "elicitation/create", json!({"message": "?"}));
    let asked = client.call("tasks/get", named.clone()).await.unwrap()["result"].take();
    assert_eq!((&asked["resultType"], &asked["taskId"]), (&json!("complete"), &json!(id)));
    assert_eq!(bare(asked), bare(jobs.detailed("task-1")));
    let answers = json!({"who": {"action": "accept", "content": {}}});
    let params = json!({"taskId": id, "inputResponses": answers});
    let updated = client.call("tasks/update", params).await.unwrap();
    assert_eq!(updated["result"]["resultType"], "complete", "{updated}");
    assert_eq!(jobs.answered("task-1", "who").await, answers["who"]);

    jobs.finish("task-1", json!({"content": [], "n": 1.5}));
    let done = client.call("tasks/get", named.clone()).await.unwrap()["result"].take();
    assert_eq!((&done["status"], &done["result"]["n"]), (&json!("completed"), &json!(1.5)));
    let cancelled = client.call("tasks/cancel", named).await.unwrap();
    assert!(cancelled["result"].is_object(), "cancelling again is no error: {cancelled}");
    for heard in backend.heard("tasks/get") {
        assert_eq!(heard.json()["params"]["taskId"], "task-1");
        assert_eq!(heard.headers["mcp-name"], "task-1", "the header repeats the backend's own id");
    }
    assert_eq!(backend.count("tools/call"), 1);
}

#[tokio::test]
async fn a_task_belongs_to_the_backend_that_made_it_and_to_nobody_who_does_not_know_it() {
    let ((one, first), (two, second)) = (offering("t").await, offering("u").await);
    let keyed = |config: &mut Config| config.seal.key = Some(SealKey::new([1; 32]));
    let targets = || vec![target("b", &one), target("c", &two)];
    let (rig, replica) = (Rig::with(targets(), keyed).await, Rig::with(targets(), keyed).await);
    let client = follower(&rig);
    let mut ids = Vec::new();
    for name in ["u", "t"] {
        let made = client.tool(name, json!({})).await.unwrap()["result"].take();
        ids.push(made["taskId"].as_str().unwrap().to_owned());
    }
    // Both backends call theirs by the same name.
    second.finish("task-1", json!({"content": [], "of": "u"}));
    first.finish("task-1", json!({"content": [], "of": "t"}));
    for client in [client, follower(&replica)] {
        for (id, of) in ids.iter().zip(["u", "t"]) {
            let found = client.call("tasks/get", json!({"taskId": id})).await.unwrap();
            assert_eq!(found["result"]["result"]["of"], of, "{found}");
        }
    }
    let restarted = Rig::with(targets(), |_| {}).await;
    let other = follower(&restarted);
    let (mut errors, asked) = (Vec::new(), (one.count("tasks/get"), two.count("tasks/get")));
    let changed = format!("{}A", ids[0]);
    for (client, id) in [
        (&follower(&rig), "task-1"),
        (&follower(&rig), &*changed),
        (&follower(&rig), "x"),
        // Under another key, as after a restart without one.
        (&other, &*ids[0]),
    ] {
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let params = json!({"taskId": id, "inputResponses": {}});
            errors.push(client.call(method, params).await.unwrap()["error"].take());
        }
    }
    assert!(errors.iter().all(|error| error == &errors[0]), "{errors:?}");
    assert_eq!(errors[0]["code"], -32602);
    assert_eq!((one.count("tasks/get"), two.count("tasks/get")), asked, "nobody was asked");
}

#[tokio::test]
async fn an_id_that_is_too_old_is_as_one_that_never_was() {
    let (backend, _jobs) = offering("t").await;
    let short = |config: &mut Config| config.tasks.lifetime = std::time::Duration::ZERO;
    let rig = Rig::with(vec![target("b", &backend)], short).await;
    let client = follower(&rig);
    let made = client.tool("t", json!({})).await.unwrap()["result"].take();
    let late = client.call("tasks/get", json!({"taskId": made["taskId"]})).await.unwrap();
    let never = client.call("tasks/get", json!({"taskId": "x"})).await.unwrap();
    assert_eq!(late["error"], never["error"]);
    assert_eq!(late["error"]["code"], -32602);
}

#[tokio::test]
async fn what_a_backend_does_not_know_any_more_never_was() {
    let (backend, _jobs) = offering("t").await;
    let rig = Rig::before(&backend).await;
    let client = follower(&rig);
    let made = client.tool("t", json!({})).await.unwrap()["result"].take();
    backend.on("tasks/get", Answer::error(-32602, "task-1 is over"));
    let gone = client.call("tasks/get", json!({"taskId": made["taskId"]})).await.unwrap();
    let never = client.call("tasks/get", json!({"taskId": "x"})).await.unwrap();
    assert_eq!(gone["error"], never["error"], "{gone}");
}

#[tokio::test]
async fn a_client_that_did_not_declare_the_extension_is_told_to() {
    let (backend, _jobs) = offering("t").await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    let mut reply = client.request("tasks/get", json!({"taskId": "x"})).await.unwrap();
    assert_eq!(reply.status, 400);
    let error = reply.response().await.unwrap()["error"].take();
    assert_eq!(error["code"], -32021);
    let needed = json!({"requiredCapabilities": {"extensions": {EXTENSION: {}}}});
    assert_eq!(error["data"], needed);
    let done = client.tool("t", json!({})).await.unwrap();
    assert_eq!(done["result"]["content"][0]["text"], "at once");
}

#[tokio::test]
async fn a_stream_hears_of_the_tasks_it_names_under_their_ids() {
    let (backend, jobs) = offering("t").await;
    let rig = Rig::before(&backend).await;
    let client = follower(&rig);
    let made = client.tool("t", json!({})).await.unwrap()["result"].take();
    client.tool("t", json!({})).await.unwrap();
    let wishes = json!({"taskIds": [made["taskId"], "task-1", "nonsense"]});
    let mut stream = client.listen(wishes).await.unwrap();
    let honoured = &stream.acknowledged["params"]["notifications"];
    assert_eq!(*honoured, json!({"taskIds": [made["taskId"]]}), "only what is this client's");
    backend
        .wait_listens(|all| all.iter().any(|one| one["taskIds"] == json!(["task-1"])))
        .await
        .unwrap();
    jobs.finish("task-1", json!({"content": []}));
    backend.notify("notifications/tasks", jobs.detailed("task-2")).await;
    backend.notify("notifications/tasks", jobs.detailed("task-1")).await;
    let told = stream.next().await.unwrap().unwrap();
    assert_eq!(told["method"], "notifications/tasks");
    assert_eq!(told["params"]["taskId"], made["taskId"]);
    assert_eq!(bare(told["params"].clone()), bare(jobs.detailed("task-1")));
    drop(stream);
    backend.wait_listens(|all| all.iter().all(|one| one["taskIds"].is_null())).await.unwrap();
}

#[tokio::test]
async fn tasks_that_are_asked_for_keep_everything_but_their_ids() {
    let (backend, jobs) = taking(tool("t")).await;
    let rig = Rig::before(&backend).await;
    let client = session(&rig).await;
    let made = ask(&client, "tools/call", json!({"name": "t", "task": {"ttl": 9}})).await;
    let (rest, id) = parted(&made["result"]["task"]);
    assert_eq!(rest, parted(&jobs.plain("task-1")).0);
    assert!(!id.contains("task"), "{id}");
    let named = json!({"taskId": id});
    let found = ask(&client, "tasks/get", named.clone()).await;
    assert_eq!(found["result"], made["result"]["task"]);

    // The question comes on the stream of the result, and belongs to the task.
    let mut waiting = client.request("tasks/result", named.clone()).await.unwrap();
    jobs.ask("task-1", "who", "elicitation/create", json!({"message": "?"}));
    let question = waiting.message().await.unwrap().unwrap();
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(question["params"]["_meta"][RELATED]["taskId"], json!(id));
    let answer = json!({"action": "accept", "_meta": {RELATED: {"taskId": id}}});
    client.answer(&question, answer).await.unwrap();
    assert_eq!(jobs.answered("task-1", "who").await["action"], "accept");
    jobs.finish("task-1", json!({"content": [], "n": 1.5}));
    let done = waiting.response().await.unwrap();
    assert_eq!(done["result"]["n"], 1.5);
    assert_eq!(done["result"]["_meta"][RELATED]["taskId"], json!(id));

    let over = ask(&client, "tasks/cancel", named).await;
    assert_eq!(over["error"]["message"], "the task is over already", "the backend's own word");
    let never = ask(&client, "tasks/result", json!({"taskId": "task-1"})).await;
    assert_eq!(never["error"]["code"], -32602);
    assert_eq!(backend.count("tools/call"), 1);
}

#[tokio::test]
async fn a_task_is_cancelled_and_fails_in_its_backends_words() {
    let (backend, jobs) = taking(tool("t")).await;
    let rig = Rig::before(&backend).await;
    let client = session(&rig).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let made = ask(&client, "tools/call", json!({"name": "t", "task": {}})).await;
        ids.push(made["result"]["task"]["taskId"].clone());
    }
    let cancelled = ask(&client, "tasks/cancel", json!({"taskId": ids[0]})).await;
    assert_eq!(cancelled["result"]["status"], "cancelled");
    assert_eq!(cancelled["result"]["taskId"], ids[0]);
    jobs.fail("task-2", json!({"code": 7, "message": "broken", "data": [1]}));
    let failed = ask(&client, "tasks/result", json!({"taskId": ids[1]})).await;
    assert_eq!(failed["error"], json!({"code": 7, "message": "broken", "data": [1]}));
}

#[tokio::test]
async fn a_client_lists_what_it_asked_for_and_nothing_else() {
    let ((one, jobs), (two, _)) = (taking(tool("t")).await, taking(tool("u")).await);
    let rig = Rig::with(vec![target("b", &one), target("c", &two)], |_| {}).await;
    let (client, other) = (session(&rig).await, session(&rig).await);
    let hello = rig.client().handshake(LATEST, json!({})).await.unwrap();
    let told = &hello["capabilities"];
    assert_eq!(told["tasks"]["requests"]["tools"]["call"], json!({}));
    let mut ids = Vec::new();
    for name in ["t", "u"] {
        let made = ask(&client, "tools/call", json!({"name": name, "task": {}})).await;
        ids.push(made["result"]["task"]["taskId"].clone());
    }
    ask(&other, "tools/call", json!({"name": "t", "task": {}})).await;
    jobs.finish("task-1", json!({"content": []}));
    let listed = ask(&client, "tasks/list", json!({})).await["result"].take();
    let tasks = listed["tasks"].as_array().unwrap();
    let states: Vec<_> = tasks.iter().map(|task| (&task["taskId"], &task["status"])).collect();
    assert_eq!(states, [(&ids[0], &json!("completed")), (&ids[1], &json!("working"))]);
    assert_eq!(one.count("tasks/list") + two.count("tasks/list"), 0);
    let wrong = ask(&client, "tasks/list", json!({"cursor": "x"})).await;
    assert_eq!(wrong["error"]["code"], -32602);
}

#[tokio::test]
async fn what_a_backend_says_of_a_task_goes_to_its_client() {
    let (backend, jobs) = taking(tool("t")).await;
    let rig = Rig::before(&backend).await;
    let (client, other) = (session(&rig).await, session(&rig).await);
    let mut streams = (client.get().await.unwrap(), other.get().await.unwrap());
    let mut ids = Vec::new();
    for client in [&client, &other] {
        let made = ask(client, "tools/call", json!({"name": "t", "task": {}})).await;
        ids.push(made["result"]["task"]["taskId"].clone());
    }
    backend.wait_listeners(3).await.unwrap();
    // Each session hears of both, and is told of its own.
    backend.notify("notifications/tasks/status", jobs.plain("task-1")).await;
    backend.notify("notifications/tasks/status", jobs.plain("task-2")).await;
    let first = streams.0.message().await.unwrap().unwrap();
    let second = streams.1.message().await.unwrap().unwrap();
    assert_eq!((&first["params"]["taskId"], &second["params"]["taskId"]), (&ids[0], &ids[1]));
    assert_eq!(first["method"], "notifications/tasks/status");
}

#[tokio::test]
async fn bounds_are_told_before_a_tool_is_called() {
    let (backend, jobs) = taking(tool("t")).await;
    let bound = |config: &mut Config| {
        config.tasks.max_per_client = 1;
        config.tasks.lifetime = std::time::Duration::from_secs(5);
    };
    let rig = Rig::with(vec![target("b", &backend)], bound).await;
    let client = session(&rig).await;
    let params = json!({"name": "t", "task": {"ttl": 9_000_000}});
    let made = ask(&client, "tools/call", params.clone()).await;
    assert_eq!(made["result"]["task"]["ttl"], 5000, "no longer than an id is good for");
    let full = ask(&client, "tools/call", params.clone()).await;
    assert_eq!(full["error"]["data"], json!({"reason": "busy", "executed": "no"}));
    assert_eq!(backend.count("tools/call"), 1);
    jobs.finish("task-1", json!({"content": []}));
    ask(&client, "tasks/get", json!({"taskId": made["result"]["task"]["taskId"]})).await;
    assert!(ask(&client, "tools/call", params).await["result"]["task"].is_object());
}

#[tokio::test]
async fn where_nobody_has_tasks_a_call_is_a_call() {
    let backend = crate::rig::one_tool("t", Answer::echo()).await;
    let rig = Rig::before(&backend).await;
    let client = session(&rig).await;
    let done = ask(&client, "tools/call", json!({"name": "t", "task": {"ttl": 1}})).await;
    let echoed = done["result"]["content"][0]["text"].as_str().unwrap();
    assert!(!echoed.contains("task"), "{echoed}");
    assert_eq!(ask(&client, "tasks/list", json!({})).await["error"]["code"], -32601);
}
