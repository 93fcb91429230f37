//! The fixed contents of results.

use rmcp::ErrorData;
use rmcp::model::CallToolResult;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A picture of one red pixel.
pub(crate) const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

/// A sound of no length.
pub(crate) const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

/// Makes a typed result from its JSON; `resultType` is there for the peers that know it.
pub(crate) fn typed<T: DeserializeOwned>(mut result: Value) -> Result<T, ErrorData> {
    if let Some(result) = result.as_object_mut() {
        result.entry("resultType").or_insert_with(|| json!("complete"));
    }
    serde_json::from_value(result)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// A result with one text block.
pub(crate) fn text(text: impl Into<String>) -> Result<CallToolResult, ErrorData> {
    blocks(&[text_block(text)])
}

/// A result that reports an error of the tool.
pub(crate) fn failed(text: impl Into<String>) -> Result<CallToolResult, ErrorData> {
    typed(json!({"content": [text_block(text)], "isError": true}))
}

/// A result with these blocks.
pub(crate) fn blocks(blocks: &[Value]) -> Result<CallToolResult, ErrorData> {
    typed(json!({"content": blocks}))
}

pub(crate) fn text_block(text: impl Into<String>) -> Value {
    json!({"type": "text", "text": text.into()})
}

pub(crate) fn image_block() -> Value {
    json!({"type": "image", "data": PNG, "mimeType": "image/png"})
}

pub(crate) fn resource_block(uri: &str, mime_type: &str, text: &str) -> Value {
    json!({"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "text": text}})
}
