//! Content and results.

use serde_json::{Value, json};
use vmcp_testkit::Answer;

use super::world::worlds;
use crate::rig::tool;

const AUDIO: &str =
    r#"{"type":"audio","data":"UklGRg==","mimeType":"audio/wav","annotations":{"priority":1.0}}"#;
/// `AUDIO` with the SHA-256 of its data as its address.
const RESOURCE: &str = r#"{"type":"resource","annotations":{"priority":1.0},"resource":{"uri":"vmcp://inline/aa40ebcc97ccf9ef866d1b5a161c39dc5cb008a9c275191497227ffa219cf1a9","mimeType":"audio/wav","blob":"UklGRg=="}}"#;
const LINK: &str =
    r#"{"type":"resource_link","uri":"hidden://1","name":"n","mimeType":"text/plain"}"#;
const TEXT: &str = r#"{"type":"text","text":"n: hidden://1 (text/plain)"}"#;

fn content(block: &str) -> Answer {
    Answer::result(format!(r#"{{"x-n":1.0,"content":[{{"text":"a","type":"text"}}, {block}]}}"#))
}

fn message(block: &str) -> String {
    format!(r#"{{"x-n":1.0,"messages":[{{"role":"user","content":{block}}}]}}"#)
}

#[track_caller]
fn holds(text: &str, part: &str, pair: &str) {
    assert!(text.contains(part), "{pair}: {text}");
}

#[tokio::test]
async fn audio_below_2025_03_26_is_an_embedded_resource() {
    let build = |builder: vmcp_testkit::Builder| {
        builder
            .tool(tool("t"), content(AUDIO))
            .prompt(json!({"name": "p"}), Answer::result(message(AUDIO)))
    };
    for world in worlds(build).await {
        for pair in world.pairs().await {
            let block = if pair.knows("2025-03-26") { AUDIO } else { RESOURCE };
            let blocks = format!(r#""x-n":1.0,"content":[{{"text":"a","type":"text"}}, {block}]"#);
            holds(&pair.text("t").await, &blocks, &pair.name());
            let mut reply =
                pair.session.request("prompts/get", json!({"name": "p"})).await.unwrap();
            let prompt = reply.text().await.unwrap().unwrap();
            holds(&prompt, message(block).trim_matches(['{', '}']), &pair.name());
        }
        let stateless = world.stateless().tool("t", json!({})).await.unwrap();
        let audio: Value = serde_json::from_str(AUDIO).unwrap();
        assert_eq!(stateless["result"]["content"][1], audio);
    }
}

#[tokio::test]
async fn a_resource_link_below_2025_06_18_is_a_text_and_can_be_read() {
    let read = r#"{"contents":[{"uri":"hidden://1","text":"found"}]}"#;
    for which in ["tool", "prompt"] {
        let build = |builder: vmcp_testkit::Builder| {
            builder
                .tool(tool("t"), content(LINK))
                .prompt(json!({"name": "p"}), Answer::result(message(LINK)))
                .resource(json!({"uri": "listed://", "name": "l"}), Answer::usual())
                .on("resources/read", Answer::result(read))
        };
        for world in worlds(build).await {
            for pair in world.pairs().await {
                let unknown =
                    pair.session.call("resources/read", json!({"uri": "hidden://1"})).await;
                assert_eq!(unknown.unwrap()["error"]["code"], -32002, "{}", pair.name());
                let block = if pair.knows("2025-06-18") { LINK } else { TEXT };
                if which == "tool" {
                    let text = pair.text("t").await;
                    holds(
                        &text,
                        &format!(r#"{{"text":"a","type":"text"}}, {block}]"#),
                        &pair.name(),
                    );
                } else {
                    let prompt = pair.call("prompts/get", json!({"name": "p"})).await;
                    let block: Value = serde_json::from_str(block).unwrap();
                    assert_eq!(prompt["messages"][0]["content"], block, "{}", pair.name());
                }
                let found = pair.call("resources/read", json!({"uri": "hidden://1"})).await;
                assert_eq!(found["contents"][0]["text"], "found", "{}", pair.name());
            }
        }
    }
}

#[tokio::test]
async fn structured_content_alone_below_2025_06_18_is_a_text_too() {
    let structured = r#""structuredContent":{"b":1.0,"a":[1e3]}"#;
    let block = r#"{"type":"text","text":"{\"b\":1.0,\"a\":[1e3]}"}"#;
    let build = |builder: vmcp_testkit::Builder| {
        builder
            .tool(tool("none"), Answer::result(format!("{{{structured}}}")))
            .tool(tool("empty"), Answer::result(format!(r#"{{"content":[],{structured}}}"#)))
            .tool(
                tool("some"),
                Answer::result(format!(
                    r#"{{"content":[{{"type":"text","text":"s"}}],{structured}}}"#
                )),
            )
    };
    for world in worlds(build).await {
        for pair in world.pairs().await {
            let (none, empty) = (pair.text("none").await, pair.text("empty").await);
            let some = pair.text("some").await;
            holds(&none, structured, &pair.name());
            holds(&some, &format!(r#"[{{"type":"text","text":"s"}}],{structured}"#), &pair.name());
            if pair.knows("2025-06-18") {
                assert!(!none.contains(r#""content""#), "{}: {none}", pair.name());
                holds(&empty, &format!(r#""content":[],{structured}"#), &pair.name());
            } else {
                holds(&none, &format!(r#""content":[{block}]"#), &pair.name());
                holds(&empty, &format!(r#""content":[{block}],{structured}"#), &pair.name());
            }
        }
    }
}

#[tokio::test]
async fn values_that_are_no_object_below_2026_07_28_are_text_without_a_schema() {
    let build = |builder: vmcp_testkit::Builder| {
        builder
            .tool(
                r#"{"name":"t","inputSchema":{"type":"object"},"outputSchema":{"type":"array"},"n":1.0}"#,
                Answer::result(r#"{"structuredContent":[1.0],"content":[]}"#),
            )
            .tool(
                r#"{"name":"u","inputSchema":{"type":"object"},"outputSchema":{"type":"object"}}"#,
                Answer::result(r#"{"structuredContent":{"a":1.0},"content":[{"type":"text","text":"u"}]}"#),
            )
    };
    for world in worlds(build).await {
        for pair in world.pairs().await {
            let tools = pair.call("tools/list", json!({})).await["tools"].take();
            let at = |name: &str| tools.as_array().unwrap().iter().position(|t| t["name"] == name);
            let (t, u) = (&tools[at("t").unwrap()], &tools[at("u").unwrap()]);
            assert!(t.get("outputSchema").is_none() && t["n"] == 1.0, "{}: {t}", pair.name());
            assert_eq!(u["outputSchema"], json!({"type": "object"}), "{}", pair.name());
            let other = pair.text("u").await;
            holds(
                &other,
                r#""structuredContent":{"a":1.0},"content":[{"type":"text","text":"u"}]"#,
                &pair.name(),
            );
            // No backend with a session can give such a value, so its replies are not looked at for one.
            if world.is_stateless() {
                let text = pair.text("t").await;
                assert!(!text.contains("structuredContent"), "{}: {text}", pair.name());
                holds(&text, r#""content":[{"type":"text","text":"[1.0]"}]"#, &pair.name());
            }
        }
        if world.is_stateless() {
            let client = world.stateless();
            let tools = client.tools().await.unwrap();
            let t = tools.iter().find(|tool| tool["name"] == "t").unwrap();
            assert_eq!(t["outputSchema"], json!({"type": "array"}));
            let result = client.tool("t", json!({})).await.unwrap();
            assert_eq!(result["result"]["structuredContent"], json!([1.0]));
        }
    }
}

#[tokio::test]
async fn the_kind_of_a_result_below_2026_07_28_is_not_said() {
    let build = |builder: vmcp_testkit::Builder| {
        builder
            .tool(tool("t"), Answer::result(r#"{"content":[ ],"n":1.0}"#))
            .prompt(json!({"name": "p"}), Answer::result(r#"{"messages":[ ],"n":1.0}"#))
            .resource(
                json!({"uri": "r://", "name": "r"}),
                Answer::result(r#"{"contents":[ ],"n":1.0}"#),
            )
            .capabilities(json!({"tools": {}, "prompts": {}, "resources": {}, "completions": {}}))
    };
    for world in worlds(build).await {
        for pair in world.pairs().await {
            for (method, params, part) in [
                ("tools/call", json!({"name": "t"}), r#""content":[ ],"n":1.0"#),
                ("prompts/get", json!({"name": "p"}), r#""messages":[ ],"n":1.0"#),
                ("resources/read", json!({"uri": "r://"}), r#""contents":[ ],"n":1.0"#),
                (
                    "completion/complete",
                    json!({"ref": {"type": "ref/prompt", "name": "p"}, "argument": {}}),
                    r#""completion":{"#,
                ),
            ] {
                let mut reply = pair.session.request(method, params).await.unwrap();
                let text = reply.text().await.unwrap().unwrap();
                holds(&text, part, &pair.name());
                assert!(!text.contains("resultType"), "{} {method}: {text}", pair.name());
            }
        }
    }
}

#[tokio::test]
async fn what_every_revision_can_read_keeps_every_byte() {
    let blocks = [
        r#"{"type":"text","text":"\"audio\" \/ \u00e9 resource_link","n":1.0}"#,
        r#"{"type":"image","data":"aGk=","mimeType":"image/png", "annotations":{"audience":["user"]}}"#,
        r#"{"type":"resource","resource":{"uri":"r://","text":"\"structuredContent\""},"_meta":{"a.b/c":1e3}}"#,
        r#"{"mimeType":"audio/x","type":"vendor/new","icons":[{"src":"u"}]}"#,
    ];
    let result = format!(r#""b":2.50,"content":[ {} ],"isError":true,"a":1E2"#, blocks.join(" ,"));
    let listed = r#"{"name":"t","title":"T","description":"d","inputSchema":{"type":"object","$defs":{}},"annotations":{"readOnlyHint":true},"icons":[{"src":"u"}],"_meta":{"k":1.0}}"#;
    let build = |builder: vmcp_testkit::Builder| {
        builder.tool(listed, Answer::result(format!("{{{result}}}")))
    };
    for world in worlds(build).await {
        for pair in world.pairs().await {
            holds(&pair.text("t").await, &result, &pair.name());
            let mut reply = pair.session.request("tools/list", json!({})).await.unwrap();
            holds(&reply.text().await.unwrap().unwrap(), listed, &pair.name());
        }
    }
}
