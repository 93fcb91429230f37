//! `passthroughHeaders`.

use crate::credentials;
use crate::endpoint::header_name;
use crate::field::Field;
use crate::model::Config;
use crate::reading::Reading;
use crate::report::{Place, Report};

/// A name in lower case, and where it is given.
pub(crate) type Passed = (String, Place);

/// Reads the list of names.
pub(super) fn read(field: Field<'_>, cx: &mut Reading<'_>) -> Vec<Passed> {
    let mut passed: Vec<Passed> = Vec::new();
    for item in field.items(&mut cx.report) {
        let Some(name) = item.text(&mut cx.report) else { continue };
        if !header_name(name, item.at(), cx) {
            continue;
        }
        let lower = name.to_ascii_lowercase();
        if matches!(lower.as_str(), "authorization" | "cookie") {
            let message = format!("header `{name}` is never passed through");
            cx.report
                .error(item.at(), message)
                .hint("it is meant for vmcp; `outgoingAuth` says as whom backends are called");
        } else if passed.iter().any(|(known, _)| *known == lower) {
            cx.report.error(item.at(), format!("header `{name}` is here a second time"));
        } else {
            passed.push((lower, item.at()));
        }
    }
    passed
}

/// Reports names that a backend gets from the configuration already: whose value should it be?
pub(crate) fn check(passed: &[Passed], config: &Config, report: &mut Report) {
    for (name, at) in passed {
        for backend in &config.backends {
            let is_fixed =
                backend.headers.iter().any(|(fixed, _)| fixed.eq_ignore_ascii_case(name));
            let is_set = credentials::sets(&backend.auth)
                .is_some_and(|header| header.eq_ignore_ascii_case(name));
            if is_fixed || is_set {
                let place = if is_fixed { "`headers`" } else { "the strategy" };
                let message = format!("`{name}` is also set by {place} of `{}`", backend.id);
                report.error(*at, message).hint("a client must not replace it: remove one");
            }
        }
    }
}
