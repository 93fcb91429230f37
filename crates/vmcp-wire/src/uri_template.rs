//! RFC 6570 URI templates, for deciding which server a URI belongs to.
//!
//! Matching is the reverse of expansion and has no single right answer; for routing it only has to
//! find the owner, who then judges for itself. So it is lenient in the direction of "yes": values
//! may contain anything that does not end them, encoded or not, and any variable may be absent.
//! [`UriTemplate::specificity`] decides between several that match.
//!
//! A template becomes a small automaton, all of whose states are followed at once: time is URI
//! length times template length at most, whatever the two look like.

use crate::WireError;

mod automaton;
mod expression;
use automaton::Automaton;
use expression::Expression;

/// A URI template of any level, ready to match.
#[derive(Debug, Clone)]
pub struct UriTemplate {
    text: String,
    automaton: Automaton,
    /// The literal text before the first expression.
    prefix: String,
    literal: usize,
}

impl UriTemplate {
    /// Longest template, in bytes.
    pub const MAX_TEMPLATE: usize = 2 << 10;

    /// Longest URI that can match, in bytes.
    pub const MAX_URI: usize = 8 << 10;

    /// Reads a template of level 1 to 4.
    ///
    /// # Errors
    /// When braces or an expression are malformed, or it is too long.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        if text.len() > Self::MAX_TEMPLATE {
            return Err(WireError::TooLarge { limit: Self::MAX_TEMPLATE as u64 });
        }
        let mut automaton = Automaton::default();
        let mut literal = 0;
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (inside, after) =
                after.split_once('}').ok_or(WireError::Invalid("a brace that is not closed"))?;
            literal += push_literal(&mut automaton, before)?;
            Expression::parse(inside)?.compile(&mut automaton);
            rest = after;
        }
        literal += push_literal(&mut automaton, rest)?;
        let prefix = text.split('{').next().unwrap_or_default().to_owned();
        Ok(Self { text: text.to_owned(), automaton, prefix, literal })
    }

    /// Whether some values of its variables would expand to `uri`.
    #[must_use]
    pub fn matches(&self, uri: &str) -> bool {
        uri.len() <= Self::MAX_URI
            && uri.starts_with(&self.prefix)
            && self.automaton.matches(uri.as_bytes())
    }

    /// How many bytes of it are literal: of two templates that match, the higher one fits better.
    #[must_use]
    pub fn specificity(&self) -> usize {
        self.literal
    }

    /// The template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn push_literal(automaton: &mut Automaton, text: &str) -> Result<usize, WireError> {
    if text.contains('}') {
        return Err(WireError::Invalid("a brace that was not opened"));
    }
    text.bytes().for_each(|byte| automaton.byte(byte));
    Ok(text.len())
}
