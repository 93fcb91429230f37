//! What passes between any two revisions, and what is left out on the way to a backend.

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Builder};

use super::world::worlds;
use crate::rig::tool;

#[tokio::test]
async fn unknown_members_of_what_is_listed_pass() {
    let members = r#""title":"T","icons":[{"src":"u"}],"annotations":{"readOnlyHint":true,"x":1.0},"_meta":{"a.b/c":1e3},"execution":{"taskSupport":"optional"}"#;
    let listed = format!(r#"{{"name":"t","inputSchema":{{"type":"object"}},{members}}}"#);
    let prompt = format!(r#"{{"name":"p",{members}}}"#);
    let resource = format!(r#"{{"uri":"r://","name":"r","size":1.0,{members}}}"#);
    let template = format!(r#"{{"uriTemplate":"q://{{x}}","name":"q",{members}}}"#);
    let build = |builder: Builder| {
        builder
            .tool(listed.as_str(), Answer::usual())
            .prompt(prompt.as_str(), Answer::usual())
            .resource(resource.as_str(), Answer::usual())
            .template(template.as_str(), Answer::usual())
    };
    for world in worlds(build).await {
        for pair in world.pairs().await {
            for (method, item) in [
                ("tools/list", &listed),
                ("prompts/list", &prompt),
                ("resources/list", &resource),
                ("resources/templates/list", &template),
            ] {
                let mut reply = pair.session.request(method, json!({})).await.unwrap();
                let text = reply.text().await.unwrap().unwrap();
                // Whether a tool may be a task is not told where tasks cannot be.
                let rest = item.split(r#","execution""#).next().unwrap();
                assert!(text.contains(rest), "{} {method}: {text}", pair.name());
            }
        }
    }
}

#[tokio::test]
async fn progress_with_its_message_comes_before_the_result() {
    let build = |builder: Builder| {
        builder.tool(tool("t"), Answer::text("done").progress(1, Some(2.0), Some("half")))
    };
    for world in worlds(build).await {
        for pair in world.pairs().await {
            let params = json!({"name": "t", "_meta": {"progressToken": 0}});
            let mut reply = pair.session.request("tools/call", params).await.unwrap();
            let progress = reply.message().await.unwrap().unwrap();
            let expected =
                json!({"progressToken": 0, "progress": 1, "total": 2.0, "message": "half"});
            assert_eq!(progress["params"], expected, "{}", pair.name());
            let result = reply.message().await.unwrap().unwrap();
            assert_eq!(result["result"]["content"][0]["text"], "done", "{}", pair.name());
        }
    }
}

#[tokio::test]
async fn the_context_of_a_completion_below_2025_06_18_is_left_out() {
    let values = r#"{"completion":{"values":["a"],"total":1,"hasMore":false,"x":1.0}}"#;
    let build = |builder: Builder| {
        builder
            .prompt(json!({"name": "p"}), Answer::usual())
            .capabilities(json!({"prompts": {}, "completions": {}}))
            .on("completion/complete", Answer::result(values))
    };
    let params = r#"{"argument":{"name":"a","value":"b"},"context":{"arguments":{"n":"1"}},"ref":{"name":"p","type":"ref/prompt"},"x":1.0}"#;
    let without =
        r#"{"argument":{"name":"a","value":"b"},"ref":{"name":"p","type":"ref/prompt"},"x":1.0"#;
    for world in worlds(build).await {
        let expected =
            if world.revision < "2025-06-18" { without } else { params.trim_end_matches('}') };
        let heard = || {
            let body = world.backend.heard("completion/complete").pop().unwrap().body;
            String::from_utf8(body.to_vec()).unwrap()
        };
        for pair in world.pairs().await {
            let mut reply = pair.session.request("completion/complete", params).await.unwrap();
            let text = reply.text().await.unwrap().unwrap();
            assert!(text.contains(values.trim_matches(['{', '}'])), "{}: {text}", pair.name());
            assert!(heard().contains(expected), "{}: {}", pair.name(), heard());
        }
        let result = world.stateless().call("completion/complete", params).await.unwrap();
        assert_eq!(result["result"]["completion"]["values"], json!(["a"]), "{}", world.revision);
        assert!(heard().contains(expected), "{}: {}", world.revision, heard());
    }
}

#[tokio::test]
async fn resources_prompts_and_errors_pass() {
    let contents = r#""contents":[{"uri":"r://","blob":"aGk=","mimeType":"audio/wav","x":1.0}]"#;
    let messages =
        r#""messages":[{"role":"user","content":{"type":"text","text":"audio"}}],"d":1.0"#;
    let error = r#"{"code":-32000,"message":"m","data":{"type":"audio","n":1.0}}"#;
    let build = |builder: Builder| {
        builder
            .resource(
                json!({"uri": "r://", "name": "r"}),
                Answer::result(format!("{{{contents}}}")),
            )
            .prompt(json!({"name": "p"}), Answer::result(format!("{{{messages}}}")))
            .tool(tool("t"), Answer::error_object(error))
    };
    for world in worlds(build).await {
        for pair in world.pairs().await {
            for (method, params, part) in [
                ("resources/read", json!({"uri": "r://"}), contents),
                ("prompts/get", json!({"name": "p"}), messages),
                ("tools/call", json!({"name": "t"}), error),
            ] {
                let mut reply = pair.session.request(method, params).await.unwrap();
                let text = reply.text().await.unwrap().unwrap();
                assert!(text.contains(part), "{} {method}: {text}", pair.name());
            }
            let message: Value =
                pair.session.call("resources/read", json!({"uri": "no://"})).await.unwrap();
            assert_eq!(message["error"]["code"], -32002, "{}: {message}", pair.name());
        }
    }
}
