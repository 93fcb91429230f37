//! Headers that repeat what a body says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde_json::Value;

use super::Refusal;

/// The one line of a header.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut lines = headers.get_all(name).iter();
    let (first, second) = (lines.next(), lines.next());
    if second.is_some() {
        return Err(Refusal::mismatch(format!("the header {name} is there twice")));
    }
    let Some(line) = first else { return Ok(None) };
    let plain = |byte: &u8| matches!(byte, b'\t' | 0x20..=0x7e);
    match std::str::from_utf8(line.as_bytes()) {
        Ok(text) if text.bytes().all(|byte| plain(&byte)) => Ok(Some(text.trim())),
        _ => Err(Refusal::mismatch(format!("the header {name} has invalid characters"))),
    }
}

/// `Mcp-Method` and `Mcp-Name`.
pub(super) fn standard(headers: &HeaderMap, method: &str, params: &Value) -> Result<(), Refusal> {
    if single(headers, "mcp-method")? != Some(method) {
        return Err(Refusal::mismatch("the header mcp-method and the body differ"));
    }
    let name = match method {
        "tools/call" | "prompts/get" => &params["name"],
        "resources/read" => &params["uri"],
        "tasks/get" | "tasks/update" | "tasks/cancel" => &params["taskId"],
        _ => return Ok(()),
    };
    let Some(name) = name.as_str() else { return Ok(()) };
    if said(headers, "mcp-name")?.as_deref() != Some(name) {
        return Err(Refusal::mismatch("the header mcp-name and the body differ"));
    }
    Ok(())
}

/// The arguments that a tool wants to see in headers too.
pub(super) fn params(
    headers: &HeaderMap,
    schema: &Value,
    arguments: &Value,
) -> Result<(), Refusal> {
    let Some(properties) = schema["properties"].as_object() else { return Ok(()) };
    for (key, property) in properties {
        let argument = &arguments[key.as_str()];
        if let Some(name) = property["x-mcp-header"].as_str() {
            let name = format!("mcp-param-{}", name.to_ascii_lowercase());
            let said = said(headers, &name)?;
            let same = match (argument, said.as_deref()) {
                (Value::Null, said) => said.is_none(),
                (Value::String(text), Some(said)) => text == said,
                (Value::Bool(truth), Some(said)) => truth.to_string() == said,
                (Value::Number(number), Some(said)) => {
                    number.to_string() == said || number.as_f64() == said.parse().ok()
                }
                (_, said) => said.is_none() && !(argument.is_string() || argument.is_number()),
            };
            if !same {
                let text = format!("the header {name} and the argument {key} differ");
                return Err(Refusal::mismatch(text));
            }
        }
        self::params(headers, property, argument)?;
    }
    Ok(())
}

/// The text that a header says, decoded.
fn said(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refusal> {
    let Some(line) = single(headers, name)? else { return Ok(None) };
    let inner = line.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    let Some(inner) = inner else { return Ok(Some(line.to_owned())) };
    let bytes = STANDARD.decode(inner).ok();
    match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(text) => Ok(Some(text)),
        None => Err(Refusal::mismatch(format!("the header {name} cannot be decoded"))),
    }
}
