//! MCP clients that show every status, header and byte.

use serde_json::json;

use crate::json::Json;

mod http;
mod line;
mod reply;
mod stateless;

pub use http::RawClient;
pub use line::LineClient;
pub use reply::RawReply;
pub use stateless::{Listening, Prepared, StatelessClient};

/// The params with which these clients introduce themselves.
fn introduction(revision: &str, capabilities: &Json) -> String {
    format!(
        r#"{{"protocolVersion":{},"capabilities":{capabilities},"clientInfo":{{"name":"testkit","version":"1.0.0"}}}}"#,
        json!(revision)
    )
}
