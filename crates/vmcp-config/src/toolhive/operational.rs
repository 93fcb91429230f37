//! `operational`.

use super::{CallTimeouts, backend, later};
use crate::draft::positive;
use crate::field::Field;
use crate::model::{BackendId, Config};
use crate::reading::Reading;

const LEVELS: [(&str, &str); 5] = [
    ("error", "error"),
    ("warn", "warn"),
    ("info", "info"),
    ("debug", "debug"),
    ("trace", "trace"),
];

/// Reads the section.
pub(super) fn read(
    field: Field<'_>,
    ids: &[BackendId],
    config: &mut Config,
    calls: &mut CallTimeouts,
    cx: &mut Reading<'_>,
) {
    let Some(mut fields) = field.fields("`operational`", &mut cx.report) else { return };
    if let Some(level) = fields.get("logLevel") {
        config.log_level = level.choice(&LEVELS, &mut cx.report);
    }
    if let Some(field) = fields.get("timeouts") {
        timeouts(field, ids, calls, cx);
    }
    if let Some(field) = fields.get("failureHandling") {
        later::refuse_failure_handling(field, cx);
    }
    fields.finish(&mut cx.report);
}

fn timeouts(field: Field<'_>, ids: &[BackendId], calls: &mut CallTimeouts, cx: &mut Reading<'_>) {
    let Some(mut fields) = field.fields("`timeouts`", &mut cx.report) else { return };
    calls.default = fields.get("default").and_then(|field| positive(field, cx));
    if let Some(per_workload) = fields.get("perWorkload") {
        for member in per_workload.members(&mut cx.report) {
            let id = backend(member, member.key, ids, cx);
            let timeout = positive(member, cx);
            calls.backends.extend(id.zip(timeout));
        }
    }
    fields.finish(&mut cx.report);
}
