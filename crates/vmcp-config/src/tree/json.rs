//! JSON into the tree: as editors write it, with comments and trailing commas.

use super::{Entry, MAX_DEPTH, MAX_NODES, Node, SyntaxError, Value};
use crate::report::{Place, Report};

/// Reads one JSON text. Duplicate keys go to `report`; the first one counts.
pub(crate) fn parse(text: &str, file: usize, report: &mut Report) -> Result<Node, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { rest: text, line: 1, column: 1, file, report, depth: 0, nodes: 0 };
    reader.blank()?;
    let root = reader.value()?;
    reader.blank()?;
    match reader.peek() {
        None => Ok(root),
        Some(c) => Err(reader.error(format!("unexpected `{c}` after the end of the value"))),
    }
}

struct Reader<'t, 'r> {
    rest: &'t str,
    line: usize,
    column: usize,
    file: usize,
    report: &'r mut Report,
    depth: usize,
    nodes: usize,
}

// === impl Reader ===

impl Reader<'_, '_> {
    fn value(&mut self) -> Result<Node, SyntaxError> {
        self.nodes += 1;
        if self.depth >= MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(self.error("nested too deeply, or too large".to_owned()));
        }
        let start = self.place();
        self.depth += 1;
        let value = match self.peek() {
            Some('{') => Value::Map(self.members()?),
            Some('[') => Value::Seq(self.items()?),
            Some('"') => Value::Scalar { text: self.string()?, plain: false },
            Some(c) if c.is_ascii_alphanumeric() || c == '-' => self.word()?,
            Some('\'') => {
                let mut error = self.error("a string in single quotes".to_owned());
                error.hint = Some("JSON strings stand in double quotes".to_owned());
                return Err(error);
            }
            Some(c) => return Err(self.error(format!("expected a value, found `{c}`"))),
            None => return Err(self.error("expected a value, found the end".to_owned())),
        };
        self.depth -= 1;
        Ok(Node { at: self.since(start), value })
    }

    fn members(&mut self) -> Result<Vec<Entry>, SyntaxError> {
        let mut entries = Vec::new();
        self.next();
        loop {
            self.blank()?;
            if self.take('}') {
                return Ok(entries);
            }
            if self.peek() != Some('"') {
                return Err(self.expected("a key in double quotes or `}`"));
            }
            let start = self.place();
            let key = self.string()?;
            let at = self.since(start);
            self.blank()?;
            if !self.take(':') {
                return Err(self.expected("`:`"));
            }
            self.blank()?;
            let node = self.value()?;
            super::insert(&mut entries, Entry { key, at, node }, self.report);
            self.separator('}')?;
        }
    }

    fn items(&mut self) -> Result<Vec<Node>, SyntaxError> {
        let mut items = Vec::new();
        self.next();
        loop {
            self.blank()?;
            if self.take(']') {
                return Ok(items);
            }
            items.push(self.value()?);
            self.separator(']')?;
        }
    }

    /// A comma, or the closing bracket, which stays.
    fn separator(&mut self, close: char) -> Result<(), SyntaxError> {
        self.blank()?;
        if self.take(',') || self.peek() == Some(close) {
            return Ok(());
        }
        Err(self.expected(&format!("`,` or `{close}`")))
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        let mut text = String::new();
        self.next();
        loop {
            match self.peek() {
                Some('"') => {
                    self.next();
                    return Ok(text);
                }
                Some('\\') => text.push(self.escape()?),
                Some('\n') | None => return Err(self.error("a string without its end".to_owned())),
                Some(c) => {
                    text.push(c);
                    self.next();
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let start = self.place();
        self.next();
        let c = match self.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('u') => {
                let mut units = vec![self.hex()?];
                if (0xD800..0xDC00).contains(&units[0]) && self.take('\\') && self.take('u') {
                    units.push(self.hex()?);
                }
                // A lone surrogate is no character.
                let decoded = char::decode_utf16(units).next();
                decoded.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => {
                let message = "unknown escape in a string".to_owned();
                let hint = Some("a backslash itself is written `\\\\`".to_owned());
                return Err(SyntaxError { at: self.since(start), message, hint });
            }
        };
        Ok(c)
    }

    fn hex(&mut self) -> Result<u16, SyntaxError> {
        let mut unit = 0;
        for _ in 0..4 {
            match self.peek().and_then(|c| c.to_digit(16)) {
                Some(digit) => unit = unit * 16 + digit,
                None => return Err(self.error("`\\u` needs four hex digits".to_owned())),
            }
            self.next();
        }
        Ok(unit as u16)
    }

    /// `true`, `false`, `null` or a number.
    fn word(&mut self) -> Result<Value, SyntaxError> {
        let start = self.place();
        let mut text = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || "+-._".contains(*c))
        {
            text.push(c);
            self.next();
        }
        if serde_json::from_str::<serde_json::Value>(&text).is_err() {
            let message = format!("`{text}` is not a JSON value");
            let hint = Some("strings stand in double quotes".to_owned());
            return Err(SyntaxError { at: self.since(start), message, hint });
        }
        Ok(Value::Scalar { text, plain: true })
    }

    /// White space and comments.
    fn blank(&mut self) -> Result<(), SyntaxError> {
        loop {
            if self.rest.starts_with("//") {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.next();
                }
            } else if self.rest.starts_with("/*") {
                let start = self.place();
                let Some(end) = self.rest[2..].find("*/") else {
                    let message = "a comment without its end".to_owned();
                    return Err(SyntaxError { at: start, message, hint: None });
                };
                let comment = self.rest[..end + 4].chars().count();
                (0..comment).for_each(|_| {
                    self.next();
                });
            } else if self.peek().is_some_and(char::is_whitespace) {
                self.next();
            } else {
                return Ok(());
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    fn place(&self) -> Place {
        Place { file: self.file, line: self.line, column: self.column, len: 1 }
    }

    /// From `start` to here, as far as that is one line.
    fn since(&self, start: Place) -> Place {
        let len = if self.line == start.line { self.column - start.column } else { 1 };
        Place { len: len.max(1), ..start }
    }

    fn expected(&self, what: &str) -> SyntaxError {
        match self.peek() {
            Some(c) => self.error(format!("expected {what}, found `{c}`")),
            None => self.error(format!("expected {what}, found the end")),
        }
    }

    fn error(&self, message: String) -> SyntaxError {
        SyntaxError { at: self.place(), message, hint: None }
    }
}
