//! The result of `prompts/get`.

use bytes::Bytes;
use vmcp_wire::Object;

use super::{Content, elements, member, result, string};

result! {
    /// What a prompt says.
    PromptResult
}

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptMessage {
    raw: Bytes,
    /// Who says it.
    pub role: Role,
    /// What.
    pub content: Content,
}

/// Who says something.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// `user`.
    User,
    /// `assistant`.
    Assistant,
    /// Another word; empty if there is none.
    Other(String),
}

// === impl PromptResult ===

impl PromptResult {
    /// What the prompt is for.
    pub fn description(&self) -> Option<String> {
        string(&Object::parse(&self.raw).ok()?, "description")
    }

    /// The messages, in order.
    pub fn messages(&self) -> Vec<PromptMessage> {
        elements(&self.raw, "messages").into_iter().map(PromptMessage::read).collect()
    }
}

// === impl PromptMessage ===

impl PromptMessage {
    fn read(raw: Bytes) -> Self {
        let role = Object::parse(&raw).ok().and_then(|members| string(&members, "role"));
        let role = match role.unwrap_or_default().as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            other => Role::Other(other.to_owned()),
        };
        let content = Content::read(member(&raw, "content").unwrap_or_default());
        Self { raw, role, content }
    }

    /// The whole object.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The raw value of any member.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        member(&self.raw, key)
    }
}
