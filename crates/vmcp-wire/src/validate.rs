//! Whether bytes are JSON at all.

use crate::WireError;
use crate::scan::{Mark, Scanner};

/// Checks that `json` is exactly one JSON text, whitespace around it aside.
///
/// For raw JSON that others wrote and that is to be put into messages.
///
/// # Errors
/// When it is not, or nests deeper than `max_depth`.
pub fn validate(json: &[u8], max_depth: usize) -> Result<(), WireError> {
    let mut scanner = Scanner::new(max_depth);
    let mut at = 0;
    while scanner.next(json, &mut at)? != Mark::Starved {}
    scanner.finish()
}
