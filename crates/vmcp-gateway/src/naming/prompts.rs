//! Under which names prompts are advertised. Prompts have neither overrides nor filters.

use std::collections::HashMap;

use vmcp_config::{Aggregation, BackendId, Naming};

use super::plan::{Claim, Named, Offer, Report, first_wins, spelled};
use crate::naming::conflict::Capability;

const KIND: Capability = Capability::Prompt;

/// Names the prompts of all backends.
///
/// Prompts get their backend's prefix, except those of ranked backends under priority naming.
pub(crate) fn prompts<'a>(
    rules: &'a Aggregation,
    offers: &[Offer<'a>],
    report: &mut Report,
) -> Vec<Named<'a>> {
    let order = match &rules.naming {
        Naming::Priority { order, .. } => order.as_slice(),
        Naming::Prefix { .. } | Naming::Manual => &[],
    };
    let format = rules.naming.format();
    let mut claims = Vec::new();
    for offer in offers {
        let prefix = match order.contains(offer.id) {
            true => String::new(),
            false => format.prefix(offer.id),
        };
        for item in offer.items {
            let name = format!("{prefix}{}", item.key);
            claims.push(Claim { backend: offer.backend, id: offer.id, item, name, with: None });
        }
    }
    let claims = spelled(KIND, claims, rules.max_name_len, report);
    first_wins(KIND, best_ranked(claims, order, report), report)
}

/// Takes out the prompts of ranked backends whose name a better-ranked one has.
fn best_ranked<'a>(
    claims: Vec<Claim<'a>>,
    order: &[BackendId],
    report: &mut Report,
) -> Vec<Claim<'a>> {
    if order.is_empty() {
        return claims;
    }
    let rank = |id: &BackendId| order.iter().position(|ranked| ranked == id);
    let mut best: HashMap<String, (usize, &'a BackendId)> = HashMap::new();
    for claim in &claims {
        let Some(rank) = rank(claim.id) else { continue };
        let entry = best.entry(claim.name.clone()).or_insert((rank, claim.id));
        *entry = (*entry).min((rank, claim.id));
    }
    let mut kept = Vec::with_capacity(claims.len());
    for claim in claims {
        match best.get(claim.name.as_str()) {
            Some((_, winner)) if *winner != claim.id && order.contains(claim.id) => {
                report.taken(KIND, &claim.name, Some(winner), claim.id);
            }
            _ => kept.push(claim),
        }
    }
    kept
}
