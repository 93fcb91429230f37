//! Results of tools and prompts.

use memchr::memmem;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Edits, Limits, Message, Object, method};

use super::content;

/// Whose results may have something to convert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A tool's: blocks of content, and structured content.
    Tool,
    /// A prompt's: messages with one block each.
    Prompt,
}

// === impl Kind ===

impl Kind {
    /// What a call of `method` gives a client of this revision, if that may have to be converted.
    pub(super) fn of(revision: Revision, method: &str) -> Option<Self> {
        let knows_all =
            revision.audio() && revision.resource_links() && revision.structured_content();
        match method {
            _ if knows_all => None,
            method::TOOLS_CALL => Some(Self::Tool),
            method::PROMPTS_GET => Some(Self::Prompt),
            _ => None,
        }
    }

    /// The response as a client of this revision gets it; the same if there is nothing to convert.
    pub(super) fn convert(self, revision: Revision, message: Message, limits: &Limits) -> Message {
        if !self.may_concern(revision, message.bytes()) {
            return message;
        }
        let edits = self.edits(revision, &message).unwrap_or_default();
        if edits.is_empty() {
            return message;
        }
        content::edited(&message, &edits, limits).unwrap_or(message)
    }

    fn may_concern(self, revision: Revision, raw: &[u8]) -> bool {
        let structured =
            || memmem::find(raw, b"structuredContent").is_some() && !revision.structured_content();
        content::may_concern(revision, raw) || self == Self::Tool && structured()
    }

    fn edits(self, revision: Revision, message: &Message) -> Option<Edits> {
        let root = Object::parse(message.bytes()).ok()?;
        let result = root.get("result")?.as_object()?;
        let mut edits = Edits::new();
        match self {
            Self::Tool => tool(revision, &result, &mut edits),
            Self::Prompt => prompt(revision, &result, &mut edits),
        }
        Some(edits)
    }
}

fn tool(revision: Revision, result: &Object<'_>, edits: &mut Edits) {
    let mut blocks = 0;
    // Of members that stand there twice, nobody knows which one the client takes: all are changed.
    for (_, member) in result.iter().filter(|(key, _)| key == "content") {
        for block in member.items().unwrap_or_default() {
            content::convert(revision, &block, edits);
            blocks += 1;
        }
    }
    if blocks == 0 && !revision.structured_content() {
        unstructured(result, edits);
    }
}

/// Says structured content as text where there is no other content: a client that does not know it would get nothing.
fn unstructured(result: &Object<'_>, edits: &mut Edits) {
    let structured = result.get("structuredContent").filter(|member| !member.is_null());
    let Some(Ok(text)) = structured.map(|member| std::str::from_utf8(member.raw)) else { return };
    let list = [b"[", &content::text_block(text)[..], b"]"].concat();
    match result.get("content") {
        Some(empty) => edits.replace(empty.span, list),
        None => edits.insert_member(result, "content", &list),
    }
}

fn prompt(revision: Revision, result: &Object<'_>, edits: &mut Edits) {
    for (_, member) in result.iter().filter(|(key, _)| key == "messages") {
        for message in member.items().unwrap_or_default() {
            let Some(message) = message.as_object() else { continue };
            for (_, block) in message.iter().filter(|(key, _)| key == "content") {
                content::convert(revision, &block, edits);
            }
        }
    }
}

#[cfg(test)]
mod tests;
