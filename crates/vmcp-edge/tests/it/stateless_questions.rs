//! Questions of backends to clients that can only be asked by an answer.

use std::time::Duration;

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, StatelessClient};

use crate::rig::{Rig, body, one_tool, target, tool};

const ASK: &str = "elicitation/create";

/// What is asked, with what means nothing to a client without a session.
fn question(text: &str) -> Value {
    json!({"message": text, "requestedSchema": {"type": "object"}, "task": {"ttl": 1},
        "_meta": {"progressToken": 0, "kept": true}})
}

fn asker() -> Answer {
    Answer::text("done").ask(ASK, question("name?"))
}

fn client(rig: &Rig) -> StatelessClient {
    let client = rig.stateless();
    client.set_capabilities(json!({"elicitation": {"form": {}}, "sampling": {}, "roots": {}}));
    client
}

fn accept(name: &str) -> Value {
    json!({"action": "accept", "content": {"name": name}})
}

fn params() -> Value {
    json!({"name": "t", "arguments": {"b": 2, "a": 1}})
}

#[tokio::test]
async fn a_question_is_an_answer_and_its_answer_goes_on_with_the_same_call() {
    let backend = one_tool("t", asker()).await;
    let rig = Rig::before(&backend).await;
    let client = client(&rig);
    let result = client.call("tools/call", params()).await.unwrap()["result"].take();
    assert_eq!(result["resultType"], "input_required");
    let asked = result["inputRequests"].as_object().unwrap();
    assert_eq!(asked.len(), 1);
    let (key, asked) = asked.iter().next().unwrap();
    assert_eq!(asked["method"], ASK);
    assert_eq!(
        asked["params"],
        json!({"message": "name?", "requestedSchema": {"type": "object"},
        "_meta": {"kept": true}})
    );
    assert!(result.get("ttlMs").is_none(), "{result}");
    let answers = json!({key: accept("x"), "other": accept("y")});
    let mut reply = client.retry("tools/call", params(), &result, answers.clone()).await.unwrap();
    let message = reply.response().await.unwrap();
    assert_eq!(message["result"]["content"][0]["text"], "done");
    assert_eq!(message["result"]["resultType"], "complete");
    assert_eq!(backend.replies()[0]["result"], accept("x"));
    assert_eq!(backend.count("tools/call"), 1);
    // Once is enough.
    let mut again = client.retry("tools/call", params(), &result, answers).await.unwrap();
    assert_eq!(again.status, 200);
    let error = body(&mut again).await["error"].take();
    assert_eq!(error["code"], -32602);
    assert_eq!(error["data"]["executed"], "unknown");
    assert_eq!(backend.count("tools/call"), 1);
}

#[tokio::test]
async fn several_rounds_are_one_call() {
    let answer = Answer::text("done")
        .ask(ASK, question("one?"))
        .ask("sampling/createMessage", json!({"messages": [], "maxTokens": 1}))
        .ask("roots/list", json!({}));
    let backend = one_tool("t", answer).await;
    let rig = Rig::before(&backend).await;
    let answer = |_: &str, asked: &Value| match asked["method"].as_str().unwrap() {
        ASK => accept("x"),
        "roots/list" => json!({"roots": []}),
        _ => json!({"role": "assistant", "content": {"type": "text", "text": "s"}, "model": "m"}),
    };
    let (message, rounds) = client(&rig).fulfil("tools/call", params(), answer).await.unwrap();
    assert_eq!(message["result"]["content"][0]["text"], "done");
    assert_eq!((rounds, backend.count("tools/call"), backend.replies().len()), (3, 1, 3));
}

