//! Clients without a session, and what their backends say in no call.

use std::time::Duration;

use serde_json::{Value, json};
use vmcp_config::Config;
use vmcp_testkit::{Answer, Backend, Gate, StatelessClient, Transport};

use crate::rig::{Rig, one_tool, target, tool};

const LOG: &str = "notifications/message";

fn able(rig: &Rig) -> StatelessClient {
    let client = rig.stateless();
    client.set_capabilities(json!({"roots": {}}));
    client
}

/// The replies of the catalogue's own session and of the client's.
async fn ask(backend: &Backend) -> Vec<Value> {
    backend.ask("roots/list", json!({})).await
}

/// A backend that logs, with a tool of which nothing is logged, and one that waits.
async fn logging(gate: &Gate) -> Backend {
    Backend::builder()
        .tool(tool("t"), Answer::text("done"))
        .tool(tool("logs"), Answer::text("done").gate(gate))
        .capabilities(json!({"tools": {}, "logging": {}}))
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn nobody_is_asked_while_no_call_runs_and_the_backend_is_told_at_once() {
    let backend = one_tool("t", Answer::text("done")).await;
    let rig = Rig::before(&backend).await;
    backend.wait_listeners(1).await.unwrap();
    able(&rig).tool("t", json!({})).await.unwrap();
    // Open before the call was sent: what is asked there from the beginning is answered.
    assert_eq!(backend.listeners(), 2);
    let replies = tokio::time::timeout(Duration::from_secs(5), ask(&backend)).await.unwrap();
    let codes: Vec<&Value> = replies.iter().map(|reply| &reply["error"]["code"]).collect();
    assert_eq!(codes.len(), 2);
    assert!(codes.contains(&&json!(-32601)), "{replies:?}");
}

async fn check_asked(transport: Transport) {
    let gate = Gate::new();
    let backend = Backend::builder().tool(tool("t"), Answer::text("done").gate(&gate));
    let backend = backend.transport(transport).start().await.unwrap();
    let rig = Rig::before(&backend).await;
    backend.wait_listeners(1).await.unwrap();
    let client = able(&rig);
    let params = || json!({"name": "t", "arguments": {}});
    let roots = json!({"roots": [{"uri": "file:///r"}]});
    let calling = async {
        let answer = |_: &str, asked: &Value| {
            assert_eq!(asked["method"], "roots/list");
            roots.clone()
        };
        client.fulfil("tools/call", params(), answer).await.unwrap()
    };
    let asking = async {
        gate.reached(1).await.unwrap();
        let replies = ask(&backend).await;
        gate.open();
        replies
    };
    let ((message, rounds), replies) = tokio::join!(calling, asking);
    assert_eq!(message["result"]["content"][0]["text"], "done", "{message}");
    assert_eq!((rounds, backend.count("tools/call")), (1, 1));
    assert!(replies.iter().any(|reply| reply["result"] == roots), "{replies:?}");
}

#[tokio::test]
async fn what_is_asked_in_no_call_is_a_question_of_the_one_call_that_runs() {
    // One does not even begin to answer before it has its own answer.
    check_asked(Transport::Json).await;
    check_asked(Transport::Sse).await;
}

#[tokio::test]
async fn of_two_calls_that_run_none_is_asked() {
    let gate = Gate::new();
    let backend = one_tool("t", Answer::text("done").gate(&gate)).await;
    let rig = Rig::before(&backend).await;
    backend.wait_listeners(1).await.unwrap();
    let client = able(&rig);
    let asking = async {
        gate.reached(2).await.unwrap();
        let replies = ask(&backend).await;
        gate.open();
        replies
    };
    let call = || client.tool("t", json!({}));
    let (one, two, replies) = tokio::join!(call(), call(), asking);
    for message in [one.unwrap(), two.unwrap()] {
        assert_eq!(message["result"]["content"][0]["text"], "done", "{message}");
    }
    assert_eq!(replies.len(), 2);
    assert!(replies.iter().all(|reply| reply.get("error").is_some()), "{replies:?}");
}

#[tokio::test]
async fn what_is_logged_in_no_call_comes_on_the_one_that_runs_at_its_level() {
    let gate = Gate::new();
    let backend = logging(&gate).await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    // The session is open when a call first asks for log messages.
    client.tool("t", json!({})).await.unwrap();
    assert_eq!(backend.count("logging/setLevel"), 0);
    client.set_level(Some("warning"));
    let logging = async {
        gate.reached(1).await.unwrap();
        backend.wait_listeners(2).await.unwrap();
        for level in ["info", "error"] {
            backend.notify(LOG, json!({"level": level, "data": "x"})).await;
        }
    };
    let calling = client.request("tools/call", json!({"name": "logs", "arguments": {}}));
    let (reply, ()) = tokio::join!(calling, logging);
    let mut reply = reply.unwrap();
    let log = reply.message().await.unwrap().unwrap();
    assert_eq!((&log["method"], &log["params"]["level"]), (&json!(LOG), &json!("error")));
    gate.open();
    let message = reply.response().await.unwrap();
    assert_eq!(message["result"]["content"][0]["text"], "done", "{message}");
    let heard = backend.requests();
    let at = |method: &str| heard.iter().rposition(|request| request.json()["method"] == method);
    assert!(at("logging/setLevel").unwrap() < at("tools/call").unwrap());
    assert_eq!(backend.heard("logging/setLevel")[0].json()["params"]["level"], "warning");
}

/// Nobody knows which of two connections a backend writes to first if it has several threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_log_message_of_calls_is_lost() {
    const CALLS: usize = 100;
    let gate = Gate::new();
    let backend = logging(&gate).await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    client.set_level(Some("info"));
    let mut heard = Vec::new();
    for round in 1..=CALLS {
        gate.close();
        let logging = async {
            gate.reached(round).await.unwrap();
            backend.notify(LOG, json!({"level": "error", "data": round})).await;
            gate.open();
        };
        let calling = client.request("tools/call", json!({"name": "logs", "arguments": {}}));
        let (reply, ()) = tokio::join!(calling, logging);
        let mut reply = reply.unwrap();
        loop {
            let message = reply.message().await.unwrap().unwrap();
            if message["method"] != LOG {
                assert_eq!(message["result"]["content"][0]["text"], "done", "{message}");
                break;
            }
            heard.push(message["params"]["data"].as_u64().unwrap() as usize);
        }
    }
    // The last one may come too late for the last call.
    heard.truncate(CALLS - 1);
    assert_eq!(heard, (1..CALLS).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_call_that_asked_for_no_log_messages_is_told_none() {
    let gate = Gate::new();
    let backend = logging(&gate).await;
    let rig = Rig::before(&backend).await;
    let client = able(&rig);
    client.set_level(Some("info"));
    client.tool("t", json!({})).await.unwrap();
    client.set_level(None);
    let logging = async {
        gate.reached(1).await.unwrap();
        backend.notify(LOG, json!({"level": "error", "data": "x"})).await;
        gate.open();
    };
    let calling = client.request("tools/call", json!({"name": "logs", "arguments": {}}));
    let (reply, ()) = tokio::join!(calling, logging);
    let message = reply.unwrap().message().await.unwrap().unwrap();
    assert_eq!(message["result"]["content"][0]["text"], "done", "{message}");
}

#[tokio::test]
async fn who_is_asked_in_no_call_may_think_for_longer_than_a_backend_may_be_silent() {
    let gate = Gate::new();
    let backend = one_tool("t", Answer::text("done").gate(&gate)).await;
    let mut target = target("b", &backend);
    target.timeouts.call = Duration::from_millis(200);
    let rig = Rig::with(vec![target], |_| {}).await;
    backend.wait_listeners(1).await.unwrap();
    let client = able(&rig);
    let params = || json!({"name": "t", "arguments": {}});
    let calling = async {
        let asked = client.call("tools/call", params()).await.unwrap()["result"].take();
        assert_eq!(asked["resultType"], "input_required", "{asked}");
        let thinking = tokio::time::timeout(Duration::from_millis(700), backend.wait_abandoned(1));
        assert!(thinking.await.is_err(), "the call was given up");
        let (key, _) = asked["inputRequests"].as_object().unwrap().iter().next().unwrap();
        let answers = json!({key: {"roots": []}});
        let mut reply = client.retry("tools/call", params(), &asked, answers).await.unwrap();
        reply.response().await.unwrap()
    };
    let asking = async {
        gate.reached(1).await.unwrap();
        let replies = ask(&backend).await;
        gate.open();
        replies
    };
    let (message, replies) = tokio::join!(calling, asking);
    assert_eq!(message["result"]["content"][0]["text"], "done", "{message}");
    assert!(replies.iter().any(|reply| reply["result"] == json!({"roots": []})), "{replies:?}");
}

#[tokio::test]
async fn a_question_in_no_call_that_the_client_cannot_answer_leaves_its_call_alone() {
    let gate = Gate::new();
    let backend = one_tool("t", Answer::text("done").gate(&gate)).await;
    let rig = Rig::before(&backend).await;
    backend.wait_listeners(1).await.unwrap();
    let client = able(&rig);
    let asking = async {
        gate.reached(1).await.unwrap();
        let replies = backend.ask("sampling/createMessage", json!({"messages": []})).await;
        gate.open();
        replies
    };
    let (message, replies) = tokio::join!(client.tool("t", json!({})), asking);
    assert_eq!(message.unwrap()["result"]["content"][0]["text"], "done");
    assert!(replies.iter().all(|reply| reply["error"]["code"] == -32601), "{replies:?}");
}

#[tokio::test]
async fn what_is_said_while_questions_are_gathered_is_told_at_once() {
    let answer = Answer::run(|call| async move {
        let asking = call.ask("roots/list", json!({}));
        let telling = call.progress("1", None, None);
        tokio::join!(asking, telling);
        Answer::text("done")
    });
    let backend = one_tool("t", answer).await;
    // Longer than the test may take.
    let change = |config: &mut Config| config.timeouts.gather = Duration::from_secs(3600);
    let rig = Rig::with(vec![target("b", &backend)], change).await;
    let params = json!({"name": "t", "_meta": {"progressToken": 7}});
    let mut reply = able(&rig).request("tools/call", params).await.unwrap();
    let message = reply.message().await.unwrap().unwrap();
    assert_eq!(message["method"], "notifications/progress");
    assert_eq!(message["params"]["progressToken"], 7);
}
