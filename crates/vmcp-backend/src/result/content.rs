//! One item of content.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use vmcp_wire::Object;

use super::{ResourceContents, member, object, string};

/// One item of content: what it is, and the raw object with everything that the backend said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    raw: Bytes,
    /// What it is.
    pub kind: ContentKind,
}

/// What an item of content is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentKind {
    /// Text.
    Text(String),
    /// A picture.
    Image(Blob),
    /// A sound.
    Audio(Blob),
    /// A resource that came along.
    Resource(ResourceContents),
    /// A resource that can be read.
    ResourceLink(ResourceLink),
    /// Of a type that is not known here, or without what its type needs; the word that stands for its type, empty if
    /// there is none. Nothing is lost: see [`Content::raw`].
    Other(String),
}

/// Bytes, as JSON writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Base64, as the backend wrote it.
    pub data: String,
    /// The media type, if the backend says it.
    pub mime_type: Option<String>,
}

/// A resource that can be read. Title, size and all else: [`Content::get`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceLink {
    /// Where it is.
    pub uri: String,
    /// Its name; empty if the backend does not say it.
    pub name: String,
    /// What it is, in words.
    pub description: Option<String>,
    /// The media type.
    pub mime_type: Option<String>,
}

// === impl Content ===

impl Content {
    /// Reads a raw item; what it is if it is no content is told by its kind.
    pub fn read(raw: impl Into<Bytes>) -> Self {
        let raw = raw.into();
        let kind = match Object::parse(&raw) {
            Ok(members) => {
                let name = string(&members, "type").unwrap_or_default();
                kind(&raw, &members, &name).unwrap_or(ContentKind::Other(name))
            }
            Err(_) => ContentKind::Other(String::new()),
        };
        Self { raw, kind }
    }

    /// The whole item.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The raw value of any member.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        member(&self.raw, key)
    }

    /// `annotations`: for whom it is, how important, how old; a raw JSON object.
    pub fn annotations(&self) -> Option<Bytes> {
        object(&self.raw, "annotations")
    }

    /// `_meta`, a raw JSON object.
    pub fn meta(&self) -> Option<Bytes> {
        object(&self.raw, "_meta")
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            ContentKind::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn kind(raw: &Bytes, members: &Object<'_>, name: &str) -> Option<ContentKind> {
    let blob = || {
        let data = string(members, "data")?;
        Some(Blob { data, mime_type: string(members, "mimeType") })
    };
    Some(match name {
        "text" => ContentKind::Text(string(members, "text")?),
        "image" => ContentKind::Image(blob()?),
        "audio" => ContentKind::Audio(blob()?),
        "resource" => ContentKind::Resource(ResourceContents::read(object(raw, "resource")?)),
        "resource_link" => ContentKind::ResourceLink(ResourceLink {
            uri: string(members, "uri")?,
            name: string(members, "name").unwrap_or_default(),
            description: string(members, "description"),
            mime_type: string(members, "mimeType"),
        }),
        _ => return None,
    })
}

// === impl Blob ===

impl Blob {
    /// The bytes; `None` if the text is no base64 (RFC 4648, §4).
    pub fn decode(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.data).ok()
    }
}
