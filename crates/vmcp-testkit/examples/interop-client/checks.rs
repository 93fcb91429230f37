//! The checks of a server that has the fixtures of the conformance backend.

use std::time::Duration;

use rmcp::model::{CallToolRequest, ClientRequest, LoggingLevel, SetLevelRequestParams};
use rmcp::service::{PeerRequestOptions, ServiceError};
use serde_json::{Value, json};

use crate::asked::ROOT;
use crate::peer::{Checked, Peer, equal};

const WATCHED: &str = "test://watched-resource";

pub(crate) const NAMES: &[&str] = &[
    "lists_its_tools",
    "refuses_an_unknown_tool",
    "calls_tools_of_each_content_type",
    "passes_structured_content",
    "passes_errors_of_tools",
    "reports_progress_in_order",
    "delivers_log_messages",
    "relays_sampling",
    "relays_elicitation",
    "relays_roots",
    "cancels_a_call",
    "announces_changes_of_the_tools",
    "reads_resources",
    "refuses_an_unknown_resource",
    "delivers_updates_of_a_subscribed_resource",
    "fills_prompts",
    "completes_arguments",
];

pub(crate) async fn check(name: &str, peer: &Peer) -> Checked {
    match name {
        "lists_its_tools" => {
            let there = peer.tools().await?.contains(&peer.tool_name("test_simple_text"));
            equal(there, true)
        }
        "refuses_an_unknown_tool" => unknown_tool(peer).await,
        "calls_tools_of_each_content_type" => content(peer).await,
        "passes_structured_content" => {
            let mut result = peer.tool("test_structured", json!({})).await?;
            equal(result["structuredContent"].take(), json!({"ratio": 0.5, "name": "half"}))
        }
        "passes_errors_of_tools" => {
            equal(peer.tool("test_error_handling", json!({})).await?["isError"].take(), json!(true))
        }
        "reports_progress_in_order" => progress(peer).await,
        "delivers_log_messages" => logs(peer).await,
        "relays_sampling" => {
            let text = peer.text("test_sampling", json!({"prompt": "hello"})).await?;
            equal(text.as_str(), "LLM response: sampled by the client")
        }
        "relays_elicitation" => {
            let text = peer.text("test_elicitation", json!({"message": "who?"})).await?;
            let accepted = text.contains("action=accept") && text.contains(r#""username":"word""#);
            if accepted { Ok(()) } else { Err(text.into()) }
        }
        "relays_roots" => {
            let text = peer.text("test_input_required_result_list_roots", json!({})).await?;
            if text.contains(ROOT) { Ok(()) } else { Err(text.into()) }
        }
        "cancels_a_call" => cancel(peer).await,
        "announces_changes_of_the_tools" => tool_changes(peer).await,
        "reads_resources" => resources(peer).await,
        "refuses_an_unknown_resource" => unknown_resource(peer).await,
        "delivers_updates_of_a_subscribed_resource" => updates(peer).await,
        "fills_prompts" => prompts(peer).await,
        "completes_arguments" => {
            let prompt = peer.prompt_name("test_prompt_with_arguments").await?;
            let found = peer.running().complete_prompt_simple(prompt, "arg1", "par").await?;
            equal(found, ["paris", "park", "party"].map(str::to_owned).to_vec())?;
            let template = "test://template/{id}/data";
            let found = peer.running().complete_resource_simple(template, "id", "te").await?;
            equal(found, ["test", "testing"].map(str::to_owned).to_vec())
        }
        _ => Err("there is no such check".into()),
    }
}

async fn unknown_tool(peer: &Peer) -> Checked {
    let params = peer.params("no-such-tool-anywhere", &json!({}));
    match peer.running().call_tool(params).await {
        Err(ServiceError::McpError(error)) => equal(error.code.0, -32602),
        Err(error) => Err(error.into()),
        // Some servers report it as an error of the tool.
        Ok(result) => equal(result.is_error, Some(true)),
    }
}

async fn content(peer: &Peer) -> Checked {
    let tools: [(&str, &[&str]); 5] = [
        ("test_simple_text", &["text"]),
        ("test_image_content", &["image"]),
        ("test_audio_content", &["audio"]),
        ("test_embedded_resource", &["resource"]),
        ("test_multiple_content_types", &["text", "image", "resource"]),
    ];
    for (name, expected) in tools {
        let result = peer.tool(name, json!({})).await?;
        let blocks = result["content"].as_array().cloned().unwrap_or_default();
        let kinds: Vec<_> = blocks.iter().map(|block| block["type"].clone()).collect();
        equal(json!(kinds), json!(expected))?;
    }
    Ok(())
}

async fn progress(peer: &Peer) -> Checked {
    const METHOD: &str = "notifications/progress";
    let before = peer.heard.of(METHOD).len();
    peer.text("test_tool_with_progress", json!({})).await?;
    peer.heard.until(METHOD, before + 3).await;
    let steps = peer.heard.of(METHOD).split_off(before);
    let steps: Vec<_> = steps.iter().map(|step| step["progress"].as_f64()).collect();
    equal(steps, vec![Some(0.0), Some(50.0), Some(100.0)])
}

async fn logs(peer: &Peer) -> Checked {
    const METHOD: &str = "notifications/message";
    if !peer.stateless() {
        peer.running().set_level(SetLevelRequestParams::new(LoggingLevel::Debug)).await?;
    }
    let before = peer.heard.of(METHOD).len();
    peer.text("test_tool_with_logging", json!({})).await?;
    peer.heard.until(METHOD, before + 3).await;
    let messages = peer.heard.of(METHOD).split_off(before);
    equal(messages.iter().all(|message| message["level"] == "info"), true)
}

/// How many calls the server was told to give up.
async fn cancelled(peer: &Peer) -> Checked<u64> {
    Ok(peer.text("test_cancellations", json!({})).await?.parse()?)
}

async fn cancel(peer: &Peer) -> Checked {
    let before = cancelled(peer).await?;
    let request = CallToolRequest::new(peer.params("test_slow", &json!({"seconds": 120})));
    let request = ClientRequest::CallToolRequest(request);
    let options = PeerRequestOptions::no_options();
    let call = peer.running().send_cancellable_request(request, options).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    call.cancel(Some("no longer wanted".to_owned())).await?;
    while cancelled(peer).await? <= before {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn tool_changes(peer: &Peer) -> Checked {
    const METHOD: &str = "notifications/tools/list_changed";
    let name = peer.tool_name("test_come_and_go");
    let there_before = peer.tools().await?.contains(&name);
    let mut watching = peer.watch(None).await?;
    for there in [!there_before, there_before] {
        let before = peer.heard.of(METHOD).len();
        peer.text("test_trigger_tool_change", json!({})).await?;
        peer.hear(&mut watching, METHOD, before).await?;
        while peer.tools().await?.contains(&name) != there {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    peer.stop_watching(watching).await
}

async fn resources(peer: &Peer) -> Checked {
    let all = peer.running().list_all_resources().await?;
    equal(all.iter().any(|resource| resource.uri == "test://static-text"), true)?;
    let mut text = peer.resource("test://static-text").await?;
    let expected = json!("This is the content of the static text resource.");
    equal(text["text"].take(), expected)?;
    let mut binary = peer.resource("test://static-binary").await?;
    equal(binary["mimeType"].take(), json!("image/png"))?;
    let templates = peer.running().list_all_resource_templates().await?;
    let template = "test://template/{id}/data";
    equal(templates.iter().any(|one| one.uri_template == template), true)?;
    let data = peer.resource("test://template/77/data").await?;
    let data: Value = serde_json::from_str(data["text"].as_str().unwrap_or_default())?;
    equal(&data["id"], &json!("77"))
}

async fn unknown_resource(peer: &Peer) -> Checked {
    let params = rmcp::model::ReadResourceRequestParams::new("test://nobody-has-this");
    match peer.running().read_resource(params).await {
        Err(ServiceError::McpError(error)) if [-32002, -32602].contains(&error.code.0) => Ok(()),
        other => Err(format!("an unknown resource: {other:?}").into()),
    }
}

async fn updates(peer: &Peer) -> Checked {
    const METHOD: &str = "notifications/resources/updated";
    let mut watching = peer.watch(Some(WATCHED)).await?;
    let before = peer.heard.of(METHOD).len();
    peer.text("test_trigger_resource_update", json!({})).await?;
    peer.hear(&mut watching, METHOD, before).await?;
    let uri = peer.heard.of(METHOD).pop().map(|mut params| params["uri"].take());
    equal(uri, Some(json!(WATCHED)))?;
    peer.stop_watching(watching).await?;
    let after = peer.heard.of(METHOD).len();
    peer.text("test_trigger_resource_update", json!({})).await?;
    peer.text("test_simple_text", json!({})).await?;
    equal(peer.heard.of(METHOD).len(), after)
}

async fn prompts(peer: &Peer) -> Checked {
    peer.prompt("test_simple_prompt", json!({})).await?;
    let arguments = json!({"arg1": "one", "arg2": "two"});
    let mut result = peer.prompt("test_prompt_with_arguments", arguments).await?;
    let expected = json!("Prompt with arguments: arg1='one', arg2='two'");
    equal(result["messages"][0]["content"]["text"].take(), expected)?;
    let mut result = peer.prompt("test_prompt_with_image", json!({})).await?;
    equal(result["messages"][0]["content"]["type"].take(), json!("image"))
}
