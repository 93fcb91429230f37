//! `vmcp tools call`.

use std::process::ExitCode;

use anyhow::Context;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use vmcp_backend::Call;
use vmcp_gateway::MultiSession;
use vmcp_wire::method;

use super::answer::{self, Answer, plain};
use crate::cli::CallArgs;
use crate::exit::Failure;
use crate::say;

/// Calls a tool and prints what it says. The exit code tells whether the tool could do it.
pub(super) async fn run(session: &MultiSession, args: &CallArgs) -> Result<ExitCode, Failure> {
    let schema = schema(session, &args.name).await?;
    let arguments = arguments(args, &schema)?;
    let params = json!({
        "name": args.name, "arguments": arguments, "_meta": { "progressToken": 1 },
    });
    let call = Call::new(method::TOOLS_CALL, Some(Bytes::from(params.to_string())));
    let reply = session.call(call).await.context("the call failed")?;
    match answer::of(reply).await.context("the call failed")? {
        Answer::Error(text) => Err(anyhow::anyhow!("{text}").into()),
        Answer::Result(raw) => {
            let result: Value = serde_json::from_slice(&raw).context("the result is no JSON")?;
            if args.json {
                say::out(&String::from_utf8_lossy(&raw));
            } else {
                say::out(&text(&result));
            }
            Ok(if result["isError"] == true { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
    }
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
fn text(result: &Value) -> String {
    let content = result["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    if content.is_empty() {
        let structured = &result["structuredContent"];
        return if structured.is_null() { String::new() } else { structured.to_string() };
    }
    content.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn block(block: &Value) -> String {
    let of = |key: &str| block[key].as_str().unwrap_or_default();
    match of("type") {
        "text" => of("text").to_owned(),
        kind @ ("image" | "audio") => {
            format!("[{kind} {}, {} characters of base64]", of("mimeType"), of("data").len())
        }
        "resource_link" => format!("[resource {}]", of("uri")),
        "resource" => match block["resource"]["text"].as_str() {
            Some(text) => text.to_owned(),
            None => format!("[resource {}]", plain(&block["resource"]["uri"])),
        },
        _ => block.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{text, value};

    #[test]
    fn words_become_what_the_tool_wants() {
        assert_eq!(value("5", &json!({ "type": "integer" })), json!(5));
        assert_eq!(value("5", &json!({ "type": "string" })), json!("5"));
        assert_eq!(value("[1]", &json!(null)), json!([1]));
        assert_eq!(value("a b", &json!(null)), json!("a b"));
    }

    #[test]
    fn what_is_no_text_is_named() {
        let result = json!({ "content": [
            { "type": "text", "text": "a" },
            { "type": "image", "mimeType": "image/png", "data": "AAAA" },
            { "type": "resource", "resource": { "uri": "x:y", "blob": "" } },
        ]});
        assert_eq!(text(&result), "a\n[image image/png, 4 characters of base64]\n[resource x:y]");
        assert_eq!(text(&json!({ "structuredContent": { "a": 1 } })), r#"{"a":1}"#);
    }
}
