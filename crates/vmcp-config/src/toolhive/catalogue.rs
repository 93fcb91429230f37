//! The section `catalogue`: what outlives vmcp of what the backends offer.

use super::ours::time;
use crate::endpoint;
use crate::field::Field;
use crate::model::Catalogue;
use crate::reading::Reading;

/// Reads the section.
pub(super) fn read(field: Field<'_>, catalogue: &mut Catalogue, cx: &mut Reading<'_>) {
    let Some(mut fields) = field.fields("`catalogue`", &mut cx.report) else { return };
    if let Some(given) = fields.get("persist").and_then(|field| field.bool(&mut cx.report)) {
        catalogue.persist = given;
    }
    for key in ["dir", "maxAge"] {
        if let (false, Some(field)) = (catalogue.persist, fields.get(key)) {
            let message = format!("`{key}` has no effect with `persist: false`");
            cx.report.error(field.key_at, message);
        }
    }
    if let Some(field) = fields.get("dir") {
        catalogue.dir = endpoint::absolute_path(field, cx);
    }
    time(&mut fields, "maxAge", &mut catalogue.max_age, cx);
    fields.finish(&mut cx.report);
}
