//! The front on a pair of pipes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use tokio::task::JoinHandle;
use vmcp_auth::OutgoingAuthRegistry;
use vmcp_backend::{BackendTarget, Connector};
use vmcp_config::{Aggregation, Config, Naming, PrefixFormat, ProcessScope, Stdio, Transport};
use vmcp_edge::front;
use vmcp_gateway::Gateway;
use vmcp_net::Client;
use vmcp_testkit::{Answer, Backend, Gate, Jobs, PATIENCE, stdio_peer};

use crate::rig::{LATEST, one_tool, target};

/// A client on the other end of the pipes.
struct Pipe {
    input: Option<WriteHalf<DuplexStream>>,
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Pipe {
    async fn before(backend: &Backend) -> Self {
        Self::before_target(target("b", backend), Vec::new()).await
    }

    async fn before_target(target: BackendTarget, backends: Vec<vmcp_config::Backend>) -> Self {
        let naming = Naming::Prefix { format: PrefixFormat::none() };
        let aggregation = Aggregation { naming, ..Aggregation::default() };
        let config = Arc::new(Config { aggregation, backends, ..Config::default() });
        let connector = Connector::new(Client::new(), OutgoingAuthRegistry::new());
        let targets = vec![Arc::new(target)];
        let gateway = Gateway::start(Arc::clone(&config), targets, Arc::new(connector));
        assert!(gateway.settled(PATIENCE).await);
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (stdin, stdout) = tokio::io::split(theirs);
        let never = std::future::pending();
        let served = tokio::spawn(front::stdio::run(config, gateway, stdin, stdout, never));
        let (output, input) = tokio::io::split(ours);
        Self { input: Some(input), output: BufReader::new(output).lines(), served }
    }

    /// After the handshake, by a client that can do everything.
    async fn open(backend: &Backend, revision: &str) -> Self {
        let mut pipe = Self::before(backend).await;
        let answer = pipe.shake(revision).await;
        assert_eq!(answer["result"]["protocolVersion"], revision);
        pipe
    }

    async fn shake(&mut self, revision: &str) -> Value {
        let params = json!({"protocolVersion": revision, "capabilities": {"roots": {}},
            "clientInfo": {"name": "t", "version": "0"}});
        self.ask(json!(0), "initialize", params).await;
        let answer = self.next().await;
        self.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        answer
    }

    async fn say(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn ask(&mut self, id: Value, method: &str, params: Value) {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.say(&message.to_string()).await;
    }

    async fn line(&mut self) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.output.next_line()).await.unwrap().unwrap()
    }

    async fn next(&mut self) -> Value {
        serde_json::from_str(&self.line().await.unwrap()).unwrap()
    }

    /// Closes the input and reads the rest.
    async fn finish(mut self) -> Vec<Value> {
        self.input.take().unwrap().shutdown().await.unwrap();
        let mut rest = Vec::new();
        while let Some(line) = self.line().await {
            rest.push(serde_json::from_str(&line).unwrap());
        }
        self.served.await.unwrap().unwrap();
        rest
    }
}

