//! `vmcp tools call`.

use std::process::ExitCode;

use serde_json::{Map, Value};
use vmcp_backend::{Content, ContentKind, ErrorKind, McpSession, ResourceBody, ToolResult};
use vmcp_gateway::MultiSession;

use super::answer::plain;
use crate::cli::CallArgs;
use crate::exit::Failure;
use crate::say;

/// Calls a tool and prints what it says. The exit code tells whether the tool could do it.
pub(super) async fn run(session: &MultiSession, args: &CallArgs) -> Result<ExitCode, Failure> {
    let schema = schema(session, &args.name).await?;
    let arguments = arguments(args, &schema)?;
    let (arguments, meta) = (arguments.to_string(), r#"{"progressToken":1}"#);
    let called = session.call_tool(&args.name, Some(arguments.into()), Some(meta.into())).await;
    let result = called.map_err(|error| match &error.kind {
        ErrorKind::Answered(answer) => anyhow::anyhow!("{} ({})", answer.message(), answer.code()),
        _ => anyhow::Error::from(error).context("the call failed"),
    })?;
    if args.json {
        say::out(&String::from_utf8_lossy(result.raw()));
    } else {
        say::out(&text(&result));
    }
    Ok(if result.is_error() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The properties of the tool's arguments; an error with the nearest name if there is no such tool.
async fn schema(session: &MultiSession, name: &str) -> anyhow::Result<Value> {
    let tools = super::all(session).await?;
    let tools = tools.iter().filter_map(|tool| serde_json::from_slice::<Value>(tool).ok());
    let mut names = Vec::new();
    for mut tool in tools {
        if tool["name"] == name {
            return Ok(tool["inputSchema"]["properties"].take());
        }
        names.push(plain(&tool["name"]));
    }
    names.retain(|known| known.contains(name) || known.ends_with(name));
    match &names[..] {
        [] => anyhow::bail!("there is no tool `{name}`; `vmcp tools ls` lists them"),
        near => anyhow::bail!("there is no tool `{name}`; did you mean `{}`?", near.join("` or `")),
    }
}

fn arguments(args: &CallArgs, schema: &Value) -> Result<Value, Failure> {
    if let Some(text) = &args.args {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Failure::usage(format!("--args is not JSON: {error}")))?;
        return match value {
            Value::Object(_) => Ok(value),
            _ => Err(Failure::usage("--args must be a JSON object")),
        };
    }
    let mut arguments = Map::new();
    for pair in &args.pairs {
        let Some((key, text)) = pair.split_once('=') else {
            return Err(Failure::usage(format!("`{pair}` is not KEY=VALUE")));
        };
        arguments.insert(key.to_owned(), value(text, &schema[key]));
    }
    Ok(Value::Object(arguments))
}

/// What a word means: a string where the tool wants one, else JSON if it is any.
fn value(text: &str, schema: &Value) -> Value {
    let as_text = || Value::String(text.to_owned());
    if schema["type"] == "string" {
        as_text()
    } else {
        serde_json::from_str(text).unwrap_or_else(|_| as_text())
    }
}

/// The words of a result; what is no text is named.
fn text(result: &ToolResult) -> String {
    let content = result.content();
    if content.is_empty() {
        let structured = result.structured_content().unwrap_or_default();
        return String::from_utf8_lossy(&structured).into_owned();
    }
    content.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn block(item: &Content) -> String {
    match &item.kind {
        ContentKind::Text(text) => text.clone(),
        ContentKind::Image(blob) | ContentKind::Audio(blob) => {
            let kind = if matches!(item.kind, ContentKind::Image(_)) { "image" } else { "audio" };
            let media = blob.mime_type.as_deref().unwrap_or_default();
            format!("[{kind} {media}, {} characters of base64]", blob.data.len())
        }
        ContentKind::ResourceLink(link) => format!("[resource {}]", link.uri),
        ContentKind::Resource(resource) => match &resource.body {
            ResourceBody::Text(text) => text.clone(),
            _ => format!("[resource {}]", resource.uri),
        },
        _ => String::from_utf8_lossy(item.raw()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{ToolResult, text, value};

    #[test]
    fn words_become_what_the_tool_wants() {
        assert_eq!(value("5", &json!({ "type": "integer" })), json!(5));
        assert_eq!(value("5", &json!({ "type": "string" })), json!("5"));
        assert_eq!(value("[1]", &json!(null)), json!([1]));
        assert_eq!(value("a b", &json!(null)), json!("a b"));
    }

    #[test]
    fn what_is_no_text_is_named() {
        let result = |raw: Value| ToolResult::from_raw(raw.to_string()).unwrap();
        let mixed = result(json!({ "content": [
            { "type": "text", "text": "a" },
            { "type": "image", "mimeType": "image/png", "data": "AAAA" },
            { "type": "resource", "resource": { "uri": "x:y", "blob": "" } },
        ]}));
        assert_eq!(text(&mixed), "a\n[image image/png, 4 characters of base64]\n[resource x:y]");
        let structured = result(json!({ "structuredContent": { "a": 1 } }));
        assert_eq!(text(&structured), r#"{"a":1}"#);
    }
}
