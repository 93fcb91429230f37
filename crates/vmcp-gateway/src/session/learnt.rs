//! What no list has: a resource is the backend's whose tool linked to it.

use std::collections::VecDeque;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use parking_lot::Mutex;
use vmcp_wire::{Message, Object};

/// The word without which a result links to nothing. Its searcher is made once.
static LINK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"resource_link\""));

/// The resources that one client's results linked to.
pub(crate) struct Learnt {
    /// How many are remembered; the oldest goes.
    most: usize,
    /// The longest URI that is remembered, in bytes.
    longest: usize,
    /// Protects the list; held for one scan.
    uris: Mutex<VecDeque<(Box<str>, usize)>>,
}

// === impl Learnt ===

impl Learnt {
    /// Remembers at most this many, of at most so many bytes each.
    pub(crate) fn new(most: usize, longest: usize) -> Self {
        Self { most, longest, uris: Mutex::default() }
    }

    /// Whose this is, as far as results told.
    pub(crate) fn owner(&self, uri: &str) -> Option<usize> {
        let uris = self.uris.lock();
        uris.iter().rev().find(|(known, _)| **known == *uri).map(|(_, backend)| *backend)
    }

    /// Reads a tool's or a prompt's result; the usual one, without a link, is searched for one word and not parsed.
    pub(crate) fn read(&self, backend: usize, response: &Message) {
        let Some(result) = response.result() else { return };
        if LINK.find(&result).is_none() {
            return;
        }
        let Ok(result) = Object::parse(&result) else { return };
        let items = |key: &str| result.get(key).and_then(|list| list.as_array());
        for uri in items("content").unwrap_or_default().into_iter().filter_map(link) {
            self.remember(uri, backend);
        }
        for message in items("messages").unwrap_or_default() {
            let block = Object::parse(message).ok().and_then(|message| message.get("content"));
            if let Some(uri) = block.and_then(|block| link(block.raw)) {
                self.remember(uri, backend);
            }
        }
    }

    /// Reads what a task came to: a tool's result, or a state that brings one along.
    pub(crate) fn read_task(&self, backend: usize, result: &[u8]) {
        if LINK.find(result).is_none() {
            return;
        }
        let Ok(object) = Object::parse(result) else { return };
        let inner = object.get("result").and_then(|inner| inner.as_object());
        let inner = inner.as_ref().unwrap_or(&object);
        let content = inner.get("content").and_then(|content| content.as_array());
        for uri in content.unwrap_or_default().into_iter().filter_map(link) {
            self.remember(uri, backend);
        }
    }

    fn remember(&self, uri: Box<str>, backend: usize) {
        if uri.len() > self.longest {
            return;
        }
        let mut uris = self.uris.lock();
        uris.retain(|(known, _)| *known != uri);
        if uris.len() >= self.most {
            uris.pop_front();
        }
        uris.push_back((uri, backend));
    }
}

/// The URI of a content block, if it is a link.
fn link(block: &[u8]) -> Option<Box<str>> {
    let block = Object::parse(block).ok()?;
    if block.get("type")?.as_str()? != "resource_link" {
        return None;
    }
    Some(block.get("uri")?.as_str()?.into())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use vmcp_wire::{Limits, Message, RawId, rpc};

    use super::Learnt;

    fn response(content: &str) -> Message {
        let result = format!("{{\"content\":[{content}]}}");
        let bytes: Bytes = rpc::success(&RawId::number(1), result.as_bytes());
        Message::parse(bytes, &Limits::default()).unwrap()
    }

    fn linked(uri: &str) -> Message {
        response(&format!("{{\"type\":\"resource_link\",\"uri\":\"{uri}\",\"name\":\"n\"}}"))
    }

    #[test]
    fn only_links_are_learnt() {
        let learnt = Learnt::new(256, 2048);
        learnt.read(1, &response(r#"{"type":"text","text":"\"resource_link\"","uri":"a://1"}"#));
        learnt.read(1, &linked("a://2"));
        assert_eq!(learnt.owner("a://1"), None);
        assert_eq!(learnt.owner("a://2"), Some(1));
        learnt.read(2, &linked("a://2"));
        assert_eq!(learnt.owner("a://2"), Some(2), "the newest counts");
    }

    #[test]
    fn links_in_the_messages_of_a_prompt_are_learnt() {
        let result = br#"{"messages":[{"role":"user","content":{"type":"text","text":"x"}},
            {"role":"user","content":{"type":"resource_link","uri":"a://1","name":"n"}}]}"#;
        let response = rpc::success(&RawId::number(1), result);
        let learnt = Learnt::new(256, 2048);
        learnt.read(1, &Message::parse(response, &Limits::default()).unwrap());
        assert_eq!(learnt.owner("a://1"), Some(1));
    }

    #[test]
    fn a_uri_that_is_too_long_is_not_learnt() {
        let learnt = Learnt::new(3, 6);
        for uri in ["a://56", "a://567"] {
            learnt.read(0, &linked(uri));
        }
        assert_eq!((learnt.owner("a://56"), learnt.owner("a://567")), (Some(0), None));
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let learnt = Learnt::new(3, 2048);
        for n in 0..=3 {
            learnt.read(0, &linked(&format!("a://{n}")));
        }
        assert_eq!(learnt.owner("a://0"), None);
        assert_eq!(learnt.owner("a://1"), Some(0));
    }
}
