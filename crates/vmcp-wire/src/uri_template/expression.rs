//! One `{...}` of a template.

use super::automaton::{Automaton, Set};
use crate::WireError;

/// What an expression can expand to: optionally `first`, then values with `between` them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expression {
    /// Stands before the first value.
    first: Option<u8>,
    /// Stands before each further value.
    between: u8,
    /// What ends a value.
    stops: Set,
    /// How many values there may be; None when a list is exploded.
    count: Option<usize>,
}

impl Expression {
    /// Reads what stands between the braces.
    pub(super) fn parse(inside: &str) -> Result<Self, WireError> {
        let operator = inside.bytes().next().unwrap_or_default();
        let (first, between, stops) = match operator {
            b'+' => (None, b',', Set::NOTHING),
            b'#' => (Some(b'#'), b',', Set::NOTHING),
            b'.' => (Some(b'.'), b'.', Set::SLASH),
            b'/' => (Some(b'/'), b'/', Set::SLASH),
            b';' => (Some(b';'), b';', Set::SLASH),
            b'?' => (Some(b'?'), b'&', Set::HASH),
            b'&' => (Some(b'&'), b'&', Set::HASH),
            _ => (None, b',', Set::SLASH),
        };
        let has_operator = first.is_some() || operator == b'+';
        let variables = &inside[usize::from(has_operator)..];
        let mut count = Some(0);
        for variable in variables.split(',') {
            let (name, explode) = name(variable)?;
            if name.is_empty() || !name.bytes().all(is_name_byte) {
                return Err(WireError::Invalid("a malformed variable in a template"));
            }
            count = if explode { None } else { count.map(|count| count + 1) };
        }
        Ok(Self { first, between, stops, count })
    }

    pub(super) fn compile(self, automaton: &mut Automaton) {
        let Some(first) = self.first else {
            // A comma is legal in a value, so all values are one run.
            return automaton.run(self.stops);
        };
        match self.count {
            // Where a separator ends a value, each further value is a step of its own ...
            Some(count) if self.stops.has(self.between) => {
                (0..count).for_each(|_| automaton.optional(first, self.stops));
            }
            None if self.stops.has(self.between) => automaton.repeated(first, self.stops),
            // ... elsewhere it is legal in a value, and all values are one run.
            _ => automaton.optional(first, self.stops),
        }
    }
}

/// Takes the modifier off.
fn name(variable: &str) -> Result<(&str, bool), WireError> {
    if let Some(name) = variable.strip_suffix('*') {
        return Ok((name, true));
    }
    match variable.split_once(':') {
        Some((name, length)) if length.parse::<u16>().is_ok_and(|n| (1..10_000).contains(&n)) => {
            Ok((name, false))
        }
        Some(_) => Err(WireError::Invalid("a malformed length in a template")),
        None => Ok((variable, false)),
    }
}

/// The standard's characters, and those that templates in the wild have besides.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'%' | b'-' | b'$')
}
