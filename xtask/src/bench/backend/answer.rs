//! What the backend says to each message, whatever carries it.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::shape::{ENVELOPE, RESULT_HEAD, RESULT_TAIL, TOOL};

/// The largest reply that is kept ready.
const LARGEST: usize = 2 << 20;
/// The longest list that is kept ready.
const MOST_TOOLS: usize = 10_000;

/// An answer to one message.
pub(crate) enum Answer {
    /// It was a notification.
    Nothing,
    /// One JSON message in pieces, none of them copied.
    Message {
        /// Joined, the message.
        pieces: [Bytes; 3],
        /// Whether it was asked for as an event stream.
        stream: bool,
        /// The session that a handshake began.
        session: Option<u64>,
    },
}

/// Makes the answers.
pub(crate) struct Answers {
    filler: Bytes,
    /// The longest list, tool after tool with commas between them.
    tools: Bytes,
    /// Where each tool of it ends.
    ends: Vec<usize>,
    handshakes: AtomicU64,
}

/// One message from the client, as far as it matters here.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: &'a str,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    arguments: Arguments<'a>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    message: &'a str,
    bytes: usize,
    stream: bool,
}

impl Answers {
    /// Fills what is kept ready.
    pub(crate) fn new() -> Self {
        let mut tools = String::new();
        let mut ends = Vec::with_capacity(MOST_TOOLS);
        for number in 0..MOST_TOOLS {
            let comma = if number == 0 { "" } else { "," };
            let _ = write!(
                tools,
                r#"{comma}{{"name":"tool_{number}","description":"Says it again.","inputSchema":{{"type":"object"}}}}"#
            );
            ends.push(tools.len());
        }
        Self {
            filler: Bytes::from(vec![b'x'; LARGEST]),
            tools: Bytes::from(tools),
            ends,
            handshakes: AtomicU64::new(0),
        }
    }

    /// Answers one message; `tools` is how many there are, 0 for the usual one. `None` for what is not understood.
    pub(crate) fn to(&self, body: &[u8], tools: usize) -> Option<Answer> {
        let message: Message<'_> = serde_json::from_slice(body).ok()?;
        let Some(id) = message.id else { return Some(Answer::Nothing) };
        let id = id.get();
        match message.method {
            "tools/call" => {
                let call: Call<'_> = serde_json::from_str(message.params?.get()).ok()?;
                self.echo(id, &call.arguments)
            }
            "initialize" => self.initialize(id, message.params?.get()),
            "tools/list" => Some(self.list(id, tools)),
            _ => Some(said([
                Bytes::from(format!("{ENVELOPE}{id},\"result\":{{}}}}")),
                Bytes::new(),
                Bytes::new(),
            ])),
        }
    }

    fn initialize(&self, id: &str, params: &str) -> Option<Answer> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Params<'a> {
            protocol_version: &'a str,
        }
        let revision = serde_json::from_str::<Params<'_>>(params).ok()?.protocol_version;
        let text = format!(
            r#"{ENVELOPE}{id},"result":{{"protocolVersion":"{revision}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"bench-backend","version":"0"}}}}}}"#
        );
        Some(Answer::Message {
            pieces: [Bytes::from(text), Bytes::new(), Bytes::new()],
            stream: false,
            session: Some(self.handshakes.fetch_add(1, Ordering::Relaxed)),
        })
    }

    fn list(&self, id: &str, tools: usize) -> Answer {
        let head = format!("{ENVELOPE}{id},\"result\":{{\"tools\":[");
        let list = match tools.checked_sub(1).and_then(|last| self.ends.get(last)) {
            Some(end) => self.tools.slice(..*end),
            None => Bytes::from(format!(
                r#"{{"name":"{TOOL}","description":"Says it again.","inputSchema":{{"type":"object"}}}}"#
            )),
        };
        said([Bytes::from(head), list, Bytes::from_static(b"]}}")])
    }

    fn echo(&self, id: &str, arguments: &Arguments<'_>) -> Option<Answer> {
        let fill = arguments.bytes.checked_sub(arguments.message.len())?;
        let head = format!("{ENVELOPE}{id}{RESULT_HEAD}{}", arguments.message);
        let filler = (fill <= LARGEST).then(|| self.filler.slice(..fill))?;
        let pieces = [Bytes::from(head), filler, Bytes::from_static(RESULT_TAIL.as_bytes())];
        Some(Answer::Message { pieces, stream: arguments.stream, session: None })
    }
}

fn said(pieces: [Bytes; 3]) -> Answer {
    Answer::Message { pieces, stream: false, session: None }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Answers};

    fn list(tools: usize) -> serde_json::Value {
        let ask = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let Some(Answer::Message { pieces, .. }) = Answers::new().to(ask, tools) else {
            panic!("no list")
        };
        serde_json::from_slice(&pieces.concat()).unwrap()
    }

    #[test]
    fn a_list_has_as_many_tools_as_were_asked_for() {
        for (asked, there) in [(0, 1), (1, 1), (20, 20), (10_000, 10_000)] {
            assert_eq!(list(asked)["result"]["tools"].as_array().unwrap().len(), there);
        }
        assert_eq!(list(20)["result"]["tools"][19]["name"], "tool_19");
    }
}
