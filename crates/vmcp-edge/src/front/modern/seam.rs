//! Where the result of a response opens, for one that comes in pieces.
//!
//! The pieces are known to be one JSON-RPC message, so this needs no more of the grammar than strings and depth, and
//! only until the place is found: that is within the first few bytes, unless a backend writes its result last.

use bytes::Bytes;

const RESULT: &[u8] = b"result";

/// Puts members at the start of the result of a response that comes in pieces.
#[derive(Debug)]
pub(super) struct Seam {
    /// Members without a comma at either end; empty once they are in.
    members: Bytes,
    depth: usize,
    /// The string being read, as far as it can be the key looked for.
    text: Option<Vec<u8>>,
    escaped: bool,
    /// The next string at the outermost level is a key.
    key_next: bool,
    /// The last key of the outermost level is the one looked for.
    found: bool,
    /// The result is open; what comes next in it tells whether a comma is due.
    inside: bool,
}

// === impl Seam ===

impl Seam {
    /// For a response whose result has none of these.
    pub(super) fn new(members: Bytes) -> Self {
        Self {
            members,
            depth: 0,
            text: None,
            escaped: false,
            key_next: false,
            found: false,
            inside: false,
        }
    }

    /// The next piece, with the members if they belong in it.
    pub(super) fn pass(&mut self, piece: Bytes) -> Bytes {
        if self.members.is_empty() {
            return piece;
        }
        for (at, &byte) in piece.iter().enumerate() {
            if self.inside {
                if byte.is_ascii_whitespace() {
                    continue;
                }
                return self.put(&piece, at, byte == b'}');
            }
            self.read(byte);
        }
        piece
    }

    fn put(&mut self, piece: &[u8], at: usize, empty: bool) -> Bytes {
        let members = std::mem::take(&mut self.members);
        let (before, behind) = piece.split_at(at);
        let comma: &[u8] = if empty { b"" } else { b"," };
        [before, &members, comma, behind].concat().into()
    }

    fn read(&mut self, byte: u8) {
        if let Some(text) = &mut self.text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.found = self.key_next && text == RESULT;
                    self.key_next = false;
                    self.text = None;
                    return;
                }
                _ => {}
            }
            // One byte more than the key has is enough to tell that it is another.
            if text.len() <= RESULT.len() {
                text.push(byte);
            }
            return;
        }
        match byte {
            b'"' => self.text = Some(Vec::new()),
            b'{' | b'[' => {
                self.inside = self.depth == 1 && self.found && byte == b'{';
                self.depth += 1;
                self.key_next = self.depth == 1;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' => self.key_next = self.depth == 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Seam;

    /// Whatever way the text is cut, the same comes out.
    fn pass(text: &str) -> String {
        let whole = Seam::new(Bytes::from_static(b"\"m\":1")).pass(text.to_owned().into());
        for cut in 1..text.len() {
            let mut seam = Seam::new(Bytes::from_static(b"\"m\":1"));
            let mut out = seam.pass(text[..cut].to_owned().into()).to_vec();
            out.extend_from_slice(&seam.pass(text[cut..].to_owned().into()));
            assert_eq!(out, whole, "{cut}");
        }
        String::from_utf8(whole.to_vec()).unwrap()
    }

    #[test]
    fn members_stand_first_in_the_result() {
        for (text, expected) in [
            (
                r#"{"jsonrpc":"2.0","id":1,"result":{"a":{"result":{}}}}"#,
                r#"{"jsonrpc":"2.0","id":1,"result":{"m":1,"a":{"result":{}}}}"#,
            ),
            (r#"{"result" : { } ,"id":1}"#, r#"{"result" : { "m":1} ,"id":1}"#),
            (
                r#"{"x":{"result":{"b":1}},"result":{"c":2}}"#,
                r#"{"x":{"result":{"b":1}},"result":{"m":1,"c":2}}"#,
            ),
            (
                r#"{"id":"result","result":{"c":"}"}}"#,
                r#"{"id":"result","result":{"m":1,"c":"}"}}"#,
            ),
            (
                r#"{"x":["result",{"result":{}}],"result":{}}"#,
                r#"{"x":["result",{"result":{}}],"result":{"m":1}}"#,
            ),
            (r#"{"x":"a\"result\":{","result":{}}"#, r#"{"x":"a\"result\":{","result":{"m":1}}"#),
        ] {
            assert_eq!(pass(text), expected);
        }
    }

    #[test]
    fn what_has_no_result_stays_as_it_is() {
        for text in [r#"{"error":{"result":{}},"id":1}"#, r#"{"result":[{}]}"#, r#"{"results":{}}"#]
        {
            assert_eq!(pass(text), text);
        }
    }
}
