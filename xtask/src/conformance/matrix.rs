//! The cells of the matrix: what the suite speaks on one side, what the backend speaks on the other.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

/// The revisions whose requirements are run, each at its own wire.
pub(super) const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// What a backend is pinned to: the revisions with a handshake, the stateless one, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Legacy,
    Modern,
    Both,
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// One of [`REVISIONS`].
    pub revision: &'static str,
    pub peer: Peer,
}

/// One cell, or all of a revision, as they are chosen on the command line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    revision: &'static str,
    peer: Option<Peer>,
}

// === impl Peer ===

impl Peer {
    const ALL: [Self; 3] = [Self::Legacy, Self::Modern, Self::Both];

    /// The value of the backend's `--era`.
    pub(super) fn era(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
            Self::Both => "both",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|peer| peer.era() == text);
        found.with_context(|| format!("`{text}` is neither legacy nor modern nor both"))
    }
}

// === impl Cell ===

impl Cell {
    /// Every cell, the client's revision by row.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let row = |revision| Peer::ALL.into_iter().map(move |peer| Self { revision, peer });
        REVISIONS.into_iter().flat_map(row)
    }

    pub(super) fn parse(revision: &str, peer: &str) -> Result<Self> {
        Ok(Self { revision: known(revision)?, peer: Peer::parse(peer)? })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.revision, self.peer.era())
    }
}

// === impl Choice ===

impl Choice {
    /// Whether the cell is chosen.
    pub(super) fn takes(self, cell: Cell) -> bool {
        self.revision == cell.revision && self.peer.is_none_or(|peer| peer == cell.peer)
    }
}

impl FromStr for Choice {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (revision, peer) = match text.split_once(':') {
            Some((revision, peer)) => (revision, Some(Peer::parse(peer)?)),
            None => (text, None),
        };
        Ok(Self { revision: known(revision)?, peer })
    }
}

fn known(revision: &str) -> Result<&'static str> {
    match REVISIONS.into_iter().find(|known| *known == revision) {
        Some(revision) => Ok(revision),
        None => bail!("`{revision}` is none of {}", REVISIONS.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Choice};

    #[test]
    fn cells_are_chosen_singly_and_by_revision() -> anyhow::Result<()> {
        let chosen = |text: &str| -> anyhow::Result<Vec<String>> {
            let choice: Choice = text.parse()?;
            Ok(Cell::all()
                .filter(|cell| choice.takes(*cell))
                .map(|cell| cell.to_string())
                .collect())
        };
        assert_eq!(Cell::all().count(), 6);
        assert_eq!(chosen("2026-07-28:legacy")?, ["2026-07-28-legacy"]);
        assert_eq!(chosen("2025-11-25")?.len(), 3);
        for wrong in ["", "2024-11-05", "2026-07-28:", "2026-07-28:none", "modern"] {
            assert!(chosen(wrong).is_err(), "{wrong}");
        }
        Ok(())
    }
}
