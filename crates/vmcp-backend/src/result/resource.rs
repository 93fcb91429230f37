//! The result of `resources/read`, and resources that are embedded elsewhere.

use bytes::Bytes;
use vmcp_wire::Object;

use super::{Blob, elements, member, object, result, string};

result! {
    /// What a resource holds.
    ResourceResult
}

/// The contents of one resource, or of one part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceContents {
    raw: Bytes,
    /// Whose contents these are; empty if the backend does not say it.
    pub uri: String,
    /// The media type, if the backend says it.
    pub mime_type: Option<String>,
    /// The contents themselves.
    pub body: ResourceBody,
}

/// Text or bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourceBody {
    /// Text.
    Text(String),
    /// Bytes, as they are written in JSON.
    Blob(Blob),
    /// Neither: see [`ResourceContents::raw`].
    Other,
}

// === impl ResourceResult ===

impl ResourceResult {
    /// The contents, in order. Text and bytes are kept apart.
    pub fn contents(&self) -> Vec<ResourceContents> {
        elements(&self.raw, "contents").into_iter().map(ResourceContents::read).collect()
    }
}

// === impl ResourceContents ===

impl ResourceContents {
    pub(super) fn read(raw: Bytes) -> Self {
        let Ok(members) = Object::parse(&raw) else {
            let (uri, body) = (String::new(), ResourceBody::Other);
            return Self { uri, mime_type: None, body, raw };
        };
        let uri = string(&members, "uri").unwrap_or_default();
        let mime_type = string(&members, "mimeType");
        let body = match (string(&members, "text"), string(&members, "blob")) {
            (Some(text), None) => ResourceBody::Text(text),
            (None, Some(data)) => ResourceBody::Blob(Blob { data, mime_type: mime_type.clone() }),
            // Both, or neither: nobody can say what is meant.
            _ => ResourceBody::Other,
        };
        Self { uri, mime_type, body, raw }
    }

    /// The whole object.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The raw value of any member.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        member(&self.raw, key)
    }

    /// `_meta`, a raw JSON object.
    pub fn meta(&self) -> Option<Bytes> {
        object(&self.raw, "_meta")
    }
}
