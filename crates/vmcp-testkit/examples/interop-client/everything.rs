//! The checks of the public server-everything.

use std::time::Duration;

use serde_json::json;

use crate::asked::ROOT;
use crate::peer::{Checked, Peer, equal};

pub(crate) const NAMES: &[&str] = &[
    "lists_its_tools",
    "everything_echoes",
    "everything_gives_structured_content",
    "everything_reports_progress",
    "everything_samples",
    "everything_elicits",
    "everything_knows_the_roots",
    "everything_reads_resources",
    "everything_fills_prompts",
    "everything_completes_arguments",
];

pub(crate) async fn check(name: &str, peer: &Peer) -> Checked {
    match name {
        "lists_its_tools" => equal(peer.tools().await?.contains(&peer.tool_name("echo")), true),
        "everything_echoes" => {
            let text = peer.text("echo", json!({"message": "gr\u{fc}\u{df}"})).await?;
            equal(text.as_str(), "Echo: gr\u{fc}\u{df}")
        }
        "everything_gives_structured_content" => {
            let arguments = json!({"location": "Chicago"});
            let mut result = peer.tool("get-structured-content", arguments).await?;
            let expected =
                json!({"temperature": 36, "conditions": "Light rain / drizzle", "humidity": 82});
            equal(result["structuredContent"].take(), expected)
        }
        "everything_reports_progress" => progress(peer).await,
        "everything_samples" => {
            there(peer, "trigger-sampling-request").await?;
            let arguments = json!({"prompt": "hello", "maxTokens": 10});
            contains(
                peer.text("trigger-sampling-request", arguments).await?,
                "sampled by the client",
            )
        }
        "everything_elicits" => {
            there(peer, "trigger-elicitation-request").await?;
            let result = peer.tool("trigger-elicitation-request", json!({})).await?;
            contains(result.to_string(), "provided the requested information")
        }
        "everything_knows_the_roots" => {
            there(peer, "get-roots-list").await?;
            contains(peer.text("get-roots-list", json!({})).await?, ROOT)
        }
        "everything_reads_resources" => {
            let resources = peer.running().list_all_resources().await?;
            let first = resources.first().ok_or("no resources")?;
            let content = peer.resource(&first.uri).await?;
            equal(content["text"].as_str().is_some_and(|text| !text.is_empty()), true)
        }
        "everything_fills_prompts" => {
            let result = peer.prompt("args-prompt", json!({"city": "Rome"})).await?;
            contains(result.to_string(), "Rome")
        }
        "everything_completes_arguments" => {
            let prompt = peer.prompt_name("completable-prompt").await?;
            let found = peer.running().complete_prompt_simple(prompt, "department", "E").await?;
            equal(found, vec!["Engineering".to_owned()])
        }
        _ => Err("there is no such check".into()),
    }
}

/// Some tools are added once the server knows what the client can do.
async fn there(peer: &Peer, name: &str) -> Checked {
    while !peer.tools().await?.contains(&peer.tool_name(name)) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn progress(peer: &Peer) -> Checked {
    const METHOD: &str = "notifications/progress";
    let before = peer.heard.of(METHOD).len();
    let arguments = json!({"duration": 1, "steps": 4});
    peer.text("trigger-long-running-operation", arguments).await?;
    peer.heard.until(METHOD, before + 4).await;
    let steps = peer.heard.of(METHOD).split_off(before);
    let steps: Vec<_> = steps.iter().map(|step| step["progress"].as_f64()).collect();
    equal(steps, vec![Some(1.0), Some(2.0), Some(3.0), Some(4.0)])
}

fn contains(text: String, part: &str) -> Checked {
    if text.contains(part) { Ok(()) } else { Err(text.into()) }
}
