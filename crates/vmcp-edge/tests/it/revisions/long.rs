//! Replies too long to be kept, for clients that may not be able to read them.

use serde_json::json;
use vmcp_testkit::{Answer, Backend, Transport};

use crate::rig::{LATEST, Rig, target, tool};

/// More than is kept of a reply that is passed on as it comes.
const LONG: usize = 200 << 10;
const AUDIO: &str = r#"{"type":"audio","data":"UklGRg==","mimeType":"audio/wav"}"#;
const LINK: &str = r#"{"type":"resource_link","uri":"hidden://1","name":"n"}"#;

fn long(last: &str, length: usize) -> String {
    let text = "x".repeat(length);
    format!(r#"{{"n":1.0,"content":[{{"type":"text","text":"{text}"}},{last}]}}"#)
}

async fn before(
    result: &str,
    transport: Transport,
    change: impl FnOnce(&mut vmcp_config::Config),
) -> (Vec<Backend>, Rig) {
    let backend = Backend::builder()
        .transport(transport)
        .tool(tool("t"), Answer::result(result))
        .resource(json!({"uri": "listed://", "name": "l"}), Answer::usual())
        .on("resources/read", Answer::result(r#"{"contents":[]}"#));
    let other = Backend::builder().resource(json!({"uri": "o://", "name": "o"}), Answer::usual());
    let backends = vec![backend.start().await.unwrap(), other.start().await.unwrap()];
    let targets = vec![target("b", &backends[0]), target("o", &backends[1])];
    let rig = Rig::with(targets, change).await;
    (backends, rig)
}

#[tokio::test]
async fn a_long_reply_is_held_and_converted() {
    for transport in [Transport::Json, Transport::Sse] {
        let result = long(&format!("{AUDIO},{LINK}"), LONG);
        let (_backends, rig) = before(&result, transport, |_| {}).await;
        for (revision, kinds) in [
            ("2024-11-05", ["text", "resource", "text"]),
            ("2025-03-26", ["text", "audio", "text"]),
            ("2025-06-18", ["text", "audio", "resource_link"]),
            ("2025-11-25", ["text", "audio", "resource_link"]),
        ] {
            let client = rig.session(revision).await;
            let message = client.tool("t", json!({})).await.unwrap();
            let content = message["result"]["content"].as_array().unwrap();
            let seen: Vec<_> = content.iter().map(|block| block["type"].clone()).collect();
            assert_eq!(seen, kinds, "{revision}");
            assert_eq!(content[0]["text"].as_str().unwrap().len(), LONG);
            if revision < "2025-06-18" {
                let read =
                    client.call("resources/read", json!({"uri": "hidden://1"})).await.unwrap();
                assert_eq!(read["result"]["contents"], json!([]), "{revision}: {read}");
            }
        }
    }
}

#[tokio::test]
async fn a_long_reply_without_anything_to_convert_keeps_every_byte() {
    let result = long(r#"{"type":"image","data":"","mimeType":"i/p","z":1e3}"#, LONG);
    let (_backends, rig) = before(&result, Transport::Json, |_| {}).await;
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", LATEST] {
        let client = rig.session(revision).await;
        let mut reply = client.request("tools/call", json!({"name": "t"})).await.unwrap();
        assert!(reply.text().await.unwrap().unwrap().contains(&result), "{revision}");
    }
}

#[tokio::test]
async fn a_reply_that_outgrows_what_may_be_held_fails_for_old_clients_only() {
    let result = long(AUDIO, LONG);
    for transport in [Transport::Json, Transport::Sse] {
        let change = |config: &mut vmcp_config::Config| config.limits.max_message_bytes = 100 << 10;
        let (_backends, rig) = before(&result, transport, change).await;
        for revision in ["2024-11-05", "2025-03-26", "2025-06-18", LATEST] {
            let client = rig.session(revision).await;
            let message = client.tool("t", json!({})).await.unwrap();
            if revision < "2025-06-18" {
                assert_eq!(message["error"]["code"], 1004, "{revision}: {message}");
                assert_eq!(message["error"]["data"]["executed"], "unknown", "{revision}");
            } else {
                assert_eq!(message["result"]["content"][1]["type"], "audio", "{revision}");
            }
            // The session goes on.
            assert!(client.call("ping", json!({})).await.unwrap()["result"].is_object());
        }
    }
}

#[tokio::test]
async fn a_long_value_from_a_backend_without_sessions_is_text_below_2025_11_25() {
    let text = "x".repeat(LONG);
    let result = format!(r#"{{"content":[],"structuredContent":["{text}"]}}"#);
    let backend = Backend::builder().stateless().tool(tool("t"), Answer::result(result));
    let backend = backend.start().await.unwrap();
    let rig = Rig::before(&backend).await;
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", LATEST] {
        let client = rig.session(revision).await;
        let message = client.tool("t", json!({})).await.unwrap();
        let result = &message["result"];
        if revision == LATEST {
            // Nothing of the newest revision with a session is held.
            assert_eq!(result["structuredContent"][0].as_str().unwrap().len(), LONG);
        } else {
            let said = result["content"][0]["text"].as_str().unwrap();
            assert_eq!(said.len(), LONG + 4, "{revision}");
            assert!(
                result.get("structuredContent").is_none() && result.get("resultType").is_none()
            );
        }
    }
}
