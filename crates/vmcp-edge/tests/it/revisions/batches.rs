//! Batches: of clients whose revision has them, to no backend, of backends to whom they come naturally.

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Builder, Transport};

use super::world::worlds;
use crate::rig::tool;

const AUDIO: &str = r#"{"content":[{"type":"audio","data":"","mimeType":"a/b"}]}"#;

#[tokio::test]
async fn a_batch_is_taken_apart_before_any_backend() {
    for transport in [Transport::Json, Transport::Sse] {
        let build = |builder: Builder| {
            builder
                .transport(transport)
                .tool(tool("t"), Answer::echo())
                .tool(tool("a"), Answer::result(AUDIO))
        };
        for world in worlds(build).await {
            for pair in world.pairs().await {
                let call = |id: u32, name: &str| {
                    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
                        "params": {"name": name, "arguments": {"id": id}}})
                };
                let notice = json!({"jsonrpc": "2.0", "method": "notifications/vendor"});
                let batch = json!([call(1, "t"), notice, call(2, "a"),
                    {"jsonrpc": "2.0", "id": 3, "method": "ping"}]);
                let before = world.backend.count("tools/call");
                let mut reply = pair.session.post(batch.to_string()).await.unwrap();
                if pair.knows("2025-06-18") {
                    let message = reply.message().await.unwrap().unwrap();
                    assert_eq!(reply.status, 400, "{}", pair.name());
                    assert_eq!(message["error"]["code"], -32600, "{}", pair.name());
                    assert_eq!(world.backend.count("tools/call"), before, "{}", pair.name());
                    continue;
                }
                let answers = answers(&mut reply).await;
                let ids: Vec<_> = answers.iter().map(|answer| answer["id"].clone()).collect();
                assert_eq!(ids, [1, 2, 3], "{}", pair.name());
                let kind = if pair.knows("2025-03-26") { "audio" } else { "resource" };
                assert_eq!(answers[1]["result"]["content"][0]["type"], kind, "{}", pair.name());
            }
            let batched = world.backend.requests().iter().any(|one| one.body.starts_with(b"["));
            assert!(!batched, "a backend never gets one");
        }
    }
}

/// All answers, by their ids.
async fn answers(reply: &mut vmcp_testkit::RawReply) -> Vec<Value> {
    let mut all = Vec::new();
    while let Some(message) = reply.message().await.unwrap() {
        match message {
            Value::Array(some) => all.extend(some),
            one => all.push(one),
        }
    }
    all.sort_by_key(|answer| answer["id"].as_u64());
    all
}

#[tokio::test]
async fn an_answer_in_a_batch_is_taken_and_converted() {
    for transport in [Transport::Json, Transport::Sse] {
        let answer = Answer::with(|call| {
            let id = call.id().unwrap();
            Answer::garbage(format!(r#"[{{"jsonrpc":"2.0","id":{id},"result":{AUDIO}}}]"#))
        });
        let build = |builder: Builder| builder.transport(transport).tool(tool("t"), answer.clone());
        for world in worlds(build).await.into_iter().filter(|world| world.revision < "2025-06-18") {
            for pair in world.pairs().await {
                let result = pair.tool("t").await;
                let kind = if pair.knows("2025-03-26") { "audio" } else { "resource" };
                assert_eq!(result["content"][0]["type"], kind, "{}", pair.name());
            }
        }
    }
}
