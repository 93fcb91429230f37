//! Just enough of server-sent events to be a second opinion: one decoder, one encoder.

use bytes::Bytes;

/// One event as a reader sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event:` field.
    pub event: Option<String>,
    /// The `id:` field of this event.
    pub id: Option<String>,
    /// The `retry:` field in milliseconds.
    pub retry: Option<u64>,
    /// The data lines, joined by line feeds.
    pub data: String,
}

/// Collects bytes, gives events. Reads LF and CRLF line ends.
#[derive(Default)]
pub(crate) struct Decoder {
    buffer: Vec<u8>,
}

// === impl Decoder ===

impl Decoder {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend(bytes.iter().copied().filter(|byte| *byte != b'\r'));
    }

    /// The next complete event that is more than a comment.
    pub(crate) fn next(&mut self) -> Option<SseEvent> {
        loop {
            let end = self.buffer.windows(2).position(|pair| pair == b"\n\n")?;
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let event = parse(&String::from_utf8_lossy(&block));
            if event != SseEvent::default() {
                return Some(event);
            }
        }
    }
}

fn parse(block: &str) -> SseEvent {
    let mut event = SseEvent::default();
    let mut data = Vec::new();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event.event = Some(value.to_owned()),
            "id" => event.id = Some(value.to_owned()),
            "retry" => event.retry = value.parse().ok(),
            "data" => data.push(value),
            _ => {}
        }
    }
    event.data = data.join("\n");
    event
}

/// One event with one data line for each line of the data.
pub(crate) fn encode(event: Option<&str>, id: Option<&str>, data: &[u8]) -> Bytes {
    let mut frame = head(event, id);
    for line in data.split(|byte| *byte == b'\n') {
        frame.extend_from_slice(b"data: ");
        frame.extend_from_slice(line);
        frame.push(b'\n');
    }
    frame.push(b'\n');
    frame.into()
}

/// The lines before the data.
pub(crate) fn head(event: Option<&str>, id: Option<&str>) -> Vec<u8> {
    let mut head = Vec::new();
    for (field, value) in [("event", event), ("id", id)] {
        if let Some(value) = value {
            head.extend_from_slice(format!("{field}: {value}\n").as_bytes());
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_in_pieces() {
        let frame = encode(Some("message"), Some("1-2"), b"{\"a\":\n1}");
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for byte in b": hello\r\n\r\n".iter().chain(&frame[..]) {
            decoder.push(&[*byte]);
            events.extend(decoder.next());
        }
        let event = SseEvent {
            event: Some("message".into()),
            id: Some("1-2".into()),
            retry: None,
            data: "{\"a\":\n1}".into(),
        };
        assert_eq!(events, [event]);
    }
}
