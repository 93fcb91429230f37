//! Event streams by the letter of the standard. The fuzz target of event streams reads with it too.

use std::time::Duration;

use vmcp_wire::sse::Dispatch;

/// One event with its data put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) head: Dispatch,
    pub(crate) data: Vec<u8>,
}

/// The algorithm of the standard (HTML §9.2.6), line by line over the whole text.
pub(crate) fn by_the_book(text: &[u8]) -> Vec<Event> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut events = Vec::new();
    let (mut head, mut data) = (Dispatch::default(), Vec::new());
    for line in lines(text) {
        if line.is_empty() {
            let head = std::mem::take(&mut head);
            let mut data = std::mem::take(&mut data);
            data.pop();
            if head.has_data || head.id.is_some() || head.retry.is_some() {
                events.push(Event { head, data });
            }
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let text = String::from_utf8_lossy(value).into_owned();
        match name {
            b"event" => head.event = (!text.is_empty()).then_some(text),
            b"data" => {
                head.has_data = true;
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            b"id" if !value.contains(&0) => head.id = Some(text),
            b"retry" if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                head.retry = Some(Duration::from_millis(text.parse().unwrap_or(u64::MAX)));
            }
            _ => {}
        }
    }
    events
}

/// The complete lines of a text.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < text.len() {
        if matches!(text[at], b'\r' | b'\n') {
            lines.push(&text[start..at]);
            at += usize::from(text[at..].starts_with(b"\r\n"));
            start = at + 1;
        }
        at += 1;
    }
    lines
}
