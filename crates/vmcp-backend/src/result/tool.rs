//! The result of `tools/call`.

use bytes::Bytes;
use vmcp_wire::Object;

use super::{Content, ContentKind, elements, member, result};

result! {
    /// What a tool answered. A tool that failed answers too: see [`is_error`](Self::is_error).
    ToolResult
}

// === impl ToolResult ===

impl ToolResult {
    /// The content, item by item, in order.
    pub fn content(&self) -> Vec<Content> {
        elements(&self.raw, "content").into_iter().map(Content::read).collect()
    }

    /// `structuredContent`: raw JSON of any type, `null` included. `None` if the backend sent none; it is never made
    /// up from the content.
    pub fn structured_content(&self) -> Option<Bytes> {
        member(&self.raw, "structuredContent")
    }

    /// Whether the tool itself says that it failed.
    pub fn is_error(&self) -> bool {
        let members = Object::parse(&self.raw).ok();
        let flag = members.and_then(|members| members.get("isError"));
        flag.and_then(|flag| flag.as_bool()).unwrap_or_default()
    }

    /// All text items, a line break between each two.
    pub fn text(&self) -> String {
        let texts = self.content().into_iter().filter_map(|item| match item.kind {
            ContentKind::Text(text) => Some(text),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}
