//! A Rust file with its comments, literals and tests told apart.
//!
//! This is a lexer, not a parser: it knows just enough of the language to never mistake a brace in a
//! string for a block, or a word in a comment for code. Blanked text keeps its length and its lines, so
//! that an offset means the same place in all three texts.

use std::ops::Range;

/// One Rust file.
pub(super) struct Source {
    /// The path from the root.
    pub path: String,
    /// The text as it stands.
    pub text: String,
    /// The text without comments: code and literals.
    pub words: String,
    /// The text without comments and without the insides of literals.
    pub code: String,
    /// The byte ranges of items under `#[cfg(test)]`.
    tests: Vec<Range<usize>>,
}

impl Source {
    /// Reads a file.
    pub(super) fn read(path: &str, text: &str) -> Self {
        let (words, code) = blank(text);
        let tests = test_items(&code);
        Self { path: path.to_owned(), text: text.to_owned(), words, code, tests }
    }

    /// Whether the whole file is tests: in `tests/`, or the `tests.rs` of a module.
    pub(super) fn is_test_file(&self) -> bool {
        self.has_part("tests") || self.path.ends_with("/tests.rs")
    }

    /// Whether the file is part of a library or program: no test, bench, example or fuzz target.
    pub(super) fn is_production(&self) -> bool {
        let beside = ["benches", "examples", "fuzz"];
        !self.is_test_file() && !beside.iter().any(|part| self.has_part(part))
    }

    fn has_part(&self, part: &str) -> bool {
        self.path.split('/').any(|other| other == part)
    }

    /// Whether the byte at `offset` belongs to a test.
    pub(super) fn is_test(&self, offset: usize) -> bool {
        self.is_test_file() || self.tests.iter().any(|range| range.contains(&offset))
    }

    /// The number of the line of `offset`, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.text[..offset].bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    /// All lines but those of tests. Comments count: they are read too.
    pub(super) fn production_lines(&self) -> usize {
        if !self.is_production() {
            return 0;
        }
        let all = self.text.lines().count();
        let tests: usize = self
            .tests
            .iter()
            .map(|range| self.line(range.end - 1) + 1 - self.line(range.start))
            .sum();
        all.saturating_sub(tests)
    }

    /// The crate folder under `crates/`, if the file is in one.
    pub(super) fn crate_name(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// Whether the file is part of what is shipped: not the testkit, not the workshop, not a test.
    pub(super) fn is_shipped(&self) -> bool {
        self.crate_name().is_some_and(|name| name != "vmcp-testkit") && self.is_production()
    }

    /// Every place outside tests where `code` has `needle`.
    pub(super) fn production_places<'a>(
        &'a self,
        needle: &'a str,
    ) -> impl Iterator<Item = usize> + 'a {
        self.code
            .match_indices(needle)
            .map(|(offset, _)| offset)
            .filter(|offset| !self.is_test(*offset))
    }
}

/// The offset just after the bracket that closes the one at `open`, or the end of the text.
pub(super) fn matching(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return offset + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// The end of the item that starts at `from`: after its block, or after its semicolon.
pub(super) fn item_end(code: &str, from: usize) -> usize {
    let bytes = code.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'{' => return matching(code, at),
            b';' => return at + 1,
            b'(' | b'[' => at = matching(code, at),
            _ => at += 1,
        }
    }
    bytes.len()
}

fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("#[cfg(") {
        let attribute_end = matching(code, start + 1);
        let condition = &code[start..attribute_end];
        let tests =
            condition.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "test")
                && !condition.contains("not(test");
        let inside = items.last().is_some_and(|last| last.end > start);
        if tests && !inside {
            items.push(start..item_end(code, attribute_end));
        }
    }
    items
}

/// What the lexer stands in.
enum Literal {
    /// A comment: blank in both texts.
    Comment,
    /// A string or character literal: blank in the code only.
    Value,
}

fn blank(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let mut words = bytes.to_vec();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let Some((kind, end)) = literal(text, at) else {
            at += 1;
            continue;
        };
        for offset in at..end {
            if bytes[offset] != b'\n' {
                code[offset] = b' ';
                if matches!(kind, Literal::Comment) {
                    words[offset] = b' ';
                }
            }
        }
        at = end;
    }
    // Whole literals are blanked byte by byte, so no character is cut in two.
    (String::from_utf8_lossy(&words).into_owned(), String::from_utf8_lossy(&code).into_owned())
}

/// The literal or comment that starts exactly at `at`, with its end.
fn literal(text: &str, at: usize) -> Option<(Literal, usize)> {
    let rest = &text.as_bytes()[at..];
    match rest[0] {
        b'/' if rest.starts_with(b"//") => {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            Some((Literal::Comment, at + end))
        }
        b'/' if rest.starts_with(b"/*") => Some((Literal::Comment, at + block_comment(rest))),
        b'"' => Some((Literal::Value, at + quoted(rest, b'"'))),
        b'\'' => char_literal(text, at).map(|end| (Literal::Value, end)),
        b'r' if !follows_name(text, at) => {
            raw_string(rest).map(|length| (Literal::Value, at + length))
        }
        _ => None,
    }
}

/// Whether the letter at `at` is inside a longer name. `b` and `c` are prefixes of literals.
fn follows_name(text: &str, at: usize) -> bool {
    let before = text.as_bytes()[..at].iter().rev();
    let mut name = before.take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_');
    !matches!((name.next(), name.next()), (None, _) | (Some(b'b' | b'c'), None))
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = 2 + hashes;
    let end = rest[body..].windows(close.len()).position(|window| window == close);
    Some(end.map_or(rest.len(), |end| body + end + close.len()))
}

/// A character literal, told from a lifetime by its closing quote.
fn char_literal(text: &str, at: usize) -> Option<usize> {
    let mut chars = text[at + 1..].char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' {
        return Some(at + quoted(&text.as_bytes()[at..], b'\''));
    }
    let (offset, second) = chars.next()?;
    (second == '\'').then_some(at + 1 + offset + 1)
}
