//! `vmcp tools ls`.

use std::process::ExitCode;

use bytes::Bytes;
use serde_json::Value;
use vmcp_gateway::MultiSession;

use crate::exit::Failure;
use crate::say;

/// Characters of a description in the table.
const WORDS: usize = 72;

/// Lists the tools as clients see them.
pub(super) async fn run(session: &MultiSession, json: bool) -> Result<ExitCode, Failure> {
    let tools = super::all(session).await?;
    if json {
        let raw: Vec<_> = tools.iter().map(|tool| String::from_utf8_lossy(tool)).collect();
        say::out(&format!("[{}]", raw.join(",\n")));
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = tools.iter().map(row).collect();
    if !rows.is_empty() {
        say::out(&say::table(&rows));
    }
    say::err(&say::count(rows.len(), "tool"));
    Ok(ExitCode::SUCCESS)
}

/// Name, arguments with `?` at the optional ones, the first line of the description.
fn row(tool: &Bytes) -> Vec<String> {
    let tool: Value = serde_json::from_slice(tool).unwrap_or_default();
    let text = |key: &str| tool[key].as_str().unwrap_or_default().to_owned();
    let required: Vec<&str> = tool["inputSchema"]["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = tool["inputSchema"]["properties"].as_object();
    let arguments: Vec<String> = properties
        .into_iter()
        .flatten()
        .map(|(name, _)| {
            let optional = if required.contains(&name.as_str()) { "" } else { "?" };
            format!("{name}{optional}")
        })
        .collect();
    vec![shown(&text("name")), shown(&arguments.join(" ")), first_line(&text("description"))]
}

fn first_line(text: &str) -> String {
    let line = shown(text.trim().lines().next().unwrap_or_default());
    if line.chars().count() <= WORDS {
        return line;
    }
    line.chars().take(WORDS - 1).chain(['…']).collect()
}

/// What a backend says must not steer a terminal.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
