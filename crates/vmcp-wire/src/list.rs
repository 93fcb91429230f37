//! Pages of lists, items left raw.

use bytes::Bytes;

use crate::object::elements;
use crate::{Object, WireError};

/// One page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The raw items, sharing memory with the result.
    pub items: Vec<Bytes>,
    /// Where the next page starts. The empty string is a cursor too.
    pub next_cursor: Option<String>,
}

/// Reads the array `key` and the cursor of a list result.
///
/// # Errors
/// When `result` is not an object, `key` is no array in it, or the cursor is no string.
pub fn items(result: &Bytes, key: &str) -> Result<Page, WireError> {
    let object = Object::parse(result)?;
    let array = object.get(key).ok_or(WireError::Invalid("a list result without its list"))?;
    let spans = elements(array.raw, usize::MAX, usize::MAX)?;
    let next_cursor = match object.get("nextCursor") {
        Some(cursor) if !cursor.is_null() => {
            let text = cursor.as_str().ok_or(WireError::Invalid("a cursor must be a string"))?;
            Some(text.into_owned())
        }
        _ => None,
    };
    let array = result.slice(array.span);
    Ok(Page { items: spans.into_iter().map(|span| array.slice(span)).collect(), next_cursor })
}

#[cfg(test)]
mod tests {
    use super::{Page, items};

    #[test]
    fn gives_raw_items_and_the_cursor() {
        let page = items(&r#"{"tools":[{"n":1.0}, 2 ],"nextCursor":""}"#.into(), "tools").unwrap();
        assert_eq!(page.items, [r#"{"n":1.0}"#, "2"]);
        assert_eq!(page.next_cursor.as_deref(), Some(""));
        let page = items(&r#"{"nextCursor":null,"tools":[]}"#.into(), "tools").unwrap();
        assert_eq!(page, Page::default());
    }

    #[test]
    fn refuses_other_shapes() {
        for result in [r#"{}"#, r#"{"tools":{}}"#, r#"[]"#, r#"{"tools":[],"nextCursor":1}"#] {
            assert!(items(&result.into(), "tools").is_err(), "{result}");
        }
    }
}
