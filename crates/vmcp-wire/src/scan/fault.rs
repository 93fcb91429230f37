//! What the scanner can find wrong, in one byte: results of the inner loop stay in a register.

/// A reason not to go on. Where is told by the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Depth,
    Value,
    Key,
    Colon,
    Comma,
    End,
    Number,
    Literal,
    Escape,
    Control,
    Utf8,
}

impl Fault {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Depth => "nested too deep",
            Self::Value => "expected a value",
            Self::Key => "expected a key",
            Self::Colon => "expected a colon",
            Self::Comma => "expected a comma or the end",
            Self::End => "text after the end",
            Self::Number => "malformed number",
            Self::Literal => "expected true, false or null",
            Self::Escape => "malformed escape",
            Self::Control => "control character in a string",
            Self::Utf8 => "not UTF-8",
        }
    }
}
