//! Reads resources.

use rmcp::ErrorData;
use rmcp::model::ReadResourceResult;
use serde_json::{Value, json};

use crate::content::{PNG, typed};

/// The resource whose changes can be watched.
pub(crate) const WATCHED: &str = "test://watched-resource";

pub(crate) fn read(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    match content(uri) {
        Some(content) => typed(json!({"contents": [content]})),
        None => Err(ErrorData::resource_not_found("resource not found", Some(json!({"uri": uri})))),
    }
}

fn content(uri: &str) -> Option<Value> {
    let text = |text: &str| json!({"uri": uri, "mimeType": "text/plain", "text": text});
    match uri {
        "test://static-text" => Some(text("This is the content of the static text resource.")),
        "test://static-binary" => Some(json!({"uri": uri, "mimeType": "image/png", "blob": PNG})),
        WATCHED => Some(text("This content may change.")),
        _ => {
            let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
            let data =
                json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            Some(json!({"uri": uri, "mimeType": "application/json", "text": data.to_string()}))
        }
    }
}
