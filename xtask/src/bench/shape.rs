//! What one call looks like, agreed between the load generator and the backend.

use bytes::Bytes;

/// The length of the message that each call carries and each reply begins with.
pub(super) const MESSAGE: usize = 100;
/// The tool of a backend that was not asked for many.
pub(super) const TOOL: &str = "echo";
/// What follows the id in a reply, up to the text.
pub(super) const RESULT_HEAD: &str = r#","result":{"content":[{"type":"text","text":""#;
/// What follows the text.
pub(super) const RESULT_TAIL: &str = r#""}],"isError":false}}"#;
/// What precedes the id in a reply.
pub(super) const ENVELOPE: &str = r#"{"jsonrpc":"2.0","id":"#;

/// How a reply comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// As `application/json`.
    Json,
    /// As one event of `text/event-stream`.
    Sse,
}

impl Framing {
    /// The name in tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Sse => "SSE",
        }
    }
}

/// One kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// How the reply is framed.
    pub framing: Framing,
    /// The length of the text in the reply, at least [`MESSAGE`].
    pub bytes: usize,
}

impl Shape {
    /// The usual call: a reply of 100 bytes as JSON.
    pub(super) const SMALL: Self = Self { framing: Framing::Json, bytes: MESSAGE };

    /// What the text is filled up with after the message.
    pub(super) fn filler(self) -> Bytes {
        Bytes::from(vec![b'x'; self.bytes - MESSAGE])
    }

    /// The request with this id to this tool, in one allocation.
    pub(super) fn request(self, id: u64, tool: &str, message: &str) -> Bytes {
        let stream = self.framing == Framing::Sse;
        let bytes = self.bytes;
        Bytes::from(format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"message":"{message}","bytes":{bytes},"stream":{stream}}}}}}}"#
        ))
    }

    /// Whether a reply is, byte for byte, the one to `id` and `message`.
    pub(super) fn is_reply(self, reply: &[u8], id: u64, message: &str, filler: &[u8]) -> bool {
        let head = format!("{ENVELOPE}{id}{RESULT_HEAD}{message}");
        let rest = reply.strip_prefix(head.as_bytes());
        let tail = rest.and_then(|rest| rest.strip_prefix(filler));
        tail == Some(RESULT_TAIL.as_bytes())
    }

    /// Whether a reply means the same, however a server that reads and writes it anew has spelled it.
    pub(super) fn means_reply(self, reply: &[u8], id: u64, message: &str, filler: &[u8]) -> bool {
        let Ok(reply) = serde_json::from_slice::<serde_json::Value>(reply) else { return false };
        let text = reply["result"]["content"][0]["text"].as_str().unwrap_or_default();
        let rest = text.strip_prefix(message).map(str::as_bytes);
        reply["id"] == id && reply["result"]["isError"] != true && rest == Some(filler)
    }
}

/// A message of [`MESSAGE`] bytes that no other call of the run carries.
pub(super) fn message(session: usize, call: u64) -> String {
    format!("{:-<MESSAGE$}", format!("session {session} call {call} "))
}

/// How large a reply is, in words.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        bytes if bytes >= 1_000_000 => format!("{} MB", bytes / 1_000_000),
        bytes if bytes >= 1000 => format!("{} KB", bytes / 1000),
        bytes => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Framing, MESSAGE, Shape, message};

    #[test]
    fn a_reply_is_checked_to_the_last_byte() {
        let shape = Shape { framing: Framing::Json, bytes: MESSAGE + 2 };
        let text = message(3, 4);
        assert_eq!(text.len(), MESSAGE);
        let reply = format!(
            r#"{{"jsonrpc":"2.0","id":7,"result":{{"content":[{{"type":"text","text":"{text}xx"}}],"isError":false}}}}"#
        );
        let filler = shape.filler();
        for check in [Shape::is_reply, Shape::means_reply] {
            assert!(check(shape, reply.as_bytes(), 7, &text, &filler));
            assert!(!check(shape, reply.as_bytes(), 8, &text, &filler));
            assert!(!check(shape, reply.as_bytes(), 7, &message(3, 5), &filler));
            assert!(!check(shape, reply.replace("xx", "xy").as_bytes(), 7, &text, &filler));
        }
        let spaced = format!("{reply} ");
        assert!(!shape.is_reply(spaced.as_bytes(), 7, &text, &filler));
        assert!(shape.means_reply(spaced.as_bytes(), 7, &text, &filler));
        let failed = reply.replace("false", "true");
        assert!(!shape.means_reply(failed.as_bytes(), 7, &text, &filler));
    }
}
