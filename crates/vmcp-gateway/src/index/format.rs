//! The bytes of one file.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `vmcpidx` and a zero |
//! | 4 | the version of what follows |
//! | 32 | SHA-256 of the version and of all that follows |
//! | 16 | the salt of the key |
//! | 32 | the key: for which backend it is |
//! | … | what the backend offers |
//!
//! Numbers are little-endian; texts and bytes have their length before them. Items are not read as JSON again: they are
//! what was read once, and the hash says that they still are.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use vmcp_backend::ServerHello;
use vmcp_wire::revision::Revision;

use super::key::{Key, Salt};
use crate::catalogue::{Inventory, Item, Offers};
use crate::status::Counts;

const MAGIC: &[u8; 8] = b"vmcpidx\0";
/// To be raised with every change of what is written, or of what a backend's answers are taken for.
pub(super) const VERSION: u32 = 1;
/// Where what the hash is of begins, besides the version.
const HASHED: usize = MAGIC.len() + 4 + 32;
/// What an item takes at least.
const LEAST_ITEM: usize = 8;

/// Why a file is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is no file of ours.
    Foreign,
    /// It was written by a vmcp that writes something else.
    Version(u32),
    /// It is not what was written.
    Damaged,
    /// It is for a backend that was reached otherwise.
    OfAnother,
}

/// What this inventory is written as.
pub(super) fn encode(inventory: &Inventory, salt: &Salt, key: &Key) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(4096);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 32]);
    out.extend_from_slice(salt);
    out.extend_from_slice(key);
    write(inventory, &mut out)?;
    let hash = hash(VERSION, out.get(HASHED..)?);
    out.get_mut(HASHED - hash.len()..HASHED)?.copy_from_slice(&hash);
    Some(out)
}

/// Reads what [`encode`] wrote; `key` says for which one it has to be.
pub(super) fn decode(
    bytes: Vec<u8>,
    key: impl FnOnce(&Salt) -> Option<Key>,
) -> Result<Inventory, Unfit> {
    let mut rest = Rest(Bytes::from(bytes));
    let magic = rest.array::<8>().ok_or(Unfit::Foreign)?;
    if magic != *MAGIC {
        return Err(Unfit::Foreign);
    }
    let version = rest.number().ok_or(Unfit::Damaged)?;
    if version != VERSION {
        return Err(Unfit::Version(version));
    }
    let written = rest.array::<32>().ok_or(Unfit::Damaged)?;
    if hash(version, &rest.0) != written {
        return Err(Unfit::Damaged);
    }
    let salt = rest.array::<16>().ok_or(Unfit::Damaged)?;
    let of = rest.array::<32>().ok_or(Unfit::Damaged)?;
    if key(&salt) != Some(of) {
        return Err(Unfit::OfAnother);
    }
    let inventory = rest.inventory(true).ok_or(Unfit::Damaged)?;
    if rest.0.is_empty() { Ok(inventory) } else { Err(Unfit::Damaged) }
}

fn hash(version: u32, rest: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(version.to_le_bytes()).chain_update(rest).finalize().into()
}

fn write(inventory: &Inventory, out: &mut Vec<u8>) -> Option<()> {
    // All fields are named: whoever adds one decides whether it has to be written.
    let Inventory {
        hello,
        offers: _,
        tools,
        prompts,
        resources,
        templates,
        nameless,
        streamed,
        apart,
    } = inventory;
    // How long it was fresh has been over since the restart.
    let ServerHello {
        revision,
        capabilities,
        server_info,
        instructions,
        session_id: _,
        freshness: _,
    } = &**hello;
    put(out, revision.as_str().as_bytes())?;
    put(out, capabilities)?;
    put(out, server_info)?;
    out.push(u8::from(instructions.is_some()));
    put(out, instructions.as_deref().unwrap_or_default().as_bytes())?;
    out.push(u8::from(*streamed));
    for count in [nameless.tools, nameless.resources, nameless.templates, nameless.prompts] {
        put_number(out, count)?;
    }
    for items in [tools, prompts, resources, templates] {
        put_number(out, items.len())?;
        for item in items {
            put(out, item.key.as_bytes())?;
            put(out, &item.raw)?;
        }
    }
    out.push(u8::from(apart.is_some()));
    match apart {
        Some(apart) => write(apart, out),
        None => Some(()),
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    put_number(out, bytes.len())?;
    out.extend_from_slice(bytes);
    Some(())
}

fn put_number(out: &mut Vec<u8>, number: usize) -> Option<()> {
    out.extend_from_slice(&u32::try_from(number).ok()?.to_le_bytes());
    Some(())
}

/// What is not read yet. What is read of it shares its memory: it is all of one inventory, and lives as long.
struct Rest(Bytes);

// === impl Rest ===

impl Rest {
    fn take(&mut self, length: usize) -> Option<Bytes> {
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.as_ref().try_into().ok()
    }

    fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn bytes(&mut self) -> Option<Bytes> {
        let length = self.count()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<Box<str>> {
        let bytes = self.bytes()?;
        std::str::from_utf8(&bytes).ok().map(Into::into)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn items(&mut self) -> Option<Vec<Item>> {
        let count = self.count()?;
        let mut items = Vec::with_capacity(count.min(self.0.len() / LEAST_ITEM));
        for _ in 0..count {
            items.push(Item { key: self.text()?, raw: self.bytes()? });
        }
        Some(items)
    }

    /// `whole`: another one may follow, which is what the backend offers to other clients.
    fn inventory(&mut self, whole: bool) -> Option<Inventory> {
        let revision = Revision::parse(&self.text()?)?;
        let (capabilities, server_info) = (self.bytes()?, self.bytes()?);
        let has_instructions = self.flag()?;
        let instructions: Option<Arc<str>> =
            Some(self.text()?).filter(|_| has_instructions).map(Into::into);
        let hello = ServerHello {
            revision,
            capabilities,
            server_info,
            instructions,
            session_id: None,
            freshness: None,
        };
        let streamed = self.flag()?;
        let nameless = Counts {
            tools: self.count()?,
            resources: self.count()?,
            templates: self.count()?,
            prompts: self.count()?,
        };
        let (tools, prompts) = (self.items()?, self.items()?);
        let (resources, templates) = (self.items()?, self.items()?);
        let apart = match self.flag()? {
            true if whole => Some(Arc::new(self.inventory(false)?)),
            true => return None,
            false => None,
        };
        let offers = Arc::new(Offers::read(&hello));
        let hello = Arc::new(hello);
        Some(Inventory {
            hello,
            offers,
            tools,
            prompts,
            resources,
            templates,
            nameless,
            streamed,
            apart,
        })
    }
}

// === impl Unfit ===

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Foreign => f.write_str("it was not written by vmcp"),
            Self::Version(version) => {
                write!(f, "it was written by another version of vmcp, format {version}")
            }
            Self::Damaged => f.write_str("it is damaged"),
            Self::OfAnother => f.write_str("it is of another configuration"),
        }
    }
}
