//! Who owns a URI or a template. Neither is ever rewritten: models and documents quote them.

use super::plan::{Claim, Named, Offer, Report, first_wins};
use crate::naming::conflict::Capability;

/// Gives every URI (or template) to the first backend that offers it.
pub(crate) fn uris<'a>(
    kind: Capability,
    offers: &[Offer<'a>],
    report: &mut Report,
) -> Vec<Named<'a>> {
    let mut claims = Vec::new();
    for offer in offers {
        for item in offer.items {
            let name = item.key.to_string();
            claims.push(Claim { backend: offer.backend, id: offer.id, item, name, with: None });
        }
    }
    first_wins(kind, claims, report)
}
