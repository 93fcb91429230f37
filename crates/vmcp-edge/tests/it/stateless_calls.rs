//! Calls without a session: what of a backend's answer reaches the client, and in which shape.

use std::time::Duration;

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, Gate, Transport};

use crate::rig::{Rig, body, one_tool, target, tool};

#[tokio::test]
async fn a_result_says_that_it_is_complete_and_is_otherwise_what_the_backend_said() {
    let text = r#"{"content":[{"type":"text","text":"1.0"}], "structuredContent":{"b":1.10,"a":1e5} ,"x":null}"#;
    let backend = one_tool("t", Answer::result(text)).await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    let mut reply = client.request_as("\"1\"", "tools/call", json!({"name": "t"})).await.unwrap();
    let bytes = String::from_utf8(reply.bytes().await.unwrap().to_vec()).unwrap();
    let (before, _) = text.rsplit_once('}').unwrap();
    assert!(bytes.contains(&format!("{before},\"resultType\":\"complete\"}}")), "{bytes}");
    assert!(bytes.contains("\"id\":\"1\""), "{bytes}");
}

#[tokio::test]
async fn what_a_backend_says_of_its_result_stays() {
    let backend = one_tool("t", Answer::result(r#"{"resultType":"odd","content":[]}"#)).await;
    let rig = Rig::before(&backend).await;
    let message = rig.stateless().tool("t", json!({})).await.unwrap();
    assert_eq!(message["result"], json!({"resultType": "odd", "content": []}));
}

#[tokio::test]
async fn a_long_result_is_complete_too() {
    let long = "x".repeat(300_000);
    let backend = one_tool("t", Answer::text(&long)).await;
    let rig = Rig::before(&backend).await;
    let message = rig.stateless().tool("t", json!({})).await.unwrap();
    assert_eq!(message["result"]["resultType"], "complete");
    assert_eq!(message["result"]["content"][0]["text"], long);
}

#[tokio::test]
async fn lists_and_reads_say_how_long_they_are_fresh_and_for_whom() {
    let resource = json!({"uri": "test://r", "name": "r"});
    let contents = json!({"contents": [{"uri": "test://r", "text": "x"}]});
    let backend = Backend::builder()
        .tool(tool("t"), Answer::text("done"))
        .resource(resource, Answer::result(contents))
        .start()
        .await
        .unwrap();
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    for (method, params, scope) in [
        ("tools/list", json!({}), "public"),
        ("resources/list", json!({}), "public"),
        ("resources/templates/list", json!({}), "public"),
        ("resources/read", json!({"uri": "test://r"}), "private"),
    ] {
        let result = client.call(method, params).await.unwrap()["result"].take();
        assert_eq!(result["resultType"], "complete", "{method}");
        assert_eq!(
            (&result["ttlMs"], &result["cacheScope"]),
            (&json!(0), &json!(scope)),
            "{method}"
        );
        let own = result["_meta"].get("io.modelcontextprotocol/serverInfo").is_some();
        assert_eq!(own, method != "resources/read", "{method}");
    }
}

#[tokio::test]
async fn a_resource_that_is_not_there_has_the_code_of_this_revision() {
    let resource = json!({"uri": "test://r", "name": "r"});
    let error = json!({"code": -32002, "message": "gone", "data": {"uri": "test://r"}});
    let backend =
        Backend::builder().resource(resource, Answer::error_object(error)).start().await.unwrap();
    let other = one_tool("t", Answer::text("")).await;
    let targets = vec![target("b", &backend), target("c", &other)];
    let rig = Rig::with(targets, |_| {}).await;
    let client = rig.stateless();
    let read = async |uri: &str| client.call("resources/read", json!({"uri": uri})).await.unwrap();
    let error = read("test://r").await["error"].take();
    assert_eq!(error, json!({"code": -32602, "message": "gone", "data": {"uri": "test://r"}}));
}

#[tokio::test]
async fn pages_go_on_with_the_cursors_that_were_given_out() {
    let names: Vec<String> = (0..5).map(|n| format!("{}{n}", "t".repeat(40))).collect();
    let mut builder = Backend::builder();
    for name in &names {
        builder = builder.tool(tool(name), Answer::text(""));
    }
    let backend = builder.start().await.unwrap();
    let rig =
        Rig::with(vec![target("b", &backend)], |config| config.aggregation.page_size = 2).await;
    let client = rig.stateless();
    let listed = client.tools().await.unwrap();
    let listed: Vec<&str> = listed.iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert_eq!(listed, names);
    let first = client.call("tools/list", json!({"cursor": ""})).await.unwrap();
    assert_eq!(first["result"]["tools"].as_array().unwrap().len(), 2);
    for wrong in [json!("x"), json!(1), json!({})] {
        let message = client.call("tools/list", json!({"cursor": wrong})).await.unwrap();
        assert_eq!(message["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn progress_and_log_messages_come_on_the_stream_of_whoever_asked_for_them() {
    let answer = Answer::text("done").log("debug", "d").log("error", "e").progress(
        1,
        Some(2.0),
        Some("half"),
    );
    let backend = one_tool("t", answer).await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    let methods = async |params: Value| {
        let mut reply = client.request("tools/call", params).await.unwrap();
        let mut methods = Vec::new();
        while let Some(message) = reply.message().await.unwrap() {
            let level = message["params"]["level"].as_str();
            let token = message["params"]["progressToken"].to_string();
            let what = message["method"].as_str().unwrap_or("end");
            methods.push(format!("{what} {}", level.unwrap_or(&token)));
        }
        methods
    };
    assert_eq!(methods(json!({"name": "t"})).await, ["end null"]);
    client.set_level(Some("warning"));
    let log = "notifications/message error";
    assert_eq!(methods(json!({"name": "t"})).await, [log, "end null"]);
    client.set_level(None);
    let asked = json!({"name": "t", "_meta": {"progressToken": 0}});
    assert_eq!(methods(asked).await, ["notifications/progress 0", "end null"]);
}

#[tokio::test]
async fn one_backend_session_serves_all_calls_of_clients_that_are_the_same() {
    let backend = one_tool("t", Answer::text("done")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    client.set_capabilities(json!({"roots": {}, "elicitation": {"form": {}}}));
    let before = backend.count("initialize");
    client.tool("t", json!({})).await.unwrap();
    let twin = rig.stateless();
    twin.set_capabilities(r#"{ "elicitation":{"form":{}} , "roots":{} }"#);
    let calls = (0..20).map(|_| twin.tool("t", json!({})));
    for call in calls {
        assert_eq!(call.await.unwrap()["result"]["resultType"], "complete");
    }
    assert_eq!(backend.count("initialize"), before + 1);
    let heard = backend.heard("initialize").pop().unwrap().json();
    assert_eq!(heard["params"]["capabilities"], json!({"roots": {}, "elicitation": {"form": {}}}));
    assert_eq!(heard["params"]["protocolVersion"], "2025-11-25");
    let other = rig.stateless();
    other.tool("t", json!({})).await.unwrap();
    assert_eq!(backend.count("initialize"), before + 2);
}

#[tokio::test]
async fn what_is_kept_for_clients_is_given_up_when_it_is_not_used() {
    let backend = one_tool("t", Answer::text("done")).await;
    let rig = Rig::with(vec![target("b", &backend)], |config| {
        config.session.stateless_idle = Duration::from_millis(20);
        config.session.idle = Duration::from_millis(40);
    })
    .await;
    rig.stateless().tool("t", json!({})).await.unwrap();
    backend.wait_for("DELETE", 1).await.unwrap();
    let message = rig.stateless().tool("t", json!({})).await.unwrap();
    assert_eq!(message["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn a_client_that_goes_takes_its_call_back() {
    for answer in [Answer::never(), Answer::never().progress(1, Some(2.0), Some("half"))] {
        let backend = one_tool("t", answer).await;
        let rig = Rig::before(&backend).await;
        let client = rig.stateless();
        let params = json!({"name": "t", "_meta": {"progressToken": 1}});
        let asking = client.request("tools/call", params);
        let mut asking = Box::pin(asking);
        let heard = backend.wait_for("tools/call", 1);
        tokio::select! {
            reply = &mut asking => {
                // The stream has begun.
                reply.unwrap().message().await.unwrap().unwrap();
            }
            heard = heard => heard.unwrap(),
        }
        drop(asking);
        backend.wait_for("notifications/cancelled", 1).await.unwrap();
    }
}

#[tokio::test]
async fn json_stays_json_and_an_event_stream_stays_one() {
    let gate = Gate::new();
    let streamed =
        one_tool("t", Answer::text("done").notify("notifications/odd", json!({})).gate(&gate));
    let backend = streamed.await;
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    let mut reply = client.request("tools/call", json!({"name": "t"})).await.unwrap();
    assert!(reply.is_stream());
    assert_eq!(reply.message().await.unwrap().unwrap()["method"], "notifications/odd");
    gate.open();
    assert_eq!(reply.response().await.unwrap()["result"]["resultType"], "complete");
    let mut reply = client.request("tools/call", json!({"name": "no"})).await.unwrap();
    assert!(!reply.is_stream());
    assert_eq!(body(&mut reply).await["error"]["code"], -32602);
    let builder = Backend::builder().transport(Transport::Json);
    let single = builder.tool(tool("t"), Answer::text("done")).start().await.unwrap();
    let rig = Rig::before(&single).await;
    let mut reply = rig.stateless().request("tools/call", json!({"name": "t"})).await.unwrap();
    assert!(!reply.is_stream());
    assert_eq!(body(&mut reply).await["result"]["resultType"], "complete");
}
