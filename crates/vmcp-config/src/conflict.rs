//! Conflicts of names that the configuration alone can show.
//!
//! Only tools with an override are known here; the others are known when the backends answer, and then
//! `vmcp validate --live` tells about them.

use std::collections::BTreeMap;

use crate::model::{BackendId, Config, Naming};
use crate::report::{Place, Report};

/// Where an override stands in the text.
#[derive(Debug, Clone)]
pub(crate) struct OverridePlace {
    pub(crate) backend: BackendId,
    /// The backend's own name of the tool.
    pub(crate) original: String,
    pub(crate) at: Place,
}

/// Reports overrides that advertise one name twice, and names that clients refuse.
pub(crate) fn check(config: &Config, places: &[OverridePlace], report: &mut Report) {
    let aggregation = &config.aggregation;
    let mut seen: BTreeMap<String, &OverridePlace> = BTreeMap::new();
    for place in places {
        let Some(rules) = aggregation.tools.get(&place.backend) else { continue };
        let Some(with) = rules.override_of(&place.original) else { continue };
        if rules.exclude_all || aggregation.exclude_all {
            continue;
        }
        let name = with.name.as_deref().unwrap_or(&place.original);
        let advertised = advertised(&aggregation.naming, &place.backend, name);
        too_long(&advertised, aggregation.max_name_len, place, report);
        match seen.get(&advertised) {
            Some(first) => collision(&advertised, first, place, &aggregation.naming, report),
            None => {
                seen.insert(advertised, place);
            }
        }
    }
}

fn advertised(naming: &Naming, backend: &BackendId, name: &str) -> String {
    match naming {
        Naming::Prefix { format } => format.prefix(backend) + name,
        Naming::Priority { .. } | Naming::Manual => name.to_owned(),
    }
}

fn collision(
    advertised: &str,
    first: &OverridePlace,
    second: &OverridePlace,
    naming: &Naming,
    report: &mut Report,
) {
    let place = report.name(first.at);
    let message = format!(
        "`{}` of `{}` and `{}` of `{}` are both advertised as `{advertised}`",
        first.original, first.backend, second.original, second.backend
    );
    // Between backends, ranking decides; that is what it is for.
    let ranked = matches!(naming, Naming::Priority { .. }) && first.backend != second.backend;
    let finding =
        if ranked { report.warning(second.at, message) } else { report.error(second.at, message) };
    finding.hint(format!("the other one is at {place}; give one of them another `name`"));
}

fn too_long(advertised: &str, most: usize, place: &OverridePlace, report: &mut Report) {
    let len = advertised.chars().count();
    if len > most {
        report
            .error(place.at, format!("`{advertised}` has {len} characters"))
            .hint(format!("clients refuse names of tools over {most}"));
    }
}
