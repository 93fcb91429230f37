//! Blocks of content that a revision does not have, as blocks that it has.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use memchr::memmem;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Edits, Member, Object, quote};

/// Members of a link that its text says, or that mean nothing without it.
const OF_A_LINK: [&str; 8] =
    ["uri", "name", "title", "description", "mimeType", "size", "icons", "text"];

/// Whether there may be such a block in `raw`. An escape may hide one.
pub(super) fn may_concern(revision: Revision, raw: &[u8]) -> bool {
    let has = |word: &[u8]| memmem::find(raw, word).is_some();
    !revision.audio() && has(b"\"audio\"")
        || !revision.resource_links() && has(b"\"resource_link\"")
        || !revision.resource_links() && has(b"\\u")
}

/// Changes one block, if it has to be. A block that is not what its type says stays as it is.
pub(super) fn convert(revision: Revision, block: &Member<'_>, edits: &mut Edits) {
    let Some(members) = block.as_object() else { return };
    let Some(kind) = members.get("type") else { return };
    match kind.as_str().as_deref() {
        Some("audio") if !revision.audio() => {
            if let Some(resource) = resource(&members) {
                edits.replace(kind.span, "\"resource\"");
                let remove = ["data", "mimeType", "resource"];
                edits.rewrite(&members, &remove, &[("resource", &resource)]);
            }
        }
        Some("resource_link") if !revision.resource_links() => {
            if let Some(text) = text(&members) {
                edits.replace(kind.span, "\"text\"");
                edits.rewrite(&members, &OF_A_LINK, &[("text", &quote(&text))]);
            }
        }
        _ => {}
    }
}

/// A block of text.
pub(super) fn text_block(text: &str) -> Vec<u8> {
    [b"{\"type\":\"text\",\"text\":", &quote(text)[..], b"}"].concat()
}

/// The data of an audio block as an embedded resource. It has no address of its own, so it gets one by what it is.
fn resource(audio: &Object<'_>) -> Option<Vec<u8>> {
    let data = audio.get("data")?;
    let hash = digest(&SHA256, data.as_str()?.as_bytes());
    let mut out = b"{\"uri\":\"vmcp://inline/".to_vec();
    for byte in hash.as_ref() {
        out.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
    out.push(b'"');
    if let Some(kind) = audio.get("mimeType") {
        out.extend_from_slice(b",\"mimeType\":");
        out.extend_from_slice(kind.raw);
    }
    out.extend_from_slice(b",\"blob\":");
    out.extend_from_slice(data.raw);
    out.push(b'}');
    Some(out)
}

/// What a link says, for whoever reads it: `name: uri (mimeType)`, then its title and its description.
fn text(link: &Object<'_>) -> Option<String> {
    let part = |key: &str| link.get(key).and_then(|member| member.as_str());
    let uri = part("uri")?;
    let mut text = match part("name").filter(|name| !name.is_empty()) {
        Some(name) => format!("{name}: {uri}"),
        None => uri.into_owned(),
    };
    if let Some(kind) = part("mimeType") {
        text.push_str(&format!(" ({kind})"));
    }
    for line in ["title", "description"].into_iter().filter_map(part) {
        text.push('\n');
        text.push_str(&line);
    }
    Some(text)
}

/// A message with `edits` made. It may be longer than the bounds of a message that comes in, and deeper by what was put
/// around a block.
pub(super) fn edited(
    message: &vmcp_wire::Message,
    edits: &Edits,
    limits: &vmcp_wire::Limits,
) -> Option<vmcp_wire::Message> {
    let limits =
        vmcp_wire::Limits { max_bytes: usize::MAX, max_depth: limits.max_depth + 4, ..*limits };
    let bytes: Bytes = edits.apply(message.bytes());
    vmcp_wire::Message::parse(bytes, &limits).ok()
}
