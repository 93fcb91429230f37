//! One advertised list: items already written, a digest to tell it from another, pages.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use bytes::{BufMut, Bytes, BytesMut};

use super::cursor::Cursor;
use crate::naming::conflict::Capability;

/// One advertised list.
#[derive(Debug)]
pub(crate) struct Listing {
    kind: Capability,
    items: Vec<Bytes>,
    /// A hash of each item's key, to find one's place again in another listing.
    keys: Vec<u64>,
    digest: u64,
    /// The results that clients ask for who read from the beginning, each written when it is first asked for. All have
    /// the same size: a configuration has one.
    pages: OnceLock<Pages>,
}

#[derive(Debug)]
struct Pages {
    size: usize,
    written: Box<[OnceLock<Bytes>]>,
}

/// One item on its way into a listing.
pub(crate) struct Entry<'a> {
    /// The backend's place; a change of owner is a change of the list.
    pub backend: usize,
    /// The advertised name, URI or template.
    pub key: &'a str,
    /// The advertised descriptor.
    pub raw: Bytes,
}

// === impl Listing ===

impl Listing {
    /// A list of `entries` in this order.
    pub(crate) fn new<'a>(kind: Capability, entries: impl Iterator<Item = Entry<'a>>) -> Self {
        let (mut items, mut keys) = (Vec::new(), Vec::new());
        let mut digest = DefaultHasher::new();
        for Entry { backend, key, raw } in entries {
            backend.hash(&mut digest);
            raw.hash(&mut digest);
            let mut hash = DefaultHasher::new();
            key.hash(&mut hash);
            keys.push(hash.finish());
            items.push(raw);
        }
        Self { kind, items, keys, digest: digest.finish(), pages: OnceLock::new() }
    }

    /// What tells this list from another of its kind.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// What it is a list of.
    pub(super) fn kind(&self) -> Capability {
        self.kind
    }

    /// The descriptors.
    pub(super) fn items(&self) -> &[Bytes] {
        &self.items
    }

    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The result object of one page; `None` if this vmcp did not make the cursor.
    pub(crate) fn page(&self, cursor: Option<&str>, size: usize) -> Option<Bytes> {
        let size = size.max(1);
        let from = match cursor {
            None => 0,
            Some(text) => self.resume(&Cursor::parse(text)?)?,
        };
        let pages = self.pages.get_or_init(|| Pages::new(size, self.items.len()));
        // Somebody who goes on after the list changed may be between two of them.
        let written = pages.at(from, size);
        Some(written.map_or_else(
            || self.result(from, size),
            |page| page.get_or_init(|| self.result(from, size)).clone(),
        ))
    }

    fn result(&self, from: usize, size: usize) -> Bytes {
        let to = from.saturating_add(size).min(self.items.len());
        let items = &self.items[from..to];
        let key = key(self.kind);
        let length: usize = items.iter().map(|item| item.len() + 1).sum();
        let mut out = BytesMut::with_capacity(length + key.len() + 80);
        out.put_slice(b"{\"");
        out.put_slice(key.as_bytes());
        out.put_slice(b"\":[");
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.put_u8(b',');
            }
            out.put_slice(item);
        }
        out.put_u8(b']');
        if to < self.items.len() {
            out.put_slice(b",\"nextCursor\":\"");
            out.put_slice(self.cursor(to).to_string().as_bytes());
            out.put_u8(b'"');
        }
        out.put_u8(b'}');
        out.freeze()
    }

    /// The cursor behind the first `offset` items; there is at least one.
    fn cursor(&self, offset: usize) -> Cursor {
        Cursor {
            kind: self.kind,
            digest: self.digest,
            offset: offset as u32,
            total: self.items.len() as u32,
            last: self.keys[offset - 1],
        }
    }

    /// Where to go on after a cursor of this list or of an older one.
    fn resume(&self, cursor: &Cursor) -> Option<usize> {
        let (offset, total) = (cursor.offset as usize, cursor.total as usize);
        if cursor.kind != self.kind || offset == 0 || offset > total {
            return None;
        }
        if cursor.digest == self.digest {
            return (offset <= self.items.len()).then_some(offset);
        }
        // An older list: go on behind the item the client saw last. If that is gone, go back by as many as the
        // list lost: the client may see some items twice, but misses none.
        let lost = total.saturating_sub(self.items.len()).max(1);
        let fallback = offset.saturating_sub(lost).min(self.items.len());
        let last = self.keys.iter().position(|key| *key == cursor.last);
        Some(last.map_or(fallback, |at| at + 1))
    }
}

// === impl Pages ===

impl Pages {
    /// Of a list of so many items. An empty one has a page, too.
    fn new(size: usize, items: usize) -> Self {
        let count = items.div_ceil(size).max(1);
        Self { size, written: (0..count).map(|_| OnceLock::new()).collect() }
    }

