//! Clients with a session, in front of backends that have none.

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, RawClient, RawReply, Transport};

use crate::rig::{LATEST, Rig, tool};

const ALL: &str = r#"{"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{}}"#;

async fn before(answer: Answer) -> (Backend, Rig) {
    let builder = Backend::builder()
        .stateless()
        .tool(tool("t"), answer)
        .resource(json!({"uri": "r://1", "name": "r"}), Answer::usual());
    let backend = builder.start().await.unwrap();
    let rig = Rig::before(&backend).await;
    (backend, rig)
}

async fn session(rig: &Rig) -> RawClient {
    rig.session_with(LATEST, serde_json::from_str(ALL).unwrap()).await
}

async fn next(reply: &mut RawReply) -> Value {
    reply.message().await.unwrap().unwrap()
}

fn done(message: &Value) {
    assert_eq!(message["result"]["content"][0]["text"], "done", "{message}");
}

#[tokio::test]
async fn lists_and_calls_are_as_ever() {
    for transport in [Transport::Json, Transport::Sse] {
        let builder = Backend::builder().stateless().transport(transport);
        let builder = builder.tool(tool("t"), Answer::result(r#"{"content":[],"n":1.0}"#));
        let backend = builder.start().await.unwrap();
        let rig = Rig::before(&backend).await;
        let client = rig.session(LATEST).await;
        let mut reply = client.request("tools/list", json!({})).await.unwrap();
        assert_eq!(reply.response().await.unwrap()["result"]["tools"][0]["name"], "t");
        for _ in 0..2 {
            let mut reply = client.request("tools/call", json!({"name": "t"})).await.unwrap();
            let text = reply.text().await.unwrap().unwrap();
            assert!(text.contains(r#""content":[],"n":1.0"#), "{text}");
        }
        assert_eq!(backend.executions().len(), 2);
        let called = backend.heard("tools/call")[0].json();
        let declared = &called["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        assert_eq!(*declared, json!({}), "exactly what the client declared");
    }
}

#[tokio::test]
async fn questions_in_answers_become_requests_on_the_calls_stream() {
    let answer = Answer::text("done")
        .progress(1, Some(2.0), None)
        .asks([
            ("who", "elicitation/create", json!({"message": "?", "requestedSchema": {}})),
            ("what", "sampling/createMessage", json!({"messages": []})),
        ])
        .ask("elicitation/create", json!({"mode": "url", "url": "u", "message": "?"}));
    let (backend, rig) = before(answer).await;
    let client = session(&rig).await;
    let params = json!({"name": "t", "_meta": {"progressToken": "p"}});
    let mut reply = client.request("tools/call", params).await.unwrap();
    let progress = next(&mut reply).await;
    assert_eq!(progress["params"]["progressToken"], "p", "{progress}");
    let (who, what) = (next(&mut reply).await, next(&mut reply).await);
    assert_eq!(who["method"], "elicitation/create");
    assert_eq!(what["method"], "sampling/createMessage");
    client.answer(&what, json!({"role": "assistant"})).await.unwrap();
    client.answer(&who, json!({"action": "accept"})).await.unwrap();
    let elsewhere = next(&mut reply).await;
    assert!(elsewhere["params"]["elicitationId"].is_string(), "{elsewhere}");
    client.refuse(&elsewhere, json!({"code": -1, "message": "no"})).await.unwrap();
    done(&next(&mut reply).await);
    let told: Vec<Value> = backend.replies().iter().map(|reply| reply["result"].clone()).collect();
    assert!(told.contains(&json!({"action": "accept"})), "{told:?}");
    assert!(told.contains(&json!({"role": "assistant"})), "{told:?}");
    assert!(told.contains(&json!({"action": "cancel"})), "{told:?}");
    assert_eq!(backend.executions().len(), 1);
}

#[tokio::test]
async fn what_the_client_cannot_do_is_not_asked_of_it() {
    let answer = Answer::text("done").ask("elicitation/create", json!({"message": "?"}));
    let (_backend, rig) = before(answer).await;
    let client = rig.session(LATEST).await;
    let message = client.tool("t", json!({})).await.unwrap();
    assert_eq!(message["error"]["code"], -32021, "{message}");
}

#[tokio::test]
async fn subscriptions_give_real_updates_and_lists_change() {
    let (backend, rig) = before(Answer::text("done")).await;
    let client = session(&rig).await;
    let mut stream = client.get().await.unwrap();
    let mut reply = client.request("resources/subscribe", json!({"uri": "r://1"})).await.unwrap();
    assert_eq!(reply.response().await.unwrap()["result"], json!({}));
    let subscribed = |listens: &[Value]| {
        listens.iter().any(|listen| listen["resourceSubscriptions"] == json!(["r://1"]))
    };
    backend.wait_listens(subscribed).await.unwrap();
    assert_eq!(backend.resource_updated("r://1").await, 1);
    let told = next(&mut stream).await;
    assert_eq!(told["method"], "notifications/resources/updated");
    assert_eq!(told["params"], json!({"uri": "r://1"}));
    backend.set_tool(tool("u"), Answer::text("done"));
    backend.list_changed("tools").await;
    assert_eq!(next(&mut stream).await["method"], "notifications/tools/list_changed");
    done(&client.tool("u", json!({})).await.unwrap());
    let mut reply = client.request("resources/unsubscribe", json!({"uri": "r://1"})).await.unwrap();
    assert_eq!(reply.response().await.unwrap()["result"], json!({}));
    backend.wait_listens(|listens| !subscribed(listens)).await.unwrap();
}

#[tokio::test]
async fn taking_a_call_back_ends_the_backends_stream() {
    let (backend, rig) = before(Answer::never().progress(1, None, None)).await;
    let client = session(&rig).await;
    let params = json!({"name": "t", "_meta": {"progressToken": 0}});
    let mut reply = client.request_as("7", "tools/call", params).await.unwrap();
    assert_eq!(next(&mut reply).await["params"]["progressToken"], 0);
    client.notify("notifications/cancelled", json!({"requestId": 7})).await.unwrap();
    assert_eq!(reply.message().await.unwrap(), None);
    let gone = async {
        while backend.abandoned().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(vmcp_testkit::PATIENCE, gone).await.unwrap();
    assert_eq!(backend.count("notifications/cancelled"), 0);
}

#[tokio::test]
async fn the_level_that_was_set_once_goes_with_each_call() {
    let builder = Backend::builder()
        .stateless()
        .capabilities(json!({"tools": {}, "logging": {}}))
        .tool(tool("t"), Answer::text("done").log("info", "i").log("error", "e"));
    let backend = builder.start().await.unwrap();
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    done(&client.tool("t", json!({})).await.unwrap());
    client.request("logging/setLevel", json!({"level": "error"})).await.unwrap();
    let mut reply = client.request("tools/call", json!({"name": "t"})).await.unwrap();
    assert_eq!(next(&mut reply).await["params"]["data"], "e");
    done(&next(&mut reply).await);
    assert_eq!(backend.count("logging/setLevel"), 0);
}

#[tokio::test]
async fn a_resource_that_there_is_not_has_the_code_that_the_client_knows() {
    let (backend, rig) = before(Answer::text("done")).await;
    backend.set_resource(json!({"uri": "r://1", "name": "r"}), Answer::error(-32602, "gone"));
    let client = session(&rig).await;
    let mut reply = client.request("resources/read", json!({"uri": "r://1"})).await.unwrap();
    assert_eq!(reply.response().await.unwrap()["error"]["code"], -32002);
}
