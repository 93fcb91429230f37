//! What naming takes and gives, and the rules every kind shares.

use std::borrow::Cow;
use std::collections::HashMap;

use vmcp_config::{BackendId, Override};

use super::label::label;
use crate::catalogue::Item;
use crate::naming::conflict::{Capability, Cause, Conflict};

/// The items of one kind that one backend offers.
pub(crate) struct Offer<'a> {
    /// The backend's place in the configuration.
    pub backend: usize,
    /// Its name.
    pub id: &'a BackendId,
    /// Its items, in its order.
    pub items: &'a [Item],
}

/// One item that wants a name.
pub(crate) struct Claim<'a> {
    /// The backend's place in the configuration.
    pub backend: usize,
    /// The backend's name.
    pub id: &'a BackendId,
    /// The item.
    pub item: &'a Item,
    /// The name it wants.
    pub name: String,
    /// What is said instead of the backend's words.
    pub with: Option<&'a Override>,
}

/// One item that has its name.
pub(crate) struct Named<'a> {
    /// The backend's place in the configuration.
    pub backend: usize,
    /// The item.
    pub item: &'a Item,
    /// The advertised name.
    pub name: String,
    /// What is said instead of the backend's words.
    pub with: Option<&'a Override>,
}

/// Collects conflicts, one per kind and name, in the order found.
#[derive(Default)]
pub(crate) struct Report {
    conflicts: Vec<Conflict>,
    by_name: HashMap<(Capability, String), usize>,
}

/// Spells the names; names that come to nothing are reported.
pub(super) fn spelled<'a>(
    kind: Capability,
    claims: Vec<Claim<'a>>,
    max: usize,
    report: &mut Report,
) -> Vec<Claim<'a>> {
    let mut kept = Vec::with_capacity(claims.len());
    for mut claim in claims {
        match label(&claim.name, max) {
            Some(Cow::Borrowed(_)) => kept.push(claim),
            Some(Cow::Owned(name)) => {
                claim.name = name;
                kept.push(claim);
            }
            None => report.malformed(kind, &claim.item.key, claim.id),
        }
    }
    kept
}

/// Gives every name to the first who wants it, and reports the others.
pub(crate) fn first_wins<'a>(
    kind: Capability,
    claims: Vec<Claim<'a>>,
    report: &mut Report,
) -> Vec<Named<'a>> {
    let mut taken: HashMap<String, &BackendId> = HashMap::with_capacity(claims.len());
    let mut named = Vec::with_capacity(claims.len());
    for claim in claims {
        if let Some(winner) = taken.get(&claim.name) {
            report.taken(kind, &claim.name, Some(winner), claim.id);
            continue;
        }
        taken.insert(claim.name.clone(), claim.id);
        let Claim { backend, item, name, with, .. } = claim;
        named.push(Named { backend, item, name, with });
    }
    named
}

// === impl Report ===

impl Report {
    /// `loser` does not get `name`.
    pub(crate) fn taken(
        &mut self,
        kind: Capability,
        name: &str,
        winner: Option<&BackendId>,
        loser: &BackendId,
    ) {
        self.add(kind, name, Cause::Taken, winner, loser);
    }

    /// Nobody gets `name`; `loser` is one of them.
    pub(crate) fn unresolved(&mut self, kind: Capability, name: &str, loser: &BackendId) {
        self.add(kind, name, Cause::Unresolved, None, loser);
    }

    /// What `loser` calls `name` cannot be advertised at all.
    pub(crate) fn malformed(&mut self, kind: Capability, name: &str, loser: &BackendId) {
        self.add(kind, name, Cause::Malformed, None, loser);
    }

    /// All of them.
    pub(crate) fn into_conflicts(self) -> Vec<Conflict> {
        self.conflicts
    }

    fn add(
        &mut self,
        kind: Capability,
        name: &str,
        cause: Cause,
        winner: Option<&BackendId>,
        loser: &BackendId,
    ) {
        let at = *self.by_name.entry((kind, name.to_owned())).or_insert_with(|| {
            self.conflicts.push(Conflict {
                kind,
                name: name.to_owned(),
                cause,
                winner: winner.cloned(),
                losers: Vec::new(),
            });
            self.conflicts.len() - 1
        });
        let losers = &mut self.conflicts[at].losers;
        if !losers.contains(loser) {
            losers.push(loser.clone());
        }
    }
}