#[tokio::test]
async fn one_client_is_served_line_by_line() {
    let backend = one_tool("t", Answer::echo()).await;
    let mut pipe = Pipe::open(&backend, LATEST).await;
    pipe.ask(json!("a"), "ping", json!({})).await;
    assert_eq!(pipe.next().await, json!({"jsonrpc": "2.0", "id": "a", "result": {}}));
    pipe.ask(json!(1), "tools/list", json!({})).await;
    assert_eq!(pipe.next().await["result"]["tools"][0]["name"], "t");
    pipe.ask(json!(2), "tools/call", json!({"name": "t", "arguments": {"n": 1}})).await;
    let answer = pipe.next().await;
    assert_eq!(answer["id"], 2);
    assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains(r#""n":1"#));
    assert!(pipe.finish().await.is_empty());
}

#[tokio::test]
async fn the_order_of_the_handshake_is_kept() {
    let backend = one_tool("t", Answer::text("x")).await;
    let mut pipe = Pipe::before(&backend).await;
    pipe.ask(json!(1), "tools/list", json!({})).await;
    assert_eq!(pipe.next().await["error"]["code"], -32600);
    pipe.ask(json!(2), "ping", json!({})).await;
    assert_eq!(pipe.next().await["result"], json!({}));
    pipe.ask(json!(3), "initialize", json!({})).await;
    assert_eq!(pipe.next().await["error"]["code"], -32602);
    assert_eq!(pipe.shake("1999-01-01").await["result"]["protocolVersion"], LATEST);
    assert_eq!(pipe.shake(LATEST).await["error"]["code"], -32600);
}

#[tokio::test]
async fn garbage_is_not_answered() {
    let backend = one_tool("t", Answer::text("x")).await;
    let mut pipe = Pipe::open(&backend, LATEST).await;
    for garbage in ["", "hello", "{", r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, "\u{7}"] {
        pipe.say(garbage).await;
    }
    pipe.ask(json!(1), "ping", json!({})).await;
    assert_eq!(pipe.next().await["id"], 1);
}

#[tokio::test]
async fn calls_run_side_by_side_and_each_in_its_order() {
    let gate = Gate::new();
    let backend =
        one_tool("t", Answer::text("late").log("info", 1).log("info", 2).gate(&gate)).await;
    backend.set_tool(crate::rig::tool("u"), Answer::text("quick"));
    let mut pipe = Pipe::open(&backend, LATEST).await;
    pipe.ask(json!(1), "tools/call", json!({"name": "t"})).await;
    assert_eq!(pipe.next().await["params"]["data"], 1);
    assert_eq!(pipe.next().await["params"]["data"], 2);
    pipe.ask(json!(2), "ping", json!({})).await;
    assert_eq!(pipe.next().await["id"], 2);
    gate.open();
    let answer = pipe.next().await;
    assert_eq!(
        (&answer["id"], &answer["result"]["content"][0]["text"]),
        (&json!(1), &json!("late"))
    );
}

#[tokio::test]
async fn long_answers_are_one_line_each_and_the_lines_between_stay_whole() {
    const LENGTH: u64 = 2 << 20;
    let backend = one_tool("t", Answer::huge(LENGTH)).await;
    let mut pipe = Pipe::open(&backend, LATEST).await;
    for id in 1..=3 {
        pipe.ask(json!(id), "tools/call", json!({"name": "t"})).await;
        pipe.ask(json!(id + 10), "ping", json!({})).await;
    }
    let mut lengths = BTreeMap::new();
    for _ in 0..6 {
        let answer = pipe.next().await;
        let text = answer["result"]["content"][0]["text"].as_str().map(str::len);
        lengths.insert(answer["id"].as_u64().unwrap(), text.unwrap_or(0) as u64);
    }
    let expected = [(1, LENGTH), (2, LENGTH), (3, LENGTH), (11, 0), (12, 0), (13, 0)];
    assert_eq!(lengths, BTreeMap::from(expected));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_followed_by_its_failure() {
    let backend = one_tool("t", Answer::huge(2 << 20).cut_after(1 << 20)).await;
    let mut pipe = Pipe::open(&backend, LATEST).await;
    pipe.ask(json!(1), "tools/call", json!({"name": "t"})).await;
    let broken = pipe.line().await.unwrap();
    assert!(serde_json::from_str::<Value>(&broken).is_err());
    let answer = pipe.next().await;
    assert_eq!(answer["id"], 1);
    assert!(answer["error"]["code"].as_i64().unwrap() > 0, "{answer}");
}

#[tokio::test]
async fn a_call_is_taken_back_without_an_answer() {
    let backend = one_tool("t", Answer::never()).await;
    let mut pipe = Pipe::open(&backend, LATEST).await;
    pipe.ask(json!("x"), "tools/call", json!({"name": "t"})).await;
    backend.wait_for("tools/call", 1).await.unwrap();
    pipe.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x"}}"#)
        .await;
    backend.wait_for("notifications/cancelled", 1).await.unwrap();
    pipe.ask(json!(2), "ping", json!({})).await;
    assert_eq!(pipe.next().await["id"], 2);
}

#[tokio::test]
async fn servers_questions_are_answered_on_the_same_pipe() {
    let backend = one_tool("t", Answer::text("done").ask("roots/list", json!({}))).await;
    let mut pipe = Pipe::open(&backend, LATEST).await;
    pipe.ask(json!(0), "tools/call", json!({"name": "t"})).await;
    let asked = pipe.next().await;
    assert_eq!(asked["method"], "roots/list");
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": []}});
    pipe.say(&answer.to_string()).await;
    assert_eq!(pipe.next().await["result"]["content"][0]["text"], "done");
    assert_eq!(backend.replies()[0]["result"], json!({"roots": []}));
}

#[tokio::test]
async fn changes_are_told_without_being_asked() {
    let backend = one_tool("t", Answer::text("x")).await;
    let mut pipe = Pipe::open(&backend, LATEST).await;
    backend.set_tool(crate::rig::tool("u"), Answer::text("y"));
    backend.list_changed("tools").await;
    assert_eq!(pipe.next().await["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn batches_are_answered_where_they_exist() {
    let backend = one_tool("t", Answer::text("x")).await;
    let batch =
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#;
    let mut old = Pipe::open(&backend, "2025-03-26").await;
    old.say(batch).await;
    assert_eq!(
        (old.next().await["id"].clone(), old.next().await["id"].clone()),
        (json!(1), json!(2))
    );
    let mut new = Pipe::open(&backend, LATEST).await;
    new.say(batch).await;
    assert_eq!(new.next().await["error"]["code"], -32600);
}

#[tokio::test]
async fn calls_in_flight_are_answered_after_the_input_ended() {
    let gate = Gate::new();
    let backend = one_tool("t", Answer::text("late").gate(&gate)).await;
    let mut pipe = Pipe::open(&backend, LATEST).await;
    pipe.ask(json!(1), "tools/call", json!({"name": "t"})).await;
    gate.reached(1).await.unwrap();
    let rest = tokio::spawn(pipe.finish());
    gate.open();
    let rest = rest.await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["result"]["content"][0]["text"], "late");
    backend.wait_for("DELETE", 1).await.unwrap();
}

#[tokio::test]
async fn a_first_call_right_before_the_input_ends_is_answered() {
    let backend = one_tool("t", Answer::text("done")).await;
    let mut pipe = Pipe::open(&backend, LATEST).await;
    // The backend's session is opened by this very call, after the input has ended.
    pipe.ask(json!(1), "tools/call", json!({"name": "t"})).await;
    let rest = pipe.finish().await;
    assert_eq!(rest[0]["result"]["content"][0]["text"], "done");
}

/// Params of a request that says all about itself.
fn alone(mut params: Value) -> Value {
    let meta = &mut params["_meta"];
    meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    meta["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {}});
    params
}

#[tokio::test]
async fn requests_with_and_without_a_session_share_the_pipes() {
    let backend = one_tool("t", Answer::text("done")).await;
    let mut pipe = Pipe::before(&backend).await;
    // Before any handshake, and after it: each message says which it is.
    pipe.ask(json!("d"), "server/discover", alone(json!({}))).await;
    let found = pipe.next().await;
    assert_eq!((&found["id"], &found["result"]["resultType"]), (&json!("d"), &json!("complete")));
    pipe.shake(LATEST).await;
    for (id, params) in [(1, json!({"name": "t"})), (2, alone(json!({"name": "t"})))] {
        pipe.ask(json!(id), "tools/call", params).await;
        let answer = pipe.next().await;
        assert_eq!(
            (&answer["id"], &answer["result"]["content"][0]["text"]),
            (&json!(id), &json!("done"))
        );
        assert_eq!(answer["result"].get("resultType").is_some(), id == 2);
    }
    pipe.ask(json!(3), "ping", alone(json!({}))).await;
    assert_eq!(pipe.next().await["error"]["code"], -32601);
    let mut wrong = alone(json!({}));
    wrong["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2025-11-25");
    pipe.ask(json!(4), "server/discover", wrong).await;
    assert_eq!(pipe.next().await["error"]["code"], -32022);
    assert!(pipe.finish().await.is_empty());
}

#[tokio::test]
async fn a_question_is_an_answer_on_pipes_too() {
    let ask = json!({"message": "?", "requestedSchema": {"type": "object"}});
    let backend = one_tool("t", Answer::text("done").ask("elicitation/create", ask)).await;
    let mut pipe = Pipe::before(&backend).await;
    pipe.ask(json!(1), "tools/call", alone(json!({"name": "t"}))).await;
    let result = pipe.next().await["result"].take();
    assert_eq!(result["resultType"], "input_required");
    let key = result["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    let mut params = alone(json!({"name": "t"}));
    params["requestState"] = result["requestState"].clone();
    params["inputResponses"] = json!({key: {"action": "decline"}});
    pipe.ask(json!(2), "tools/call", params).await;
    let answer = pipe.next().await;
    assert_eq!(
        (&answer["id"], &answer["result"]["content"][0]["text"]),
        (&json!(2), &json!("done"))
    );
    assert_eq!(backend.replies()[0]["result"], json!({"action": "decline"}));
}

#[tokio::test]
async fn a_request_without_a_session_is_taken_back_by_its_id() {
    let backend = one_tool("t", Answer::never()).await;
    let mut pipe = Pipe::before(&backend).await;
    pipe.ask(json!("x"), "tools/call", alone(json!({"name": "t"}))).await;
    backend.wait_for("tools/call", 1).await.unwrap();
    let wishes = json!({"notifications": {"toolsListChanged": true}});
    pipe.ask(json!("l"), "subscriptions/listen", alone(wishes)).await;
    assert_eq!(pipe.next().await["method"], "notifications/subscriptions/acknowledged");
    for id in ["x", "l"] {
        let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": {"requestId": id}});
        pipe.say(&cancel.to_string()).await;
    }
    // A stream of messages is answered when it ends; of a call that was taken back nothing is said.
    let end = pipe.next().await;
    assert_eq!((&end["id"], &end["result"]["resultType"]), (&json!("l"), &json!("complete")));
    backend.wait_for("notifications/cancelled", 1).await.unwrap();
    assert!(pipe.finish().await.is_empty());
}

#[tokio::test]
async fn a_task_is_asked_for_and_followed_over_pipes() {
    let jobs = Jobs::new();
    let backend = jobs.asked_for(Backend::builder(), crate::rig::tool("t")).start().await.unwrap();
    let mut pipe = Pipe::open(&backend, LATEST).await;
    pipe.ask(json!(1), "tools/call", json!({"name": "t", "task": {"ttl": 5}})).await;
    let task = pipe.next().await["result"]["task"].take();
    assert_ne!(task["taskId"], "task-1");
    let id = json!({"taskId": task["taskId"]});
    pipe.ask(json!(2), "tasks/result", id.clone()).await;
    backend.wait_for("tasks/result", 1).await.unwrap();
    pipe.ask(json!(3), "tasks/get", id).await;
    assert_eq!(pipe.next().await["result"], task, "while the result is waited for");
    jobs.finish("task-1", json!({"content": []}));
    let ended = pipe.next().await;
    assert_eq!(ended["id"], 2);
    let related = &ended["result"]["_meta"]["io.modelcontextprotocol/related-task"];
    assert_eq!(related["taskId"], task["taskId"]);
}

#[tokio::test]
async fn progress_of_a_task_comes_from_pipe_to_pipe_until_it_is_over() {
    let command = stdio_peer().unwrap().to_string_lossy().into_owned();
    let args = vec!["--tasks".to_owned()];
    // Of a process that all share nobody can tell whose what is.
    let process = ProcessScope::PerSession;
    let (env, cwd) = (Vec::new(), None);
    let stdio = Stdio { command, args, env, cwd, process };
    let backend = vmcp_config::Backend {
        protocol: vmcp_wire::revision::Protocol::Auto,
        id: vmcp_config::BackendId::from("b"),
        transport: Transport::Stdio(stdio),
        headers: Vec::new(),
        auth: vmcp_config::OutgoingAuth::default(),
        timeouts: vmcp_config::BackendTimeouts::default(),
        network: vmcp_config::Network::default(),
        ca_bundle: None,
    };
    let mut pipe = Pipe::before_target(BackendTarget::from(&backend), vec![backend]).await;
    assert_eq!(pipe.shake(LATEST).await["result"]["protocolVersion"], LATEST);
    let params = json!({"name": "echo", "task": {}, "_meta": {"progressToken": "mine"}});
    pipe.ask(json!(1), "tools/call", params).await;
    // The two are said in one breath, and are in no order.
    let (mut told, mut id) = (Vec::new(), Value::Null);
    for _ in 0..2 {
        let mut message = pipe.next().await;
        match message["id"] == 1 {
            true => id = message["result"]["task"]["taskId"].take(),
            false => told.push(message["params"].take()),
        }
    }
    let at = |progress| json!({"progressToken": "mine", "progress": progress});
    assert_eq!(told, [at(1)]);
    for over in [false, true] {
        pipe.ask(json!(2), "tasks/result", json!({"taskId": id})).await;
        let (mut ended, mut told) = (false, Vec::new());
        while !ended || (!over && told.is_empty()) {
            let mut message = pipe.next().await;
            match message["id"] == 2 {
                true => ended = message["result"].is_object(),
                false => told.push(message["params"].take()),
            }
        }
        let expected = if over { Vec::new() } else { vec![at(2)] };
        assert_eq!(told, expected);
    }
    assert!(pipe.finish().await.is_empty());
}

#[tokio::test]
async fn an_old_client_on_a_pipe_reads_what_a_new_backend_says() {
    let audio = r#"{"content":[{"type":"audio","data":"","mimeType":"a/b"}],"n":1.0}"#;
    let backend = one_tool("t", Answer::result(audio)).await;
    for (revision, kind) in [("2024-11-05", "resource"), ("2025-03-26", "audio")] {
        let mut pipe = Pipe::open(&backend, revision).await;
        pipe.ask(json!(1), "tools/call", json!({"name": "t"})).await;
        assert_eq!(pipe.next().await["result"]["content"][0]["type"], kind, "{revision}");
        assert!(pipe.finish().await.is_empty());
    }
}
