//! Which tools are advertised, under which names.

use std::collections::HashMap;

use vmcp_config::{Aggregation, BackendId, Naming, PrefixFormat, ToolRules, Visibility};

use super::plan::{Claim, Named, Offer, Report, first_wins, spelled};
use crate::catalogue::Item;
use crate::naming::conflict::Capability;

const KIND: Capability = Capability::Tool;

/// Names the tools of all backends.
pub(crate) fn tools<'a>(
    rules: &'a Aggregation,
    offers: &[Offer<'a>],
    report: &mut Report,
) -> Vec<Named<'a>> {
    if rules.exclude_all {
        return Vec::new();
    }
    let visible: Vec<Claim<'a>> = offers.iter().flat_map(|offer| visible(rules, offer)).collect();
    let max = rules.max_name_len;
    let wanted = match &rules.naming {
        Naming::Prefix { format } => {
            visible.into_iter().map(|claim| prefixed(claim, format)).collect()
        }
        Naming::Priority { order, format } => {
            ranked(spelled(KIND, visible, max, report), order, format, report)
        }
        Naming::Manual => resolved(spelled(KIND, visible, max, report), report),
    };
    first_wins(KIND, spelled(KIND, wanted, max, report), report)
}

/// The tools of one backend that may be shown, under their local names.
fn visible<'a>(rules: &'a Aggregation, offer: &Offer<'a>) -> Vec<Claim<'a>> {
    let own = rules.tools.get(offer.id);
    if own.map_or(rules.default_visibility == Visibility::Deny, |own| own.exclude_all) {
        return Vec::new();
    }
    let claim = |item: &'a Item| {
        let with = own.and_then(|own| own.override_of(&item.key));
        let name = with.and_then(|with| with.name.as_deref()).unwrap_or(&item.key);
        let shown = own.is_none_or(|own| passes(own, name));
        shown.then(|| Claim { backend: offer.backend, id: offer.id, item, name: name.into(), with })
    };
    offer.items.iter().filter_map(claim).collect()
}

fn passes(rules: &ToolRules, local: &str) -> bool {
    rules.filter.as_ref().is_none_or(|filter| filter.contains(local))
}

fn prefixed<'a>(mut claim: Claim<'a>, format: &PrefixFormat) -> Claim<'a> {
    claim.name.insert_str(0, &format.prefix(claim.id));
    claim
}

/// Of equal names the best-ranked backend keeps it; if none is ranked, all get their prefix.
fn ranked<'a>(
    claims: Vec<Claim<'a>>,
    order: &[BackendId],
    format: &PrefixFormat,
    report: &mut Report,
) -> Vec<Claim<'a>> {
    let claimants = claimants(&claims);
    let rank = |id: &BackendId| order.iter().position(|ranked| ranked == id);
    let mut kept = Vec::with_capacity(claims.len());
    for claim in claims {
        let rivals = claimants.get(claim.name.as_str()).map_or(&[][..], Vec::as_slice);
        if rivals.len() < 2 {
            kept.push(claim);
            continue;
        }
        let best = rivals.iter().filter_map(|id| rank(id).map(|rank| (rank, *id))).min();
        match best {
            Some((_, winner)) if winner == claim.id => kept.push(claim),
            Some((_, winner)) => report.taken(KIND, &claim.name, Some(winner), claim.id),
            None => kept.push(prefixed(claim, format)),
        }
    }
    kept
}

/// Names of several backends are withheld and reported; all others stay.
fn resolved<'a>(claims: Vec<Claim<'a>>, report: &mut Report) -> Vec<Claim<'a>> {
    let claimants = claimants(&claims);
    let mut kept = Vec::with_capacity(claims.len());
    for claim in claims {
        if claimants.get(claim.name.as_str()).is_some_and(|rivals| rivals.len() > 1) {
            report.unresolved(KIND, &claim.name, claim.id);
        } else {
            kept.push(claim);
        }
    }
    kept
}

/// Which backends want each name.
fn claimants<'a>(claims: &[Claim<'a>]) -> HashMap<String, Vec<&'a BackendId>> {
    let mut by_name: HashMap<String, Vec<&BackendId>> = HashMap::with_capacity(claims.len());
    for claim in claims {
        let rivals = by_name.entry(claim.name.clone()).or_default();
        if !rivals.contains(&claim.id) {
            rivals.push(claim.id);
        }
    }
    by_name
}