#[tokio::test]
async fn a_state_opens_for_the_request_it_was_given_for_only() {
    let backend =
        Backend::builder().tool(tool("t"), asker()).tool(tool("u"), asker()).start().await.unwrap();
    let rig = Rig::before(&backend).await;
    let client = client(&rig);
    let result = client.call("tools/call", params()).await.unwrap()["result"].take();
    let key = result["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    let answers = json!({key: accept("x")});
    let state = result["requestState"].as_str().unwrap().to_owned();
    let bent = |state: &str| json!({"requestState": state});
    let flipped = format!("{}{}", if state.starts_with('A') { "B" } else { "A" }, &state[1..]);
    for (params, result) in [
        (json!({"name": "u", "arguments": {"a": 1, "b": 2}}), result.clone()),
        (json!({"name": "t", "arguments": {"a": 1, "b": 3}}), result.clone()),
        (json!({"name": "t"}), result.clone()),
        (params(), bent(&flipped)),
        (params(), bent(&state[..state.len() - 1])),
        (params(), bent("")),
    ] {
        let text = params.to_string();
        let mut reply = client.retry("tools/call", params, &result, answers.clone()).await.unwrap();
        assert_eq!(body(&mut reply).await["error"]["code"], -32602, "{text}");
    }
    assert!(backend.replies().is_empty());
    // Neither the order of arguments nor what was tried meanwhile spoils it.
    let same = json!({"name": "t", "arguments": {"a": 1, "b": 2}});
    let mut reply = client.retry("tools/call", same, &result, answers).await.unwrap();
    assert_eq!(reply.response().await.unwrap()["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn what_is_not_answered_is_asked_again_and_what_is_none_is_refused() {
    let backend = one_tool("t", asker()).await;
    let rig = Rig::before(&backend).await;
    let client = client(&rig);
    let first = client.call("tools/call", params()).await.unwrap()["result"].take();
    let key = first["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    for none in [json!({&key: 7}), json!({&key: {"action": "perhaps"}}), json!([]), Value::Null] {
        let mut reply = client.retry("tools/call", params(), &first, none).await.unwrap();
        assert_eq!(body(&mut reply).await["error"]["code"], -32602);
    }
    let mut reply = client.retry("tools/call", params(), &first, json!({"no": {}})).await.unwrap();
    let second = reply.response().await.unwrap()["result"].take();
    assert_eq!(second["inputRequests"], first["inputRequests"]);
    assert_ne!(second["requestState"], first["requestState"]);
    assert!(backend.replies().is_empty());
    let answers = json!({&key: {"action": "decline"}});
    let mut reply = client.retry("tools/call", params(), &second, answers).await.unwrap();
    assert_eq!(reply.response().await.unwrap()["result"]["content"][0]["text"], "done");
    assert_eq!(backend.replies()[0]["result"], json!({"action": "decline"}));
}

#[tokio::test]
async fn what_the_client_did_not_declare_ends_its_call_with_the_name_of_it() {
    let backend = one_tool("t", asker()).await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    client.set_capabilities(json!({"sampling": {}}));
    let mut reply = client.request("tools/call", params()).await.unwrap();
    assert_eq!(reply.status, 400);
    let error = body(&mut reply).await["error"].take();
    assert_eq!(error["code"], -32021);
    assert_eq!(error["data"], json!({"requiredCapabilities": {"elicitation": {}}}));
}

#[tokio::test]
async fn a_client_that_does_not_come_back_costs_its_call() {
    let backend = one_tool("t", asker()).await;
    let rig = Rig::with(vec![target("b", &backend)], |config| {
        config.seal.parked_timeout = Duration::from_millis(20);
    })
    .await;
    let client = client(&rig);
    let result = client.call("tools/call", params()).await.unwrap()["result"].take();
    backend.wait_for("notifications/cancelled", 1).await.unwrap();
    assert_eq!(backend.replies()[0]["error"]["code"], -32603);
    let key = result["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    let mut reply =
        client.retry("tools/call", params(), &result, json!({key: accept("x")})).await.unwrap();
    assert_eq!(body(&mut reply).await["error"]["code"], -32602);
}

#[tokio::test]
async fn no_more_calls_wait_than_there_are_places() {
    let backend = one_tool("t", asker()).await;
    let rig = Rig::with(vec![target("b", &backend)], |config| config.seal.max_parked = 1).await;
    let client = client(&rig);
    let first = client.call("tools/call", params()).await.unwrap();
    assert_eq!(first["result"]["resultType"], "input_required");
    let second = client.call("tools/call", params()).await.unwrap();
    assert_eq!(second["error"]["code"], 1007);
    assert_eq!(second["error"]["data"]["executed"], "unknown");
}

#[tokio::test]
async fn what_is_said_after_the_answer_comes_to_whoever_gave_it() {
    let answer = Answer::text("done").ask(ASK, question("name?")).log("info", "i").progress(
        1,
        Some(2.0),
        Some("half"),
    );
    let backend = one_tool("t", answer).await;
    let rig = Rig::before(&backend).await;
    let client = client(&rig);
    let with = |token: &str| json!({"name": "t", "_meta": {"progressToken": token}});
    let result = client.call("tools/call", with("first")).await.unwrap()["result"].take();
    let key = result["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    client.set_level(Some("info"));
    let answers = json!({key: accept("x")});
    let mut reply = client.retry("tools/call", with("second"), &result, answers).await.unwrap();
    let log = reply.message().await.unwrap().unwrap();
    assert_eq!(log["params"]["level"], "info");
    let progress = reply.message().await.unwrap().unwrap();
    assert_eq!(progress["params"]["progressToken"], "second");
    assert_eq!(reply.response().await.unwrap()["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn prompts_and_resources_may_ask_as_well() {
    let asks = |end: Value| Answer::result(end).ask(ASK, question("name?"));
    let backend = Backend::builder()
        .prompt(json!({"name": "p"}), asks(json!({"messages": []})))
        .resource(json!({"uri": "test://r", "name": "r"}), asks(json!({"contents": []})))
        .start()
        .await
        .unwrap();
    let rig = Rig::before(&backend).await;
    let client = client(&rig);
    for (method, params) in
        [("prompts/get", json!({"name": "p"})), ("resources/read", json!({"uri": "test://r"}))]
    {
        let answer = |_: &str, _: &Value| accept("x");
        let (message, rounds) = client.fulfil(method, params, answer).await.unwrap();
        assert_eq!((rounds, &message["result"]["resultType"]), (1, &json!("complete")), "{method}");
    }
}

#[tokio::test]
async fn a_call_that_is_parked_again_keeps_its_place() {
    let backend = one_tool("t", asker()).await;
    let rig = Rig::with(vec![target("b", &backend)], |config| config.seal.max_parked = 1).await;
    let client = client(&rig);
    let first = client.call("tools/call", params()).await.unwrap()["result"].take();
    let key = first["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    let mut wrong = client.retry("tools/call", params(), &first, json!({&key: 1})).await.unwrap();
    assert_eq!(body(&mut wrong).await["error"]["code"], -32602);
    let mut reply = client.retry("tools/call", params(), &first, json!({"no": {}})).await.unwrap();
    let second = reply.response().await.unwrap()["result"].take();
    assert_eq!(second["inputRequests"], first["inputRequests"]);
    let answers = json!({&key: accept("x")});
    let mut reply = client.retry("tools/call", params(), &second, answers).await.unwrap();
    assert_eq!(reply.response().await.unwrap()["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn where_the_user_has_to_go_first_is_asked_and_not_an_error() {
    let first =
        json!({"mode": "url", "elicitationId": "e", "url": "https://x.example/", "message": "go"});
    let error = json!({"code": -32042, "message": "first", "data": {"elicitations": [first]}});
    let backend = one_tool("t", Answer::error_object(error)).await;
    let rig = Rig::before(&backend).await;
    let client = client(&rig);
    let refused = client.call("tools/call", params()).await.unwrap();
    assert_eq!(refused["error"]["code"], -32021);
    assert_eq!(
        refused["error"]["data"]["requiredCapabilities"],
        json!({"elicitation": {"url": {}}})
    );
    client.set_capabilities(json!({"elicitation": {"url": {}}}));
    let result = client.call("tools/call", params()).await.unwrap()["result"].take();
    assert_eq!(
        result,
        json!({"resultType": "input_required", "inputRequests": {"r1": {"method": ASK,
        "params": {"mode": "url", "url": "https://x.example/", "message": "go"}}}})
    );
}

#[tokio::test]
async fn a_client_that_goes_while_its_call_is_parked_does_not_take_it_back() {
    let backend = one_tool("t", asker()).await;
    let rig = Rig::before(&backend).await;
    let client = client(&rig);
    let mut first = client.request("tools/call", params()).await.unwrap();
    let result = first.response().await.unwrap()["result"].take();
    drop(first);
    // Its own connection is closed by now; another client's request comes and goes meanwhile.
    rig.stateless().discover().await.unwrap();
    assert_eq!(backend.count("notifications/cancelled"), 0);
    let key = result["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    let answers = json!({key: accept("x")});
    let mut reply = client.retry("tools/call", params(), &result, answers).await.unwrap();
    assert_eq!(reply.response().await.unwrap()["result"]["content"][0]["text"], "done");
}
