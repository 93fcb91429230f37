//! Raw JSON text that keeps its spelling: scripts hand it over, the wire shows it byte for byte.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

/// One JSON value as text. Made from a [`Value`] (`json!`) or, where the spelling matters, from a string.
///
/// Nothing checks the text: a script may want to say something that is not JSON at all.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Bytes);

// === impl Json ===

impl Json {
    /// The text.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The text as a string; lossy where it is not UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// The parsed value; `null` where the text is not JSON.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.0).unwrap_or(Value::Null)
    }

    /// A string member of this object.
    pub(crate) fn member(&self, name: &str) -> Option<String> {
        self.value().get(name)?.as_str().map(str::to_owned)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self(value.to_string().into())
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        Self(value.to_string().into())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Bytes> for Json {
    fn from(text: Bytes) -> Self {
        Self(text)
    }
}

/// The parsed text. Where a part cannot be a [`Value`] (`1e400`, half a surrogate pair), only that part is `null`:
/// a script must be found whatever the message carries.
pub(crate) fn lenient(text: &[u8]) -> Value {
    if let Ok(value) = serde_json::from_slice(text) {
        return value;
    }
    let members = serde_json::from_slice::<BTreeMap<String, &RawValue>>(text).unwrap_or_default();
    if members.is_empty() {
        return Value::Null;
    }
    let lenient = |(key, raw): (String, &RawValue)| (key, lenient(raw.get().as_bytes()));
    Value::Object(members.into_iter().map(lenient).collect())
}
