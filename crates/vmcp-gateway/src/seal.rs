//! Sealing: what is given to a client to be given back unread and unchanged (AES-256-GCM).
//!
//! A sealed text opens only for what it is bound to. Several keys may open, so that a key can be replaced while texts
//! sealed under the last one are still about; one of them seals.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// The layout of a sealed text; another layout never opens.
const VERSION: u8 = 1;
const ID: usize = 4;
const HEAD: usize = 1 + ID + NONCE_LEN;
/// What tells keys apart without telling anything of them.
const ID_DOMAIN: &[u8] = b"vmcp seal key id";

/// The keys: the first seals, every one opens.
pub struct Seals {
    keys: Vec<Key>,
}

struct Key {
    id: [u8; ID],
    key: RandomizedNonceKey,
}

// === impl Seals ===

impl Seals {
    /// Under these keys, the first of which seals; without any, under one that lives as long as this process.
    #[must_use]
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k [u8; 32]>) -> Self {
        let mut keys: Vec<Key> = keys.into_iter().filter_map(Key::new).collect();
        if keys.is_empty() {
            let mut random = Zeroizing::new([0; 32]);
            // Without randomness nothing is sealed, and so nothing is opened.
            if getrandom::fill(&mut *random).is_ok() {
                keys.extend(Key::new(&random));
            }
        }
        Self { keys }
    }

    /// Seals `text` for `bound`: text in URL-safe Base64, another one each time. `None` if there is no randomness to do it with.
    #[must_use]
    pub fn seal(&self, text: &[u8], bound: &[u8]) -> Option<String> {
        let key = self.keys.first()?;
        let mut sealed = text.to_vec();
        let nonce = key.key.seal_in_place_append_tag(Aad::from(bound), &mut sealed).ok()?;
        let head = [&[VERSION][..], &key.id, nonce.as_ref(), &sealed].concat();
        Some(URL_SAFE_NO_PAD.encode(head))
    }

    /// Opens what was sealed for `bound`; `None` for anything else, whatever is wrong with it.
    #[must_use]
    pub fn open(&self, sealed: &str, bound: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (head, text) = bytes.split_at_mut_checked(HEAD)?;
        let (version, rest) = head.split_first()?;
        let (id, nonce) = rest.split_at_checked(ID)?;
        if *version != VERSION {
            return None;
        }
        let key = self.keys.iter().find(|key| key.id == id)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = key.key.open_in_place(nonce, Aad::from(bound), text).ok()?;
        Some(text.to_vec())
    }
}

/// What is sealed of a backend, good until a moment: which backend, and its own words. `None` if its name is too long.
#[must_use]
pub fn lasting(lifetime: Duration, backend: &str, own: &[u8]) -> Option<Vec<u8>> {
    let until = now().saturating_add(lifetime.as_secs());
    let length = u16::try_from(backend.len()).ok()?;
    let head = [&until.to_be_bytes()[..], &length.to_be_bytes()].concat();
    Some([&head, backend.as_bytes(), own].concat())
}

/// Reads what [`lasting`] made; `None` if its time is over.
#[must_use]
pub fn still_lasting(text: &[u8]) -> Option<(&str, &[u8])> {
    let (until, rest) = text.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (backend, own) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let fresh = now() < u64::from_be_bytes(*until);
    fresh.then_some((std::str::from_utf8(backend).ok()?, own))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

// === impl Key ===

impl Key {
    fn new(bytes: &[u8; 32]) -> Option<Self> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes).ok()?;
        let mut text = Zeroizing::new(ID_DOMAIN.to_vec());
        text.extend_from_slice(bytes);
        let whole = digest(&SHA256, &text);
        Some(Self { id: *whole.as_ref().first_chunk()?, key })
    }
}

#[cfg(test)]
mod tests {
    use super::Seals;

    fn seals(keys: &[u8]) -> Seals {
        let keys: Vec<[u8; 32]> = keys.iter().map(|byte| [*byte; 32]).collect();
        Seals::new(&keys)
    }

    #[test]
    fn opens_for_what_it_was_sealed_for_only() {
        let seals = seals(&[]);
        let sealed = seals.seal(b"text", b"alice").unwrap();
        assert_eq!(seals.open(&sealed, b"alice").unwrap(), b"text");
        assert!(seals.open(&sealed, b"bob").is_none());
        assert_ne!(sealed, seals.seal(b"text", b"alice").unwrap(), "no two are the same");
    }

    #[test]
    fn any_change_spoils_it() {
        let seals = seals(&[]);
        let sealed = seals.seal(b"text", b"").unwrap();
        for at in 0..sealed.len() {
            let mut other = sealed.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert!(seals.open(std::str::from_utf8(&other).unwrap(), b"").is_none(), "{at}");
            assert!(seals.open(&sealed[..at], b"").is_none(), "{at}");
        }
        for other in ["", "=", "\u{0}", "zz", &format!("{sealed}AAAA")] {
            assert!(seals.open(other, b"").is_none(), "{other}");
        }
    }

    #[test]
    fn a_key_that_was_replaced_still_opens_until_it_is_taken_out() {
        let sealed = seals(b"a").seal(b"text", b"").unwrap();
        assert_eq!(seals(b"ba").open(&sealed, b"").unwrap(), b"text");
        assert!(seals(b"b").open(&sealed, b"").is_none());
        let rotated = seals(b"ba").seal(b"text", b"").unwrap();
        assert_eq!(seals(b"b").open(&rotated, b"").unwrap(), b"text");
    }
}
