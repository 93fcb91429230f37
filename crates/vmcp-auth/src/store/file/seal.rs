//! Sealing: AES-256-GCM under one key, each entry tied to what it is for.

use std::fmt::Write as _;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::format::Sealed;
use crate::digest::digest;
use crate::store::{CredentialKey, StoreError};

const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
/// What an entry's associated data begins with: an entry of another format never opens.
const DOMAIN: &[u8] = b"vmcp credentials 1";
/// What tells keys apart without telling anything of them.
const KEY_ID_DOMAIN: &[u8] = b"vmcp credentials key id";

/// A key, ready to seal and open.
pub(super) struct Sealer {
    key: RandomizedNonceKey,
    id: String,
}

// === impl Sealer ===

impl Sealer {
    pub(super) fn from_text(key: &SecretString) -> Result<Self, StoreError> {
        Self::from_bytes(key.expose_secret().as_bytes())
    }

    /// From base64 or hex of 32 bytes, white space around it ignored.
    pub(super) fn from_bytes(text: &[u8]) -> Result<Self, StoreError> {
        let bytes = decode(text.trim_ascii()).ok_or(StoreError::BadKey("is not 32 bytes"))?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &*bytes)
            .map_err(|_| StoreError::BadKey("cannot be used"))?;
        let mut identified = Zeroizing::new(Vec::with_capacity(KEY_ID_DOMAIN.len() + KEY_BYTES));
        identified.extend_from_slice(KEY_ID_DOMAIN);
        identified.extend_from_slice(&*bytes);
        Ok(Self { key, id: hex(&digest(&identified), 8) })
    }

    /// Tells the key from others.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn seal(
        &self,
        key: &CredentialKey,
        secret: &SecretString,
    ) -> Result<Sealed, StoreError> {
        let secret = secret.expose_secret().as_bytes();
        let mut bytes = Zeroizing::new(Vec::with_capacity(secret.len() + TAG_BYTES));
        bytes.extend_from_slice(secret);
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(associated(key)), &mut *bytes)
            .map_err(|_| StoreError::Other("sealing failed".to_owned()))?;
        Ok(Sealed { nonce: STANDARD.encode(nonce.as_ref()), text: STANDARD.encode(&*bytes) })
    }

    pub(super) fn open(
        &self,
        key: &CredentialKey,
        entry: &Sealed,
        path: &Path,
    ) -> Result<SecretString, StoreError> {
        let damaged = |reason: &str| StoreError::Damaged {
            path: path.to_owned(),
            reason: format!("the entry of backend \"{}\" {reason}", key.backend),
        };
        let nonce = STANDARD.decode(&entry.nonce).ok();
        let nonce = nonce.and_then(|nonce| Nonce::try_assume_unique_for_key(&nonce).ok());
        let nonce = nonce.ok_or_else(|| damaged("has no nonce"))?;
        let bytes = STANDARD.decode(&entry.text).map_err(|_| damaged("is not base64"))?;
        let mut bytes = Zeroizing::new(bytes);
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(associated(key)), &mut bytes)
            .map_err(|_| damaged("is not what was sealed for it"))?;
        let text = std::str::from_utf8(opened).map_err(|_| damaged("is not text"))?;
        Ok(SecretString::from(text))
    }
}

/// A fresh key as it stands in its file.
pub(super) fn generate() -> Result<Zeroizing<String>, StoreError> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    rand::fill(&mut *bytes).map_err(|_| StoreError::Other("no random bytes".to_owned()))?;
    let mut text = Zeroizing::new(String::with_capacity(64));
    STANDARD.encode_string(*bytes, &mut text);
    text.push('\n');
    Ok(text)
}

/// A name of any length as one that a file can have.
pub(super) fn file_name(name: &str) -> String {
    hex(&digest(name.as_bytes()), 16)
}

/// All that an entry is for, in a form that only one key has.
fn associated(key: &CredentialKey) -> Vec<u8> {
    let mut bytes = DOMAIN.to_vec();
    for part in [&key.backend, &key.server, &key.issuer, &key.client] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

fn decode(text: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if text.len() == 2 * KEY_BYTES {
        for (byte, pair) in key.iter_mut().zip(text.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        return Some(key);
    }
    let engines = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
    let bytes = engines.iter().find_map(|engine| engine.decode(text).ok()).map(Zeroizing::new)?;
    (bytes.len() == KEY_BYTES).then(|| key.copy_from_slice(&bytes))?;
    Some(key)
}

fn hex(bytes: &[u8], first: usize) -> String {
    bytes.iter().take(first).fold(String::with_capacity(2 * first), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
