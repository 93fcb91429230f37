//! Answers that are too long to be held, between clients and backends of both kinds of revision: what kind of result they
//! are is said once, wherever the backend says it.

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, RawReply, Transport};

use crate::rig::{LATEST, Rig, tool};

const KIND: &str = r#""resultType":"complete""#;
const ASK: &str = "elicitation/create";

/// Several MB of content.
fn content() -> String {
    format!(r#""content":[{{"type":"text","text":"{}"}}]"#, "x\\n".repeat(1 << 20))
}

/// A result with what is said of its kind in front, behind, or nowhere.
fn results() -> [String; 3] {
    let content = content();
    [
        format!(r#"{{ {KIND}, {content},"zz":1.0}}"#),
        format!(r#"{{{content} ,"zz":1.0, {KIND} }}"#),
        format!(r#"{{{content},"zz":1.0 }}"#),
    ]
}

async fn backend(result: &str, stateless: bool, shape: Transport) -> Backend {
    let builder = Backend::builder().tool(tool("t"), Answer::result(result.to_owned()));
    let builder = builder.transport(shape).bare_results();
    let builder = if stateless { builder.stateless() } else { builder };
    builder.start().await.unwrap()
}

/// The raw result of the one response in a body.
async fn result(mut reply: RawReply) -> String {
    let body = String::from_utf8(reply.bytes().await.unwrap().to_vec()).unwrap();
    let message = match body.find("data: {") {
        Some(at) => body[at + 6..].trim_end(),
        None => body.as_str(),
    };
    let value: Value = serde_json::from_str(message).unwrap();
    assert_eq!(value["result"]["content"][0]["text"].as_str().unwrap().len(), 2 << 20);
    let from = message.find(r#""result":"#).unwrap() + 9;
    message[from..message.len() - 1].to_owned()
}

#[tokio::test]
async fn a_stateless_client_is_told_once_what_kind_of_result_a_long_one_is() {
    for stateless in [false, true] {
        for (at, said) in results().iter().enumerate() {
            for shape in [Transport::Json, Transport::Sse] {
                let backend = backend(said, stateless, shape).await;
                let rig = Rig::before(&backend).await;
                let params = json!({"name": "t", "arguments": {}});
                let reply = rig.stateless().request("tools/call", params).await.unwrap();
                let result = result(reply).await;
                let expected = match at {
                    2 => format!("{},{KIND}}}", said.strip_suffix('}').unwrap()),
                    _ => said.clone(),
                };
                assert!(result == expected, "{stateless} {at} {shape:?}: {}", &result[..60]);
            }
        }
    }
}

#[tokio::test]
async fn a_client_with_a_session_gets_a_long_result_as_it_is() {
    for said in results() {
        let backend = backend(&said, true, Transport::Json).await;
        let rig = Rig::before(&backend).await;
        let client = rig.session(LATEST).await;
        let params = json!({"name": "t", "arguments": {}});
        let reply = client.request("tools/call", params).await.unwrap();
        let result = result(reply).await;
        assert!(result == said, "{}", &result[..60]);
    }
}

#[tokio::test]
async fn what_is_said_of_freshness_stands_once_too() {
    let text = "x".repeat(3 << 20);
    let contents = format!(r#""contents":[{{"uri":"test://r","text":"{text}"}}]"#);
    let own = r#""ttlMs":1234,"cacheScope":"public""#;
    for (stateless, said, expected) in [
        (false, format!("{{{contents}}}"), (0, "private")),
        (true, format!("{{{contents},{own},{KIND}}}"), (1234, "public")),
        (true, format!("{{{own},{contents}}}"), (1234, "public")),
    ] {
        let resource = json!({"uri": "test://r", "name": "r"});
        let builder = Backend::builder().resource(resource, Answer::result(said)).bare_results();
        let builder = if stateless { builder.stateless() } else { builder };
        let backend = builder.start().await.unwrap();
        let rig = Rig::before(&backend).await;
        let params = json!({"uri": "test://r"});
        let mut reply = rig.stateless().request("resources/read", params).await.unwrap();
        let body = String::from_utf8(reply.bytes().await.unwrap().to_vec()).unwrap();
        for key in ["\"ttlMs\"", "\"cacheScope\"", "\"resultType\""] {
            assert_eq!(body.matches(key).count(), 1, "{key}");
        }
        let data = body[body.find("data: {").unwrap() + 6..].trim_end();
        let result = serde_json::from_str::<Value>(data).unwrap()["result"].take();
        assert_eq!(
            (result["ttlMs"].as_u64(), result["cacheScope"].as_str()),
            (Some(expected.0), Some(expected.1))
        );
    }
}

/// Asks with so long a question that it is not held at first, and says last that it asks.
async fn long_asker() -> Backend {
    let message = "y".repeat(2 << 20);
    let question = json!({"message": message, "requestedSchema": {"type": "object"}});
    let requests = json!({"q": {"method": ASK, "params": question}});
    let asks = format!(r#"{{"inputRequests":{requests},"resultType":"input_required"}}"#);
    let answer = Answer::with(move |call| match call.params()["inputResponses"].is_object() {
        true => {
            Answer::result(format!(r#"{{"content":[{{"type":"text","text":"done"}}],{KIND}}}"#))
        }
        false => Answer::result(asks.clone()),
    });
    let builder = Backend::builder().stateless().bare_results();
    builder.tool(tool("t"), answer).start().await.unwrap()
}

#[tokio::test]
async fn a_long_question_is_a_question_for_clients_of_both_kinds() {
    let backend = long_asker().await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    client.set_capabilities(json!({"elicitation": {"form": {}}}));
    let params = json!({"name": "t", "arguments": {}});
    let asked = client.call("tools/call", params.clone()).await.unwrap()["result"].take();
    assert_eq!(asked["resultType"], "input_required");
    let answers = json!({"q": {"action": "decline"}});
    let mut reply = client.retry("tools/call", params.clone(), &asked, answers).await.unwrap();
    let message = reply.response().await.unwrap();
    assert_eq!(message["result"]["content"][0]["text"], "done");

    let client = rig.session_with(LATEST, json!({"elicitation": {}})).await;
    let mut reply = client.request("tools/call", params).await.unwrap();
    let question = reply.message().await.unwrap().unwrap();
    assert_eq!(question["method"], ASK);
    client.answer(&question, json!({"action": "decline"})).await.unwrap();
    let message = reply.response().await.unwrap();
    assert_eq!(message["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn words_that_look_like_a_question_do_not_hold_up_an_answer() {
    // Longer than what may be held whole.
    let text = format!("resultType input_required {}", "x".repeat(20 << 20));
    let said = format!(r#"{{"content":[{{"type":"text","text":"{text}"}}],{KIND}}}"#);
    let backend = backend(&said, true, Transport::Json).await;
    let rig = Rig::before(&backend).await;
    let params = json!({"name": "t", "arguments": {}});
    let mut reply = rig.stateless().request("tools/call", params).await.unwrap();
    assert_eq!(reply.status, 200);
    let body = reply.bytes().await.unwrap();
    assert!(body.len() > text.len() && body.ends_with(format!("{KIND}}}}}").as_bytes()));
}

#[tokio::test]
async fn an_answer_that_turns_out_to_be_a_question_breaks_off() {
    let said = format!(r#"{{{},"resultType":"input_required"}}"#, content());
    let backend = backend(&said, true, Transport::Json).await;
    let rig = Rig::before(&backend).await;
    let params = json!({"name": "t", "arguments": {}});
    let mut reply = rig.stateless().request("tools/call", params).await.unwrap();
    reply.bytes().await.unwrap_err();
}
