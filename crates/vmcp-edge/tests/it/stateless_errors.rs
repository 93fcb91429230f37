//! That there is no such resource has a code of its own where there is a session, and none where there is not.

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend};

use crate::rig::{LATEST, Rig, tool};

const OWN: i64 = -32002;
const PARAMS: i64 = -32602;

/// What is asked, of things that there are as far as vmcp knows.
fn requests() -> [(&'static str, Value); 4] {
    [
        ("resources/read", json!({"uri": "test://r"})),
        ("tools/call", json!({"name": "t", "arguments": {}})),
        ("prompts/get", json!({"name": "p"})),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": ""}}),
        ),
    ]
}

/// A backend that answers everything that is asked with this error.
async fn backend(stateless: bool, code: i64) -> Backend {
    let error = || {
        let data = json!({"uri": "test://r", "zz": 1});
        Answer::error_object(json!({"code": code, "message": "gone", "data": data}))
    };
    let builder = Backend::builder()
        .tool(tool("t"), Answer::text("x"))
        .prompt(json!({"name": "p"}), Answer::text("x"))
        .resource(json!({"uri": "test://r", "name": "r"}), Answer::text("x"));
    let builder = requests().iter().fold(builder, |all, (method, _)| all.on(method, error()));
    let builder = if stateless { builder.stateless() } else { builder };
    builder.start().await.unwrap()
}

#[tokio::test]
async fn codes_are_translated_where_the_revisions_differ_and_nowhere_else() {
    for of_backend in [false, true] {
        for code in [OWN, PARAMS, -32603] {
            let backend = backend(of_backend, code).await;
            let rig = Rig::before(&backend).await;
            let (with, without) = (rig.session(LATEST).await, rig.stateless());
            for (method, params) in requests() {
                let (to_session, to_guest) = match (method, code) {
                    // Its own code never reaches a client whose revision does not have it.
                    ("resources/read", OWN) => (OWN, PARAMS),
                    ("resources/read", PARAMS) if of_backend => (OWN, PARAMS),
                    _ => (code, code),
                };
                for (told, expected) in [
                    (with.call(method, params.clone()).await.unwrap(), to_session),
                    (without.call(method, params.clone()).await.unwrap(), to_guest),
                ] {
                    let error = &told["error"];
                    assert_eq!(error["code"], expected, "{of_backend} {method} {code}: {told}");
                    assert_eq!(error["message"], "gone");
                    assert_eq!(error["data"], json!({"uri": "test://r", "zz": 1}));
                }
            }
        }
    }
}

#[tokio::test]
async fn what_vmcp_itself_does_not_know_has_the_code_of_the_clients_revision() {
    let backend = Backend::builder()
        .resource(json!({"uri": "test://r", "name": "r"}), Answer::text("x"))
        .on("completion/complete", Answer::text("x"))
        .start()
        .await
        .unwrap();
    let other = Backend::builder()
        .resource(json!({"uri": "test://s", "name": "s"}), Answer::text("x"))
        .start()
        .await
        .unwrap();
    let targets = vec![crate::rig::target("b", &backend), crate::rig::target("c", &other)];
    let rig = Rig::with(targets, |_| {}).await;
    let (with, without) = (rig.session(LATEST).await, rig.stateless());
    let read = json!({"uri": "test://none"});
    let complete = json!({
        "ref": {"type": "ref/resource", "uri": "test://none"},
        "argument": {"name": "a", "value": ""},
    });
    for (method, params, codes) in [
        ("resources/read", read, (OWN, PARAMS)),
        ("completion/complete", complete, (PARAMS, PARAMS)),
    ] {
        let told = with.call(method, params.clone()).await.unwrap();
        assert_eq!(told["error"]["code"], codes.0, "{told}");
        let told = without.call(method, params).await.unwrap();
        assert_eq!(told["error"]["code"], codes.1, "{told}");
    }
}

/// Asks first, and takes no answer to it.
#[tokio::test]
async fn a_wrong_answer_is_no_missing_resource() {
    const ASK: &str = "elicitation/create";
    let question = json!({"message": "?", "requestedSchema": {"type": "object"}});
    let error = |data: Value| json!({"code": PARAMS, "message": "no", "data": data});
    for (data, expected) in [(json!({}), PARAMS), (json!({"uri": "test://r"}), OWN)] {
        let answer = Answer::error_object(error(data)).asks([("q", ASK, question.clone())]);
        let resource = json!({"uri": "test://r", "name": "r"});
        let builder = Backend::builder().stateless().resource(resource, answer);
        let backend = builder.start().await.unwrap();
        let rig = Rig::before(&backend).await;
        let client = rig.session_with(LATEST, json!({"elicitation": {}})).await;
        let mut reply = client.request("resources/read", json!({"uri": "test://r"})).await.unwrap();
        let asked = reply.message().await.unwrap().unwrap();
        client.answer(&asked, json!({"action": "accept", "content": {}})).await.unwrap();
        let told = reply.response().await.unwrap();
        assert_eq!(told["error"]["code"], expected, "{told}");
    }
}