    /// The page that begins with this item, if one does.
    fn at(&self, from: usize, size: usize) -> Option<&OnceLock<Bytes>> {
        let begins = size == self.size && from.is_multiple_of(size);
        self.written.get(from / size).filter(|_| begins)
    }
}

/// The member of the result that holds the items.
fn key(kind: Capability) -> &'static str {
    match kind {
        Capability::Tool => "tools",
        Capability::Prompt => "prompts",
        Capability::Resource => "resources",
        Capability::Template => "resourceTemplates",
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Entry, Listing};
    use crate::naming::conflict::Capability;

    fn listing(names: &[&str]) -> Listing {
        let entry = |name: &&'static str| Entry {
            backend: 0,
            key: name,
            raw: Bytes::from(format!("\"{name}\"")),
        };
        let names: Vec<&'static str> =
            names.iter().map(|name| &*Box::leak(name.to_string().into_boxed_str())).collect();
        Listing::new(Capability::Tool, names.iter().map(entry))
    }

    fn page(listing: &Listing, cursor: Option<&str>, size: usize) -> (Vec<String>, Option<String>) {
        let raw = listing.page(cursor, size).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&raw).unwrap();
        let items = serde_json::from_value(value["tools"].clone()).unwrap();
        (items, value["nextCursor"].as_str().map(Into::into))
    }

    #[test]
    fn an_empty_list_is_one_empty_page() {
        assert_eq!(listing(&[]).page(None, 10).unwrap(), &br#"{"tools":[]}"#[..]);
    }

    #[test]
    fn pages_cover_the_list_once() {
        let listing = listing(&["a", "b", "c", "d", "e"]);
        let (mut seen, mut next) = page(&listing, None, 2);
        let mut pages = 1;
        while let Some(cursor) = next {
            let (more, after) = page(&listing, Some(&cursor), 2);
            seen.extend(more);
            next = after;
            pages += 1;
        }
        assert_eq!((seen.join(""), pages), ("abcde".into(), 3));
    }

    #[test]
    fn a_page_is_written_once() {
        let listing = listing(&["a", "b", "c", "d", "e"]);
        let pages = || {
            let (mut pages, mut next) = (Vec::new(), None);
            loop {
                let raw = listing.page(next.as_deref(), 2).unwrap();
                next = page(&listing, next.as_deref(), 2).1;
                pages.push(raw);
                if next.is_none() {
                    return pages;
                }
            }
        };
        let (ones, others) = (pages(), pages());
        assert_eq!(ones.len(), 3);
        for (one, other) in ones.iter().zip(&others) {
            assert_eq!(one.as_ptr(), other.as_ptr());
        }
        // Another size is another way through the list, and still right.
        assert_eq!(page(&listing, None, 4).0, ["a", "b", "c", "d"]);
        let next = page(&listing, None, 3).1;
        assert_eq!(page(&listing, next.as_deref(), 2).0, ["d", "e"]);
    }

    #[test]
    fn a_cursor_of_an_older_list_goes_on_behind_its_last_item() {
        let next = page(&listing(&["a", "b", "c", "d"]), None, 2).1.unwrap();
        assert_eq!(page(&listing(&["x", "a", "b", "c", "d"]), Some(&next), 9).0, ["c", "d"]);
        assert_eq!(page(&listing(&["b", "c", "d"]), Some(&next), 9).0, ["c", "d"]);
        assert_eq!(page(&listing(&["a", "c", "d"]), Some(&next), 9).0, ["c", "d"]);
        assert_eq!(page(&listing(&["c", "d"]), Some(&next), 9).0, ["c", "d"]);
        assert!(page(&listing(&[]), Some(&next), 9).0.is_empty());
    }

    #[test]
    fn foreign_cursors_are_refused() {
        let tools = listing(&["a", "b", "c"]);
        let next = page(&tools, None, 2).1.unwrap();
        let prompts = Listing::new(Capability::Prompt, std::iter::empty());
        assert!(prompts.page(Some(&next), 2).is_none());
        for bad in ["", "x", "AAAA", "💥", &next[1..], &format!("{next}A")] {
            assert!(tools.page(Some(bad), 2).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_list_differs_by_items_order_and_owner() {
        let digest = |names: &[&str]| listing(names).digest();
        assert_eq!(digest(&["a", "b"]), digest(&["a", "b"]));
        assert_ne!(digest(&["a", "b"]), digest(&["b", "a"]));
        assert_ne!(digest(&["a", "b"]), digest(&["a"]));
        let other = Entry { backend: 1, key: "a", raw: Bytes::from_static(b"\"a\"") };
        assert_ne!(Listing::new(Capability::Tool, [other].into_iter()).digest(), digest(&["a"]));
    }
}
