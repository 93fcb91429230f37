//! `aggregation`.

use std::collections::BTreeMap;

use super::{backend, later};
use crate::conflict::OverridePlace;
use crate::field::{Field, Fields};
use crate::model::{Aggregation, BackendId, Naming, Override, PrefixFormat, ToolRules, Visibility};
use crate::reading::Reading;
use crate::report::Place;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strategy {
    Prefix,
    Priority,
    Manual,
}

/// The section, and the places that later checks point at.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) aggregation: Aggregation,
    pub(crate) overrides: Vec<OverridePlace>,
}

/// Reads the section.
pub(super) fn read(field: Field<'_>, ids: &[BackendId], cx: &mut Reading<'_>) -> Given {
    let mut given = Given::default();
    let Some(mut fields) = field.fields("`aggregation`", &mut cx.report) else { return given };
    let aggregation = &mut given.aggregation;
    if let Some(exclude_all) = fields.get("excludeAllTools") {
        aggregation.exclude_all = exclude_all.bool(&mut cx.report).unwrap_or_default();
    }
    if let Some(visibility) = fields.get("defaultToolVisibility") {
        let known = [("allow", Visibility::Allow), ("deny", Visibility::Deny)];
        aggregation.default_visibility =
            visibility.choice(&known, &mut cx.report).unwrap_or_default();
    }
    if let Some(size) = fields.get("pageSize").and_then(|field| field.count(&mut cx.report)) {
        aggregation.page_size = size;
    }
    let most = fields.get("maxInstructionBytes");
    if let Some(size) = most.and_then(|field| field.bytes(&mut cx.report)) {
        aggregation.max_instructions = size;
    }
    if let Some(tools) = fields.get("tools") {
        (aggregation.tools, given.overrides) = rules(tools, ids, cx);
    }
    if let Some(naming) = naming(&mut fields, ids, aggregation, cx) {
        aggregation.naming = naming;
    }
    fields.finish(&mut cx.report);
    given
}

fn naming(
    fields: &mut Fields<'_>,
    ids: &[BackendId],
    aggregation: &Aggregation,
    cx: &mut Reading<'_>,
) -> Option<Naming> {
    let known = [
        ("prefix", Strategy::Prefix),
        ("priority", Strategy::Priority),
        ("manual", Strategy::Manual),
    ];
    let kind = fields.get("conflictResolution");
    let strategy = match kind {
        Some(field) => field.choice(&known, &mut cx.report),
        None => Some(Strategy::Prefix),
    };
    let settings = fields.get("conflictResolutionConfig");
    let mut settings =
        settings.and_then(|field| field.fields("`conflictResolutionConfig`", &mut cx.report));
    let format_field = settings.as_mut().and_then(|settings| settings.get("prefixFormat"));
    let order_field = settings.as_mut().and_then(|settings| settings.get("priorityOrder"));
    if let Some(settings) = settings {
        settings.finish(&mut cx.report);
    }
    let format = format_field.and_then(|field| prefix_format(field, ids, cx));
    let order = order_field.map(|field| priority_order(field, ids, cx));
    let at = kind.map_or(fields.at, Field::at);
    match strategy? {
        Strategy::Prefix => {
            without_effect(order_field, "prefix", cx);
            if format_field.is_none() && kind.is_some() {
                cx.report
                    .warning(at, "no `prefixFormat` is given: names get `{workload}_`")
                    .hint("set `conflictResolutionConfig.prefixFormat` to say so yourself");
            }
            Some(Naming::Prefix { format: format.unwrap_or_default() })
        }
        Strategy::Priority => {
            let Some(order) = order else {
                cx.report
                    .error(at, "`priority` needs `conflictResolutionConfig.priorityOrder`")
                    .hint("a list of backends, the most important first");
                return None;
            };
            if aggregation.default_visibility == Visibility::Deny {
                denied_priorities(&order, aggregation, cx);
            }
            let order = order.into_iter().map(|(id, _)| id).collect();
            Some(Naming::Priority { order, format: format.unwrap_or_default() })
        }
        Strategy::Manual => {
            without_effect(order_field, "manual", cx);
            without_effect(format_field, "manual", cx);
            if aggregation.tools.values().all(|rules| rules.overrides.is_empty()) {
                cx.report
                    .error(at, "`manual` needs `overrides` in `aggregation.tools`")
                    .hint("give a name to every tool that two backends call alike");
            }
            Some(Naming::Manual)
        }
    }
}

fn without_effect(field: Option<Field<'_>>, strategy: &str, cx: &mut Reading<'_>) {
    if let Some(field) = field {
        let message = format!("`{}` has no effect with `{strategy}`", field.key);
        cx.report.warning(field.key_at, message);
    }
}

fn prefix_format(
    field: Field<'_>,
    ids: &[BackendId],
    cx: &mut Reading<'_>,
) -> Option<PrefixFormat> {
    let text = field.text(&mut cx.report)?;
    let literal = text.replace(PrefixFormat::PLACEHOLDER, "");
    if literal.contains(['{', '}']) {
        cx.report
            .error(field.at(), "the only placeholder of `prefixFormat` is `{workload}`")
            .hint("such as `{workload}_`");
        return None;
    }
    if !literal.chars().all(super::aggregation::is_name_char) {
        cx.report
            .error(field.at(), "a prefix may have letters, digits, `_` and `-` only")
            .hint("clients refuse tools with other characters in their names");
        return None;
    }
    if literal == text && ids.len() > 1 {
        cx.report
            .warning(field.at(), "`prefixFormat` has no `{workload}`: all backends get one prefix")
            .hint("equal names then collide, and the first backend's is kept");
    }
    Some(PrefixFormat::new(text))
}

fn priority_order(
    field: Field<'_>,
    ids: &[BackendId],
    cx: &mut Reading<'_>,
) -> Vec<(BackendId, Place)> {
    let items = field.items(&mut cx.report);
    if items.is_empty() {
        cx.report.error(field.at(), "`priorityOrder` is empty");
    }
    let mut order: Vec<(BackendId, Place)> = Vec::new();
    for item in items {
        let Some(word) = item.text(&mut cx.report) else { continue };
        let Some(id) = backend(item, word, ids, cx) else { continue };
        if order.iter().any(|(known, _)| *known == id) {
            cx.report.error(item.at(), format!("`{id}` stands in `priorityOrder` twice"));
            continue;
        }
        order.push((id, item.at()));
    }
    order
}

/// A backend that is ranked but shown by no rule is a mistake in one of the two places.
fn denied_priorities(
    order: &[(BackendId, Place)],
    aggregation: &Aggregation,
    cx: &mut Reading<'_>,
) {
    for (id, at) in order.iter().filter(|(id, _)| !aggregation.tools.contains_key(id)) {
        cx.report
            .error(*at, format!("`{id}` is ranked, but none of its tools are shown"))
            .hint("with `defaultToolVisibility: deny` it needs an entry in `tools`");
    }
}

fn rules(
    field: Field<'_>,
    ids: &[BackendId],
    cx: &mut Reading<'_>,
) -> (BTreeMap<BackendId, ToolRules>, Vec<OverridePlace>) {
    let mut rules = BTreeMap::new();
    let mut places = Vec::new();
    for item in field.items(&mut cx.report) {
        let Some(mut fields) = item.fields("an entry of `tools`", &mut cx.report) else { continue };
        let workload = fields.require("workload", &mut cx.report);
        let id = workload.and_then(|field| {
            let word = field.text(&mut cx.report)?;
            backend(Field { key_at: field.at(), ..field }, word, ids, cx)
        });
        let (rule, overrides) = rule(&mut fields, cx);
        later::refuse_in(&mut fields, "aggregation.tools", later::TOOL_RULES, cx);
        fields.finish(&mut cx.report);
        let (Some(id), Some(workload)) = (id, workload) else { continue };
        if rules.contains_key(&id) {
            cx.report
                .error(workload.at(), format!("a second entry for `{id}`"))
                .hint("join the two");
            continue;
        }
        places.extend(overrides.into_iter().map(|(original, at)| OverridePlace {
            backend: id.clone(),
            original,
            at,
        }));
        rules.insert(id, rule);
    }
    (rules, places)
}

/// One backend's rules, and the places of its overrides.
fn rule(fields: &mut Fields<'_>, cx: &mut Reading<'_>) -> (ToolRules, Vec<(String, Place)>) {
    let mut rule = ToolRules::default();
    let mut places = Vec::new();
    if let Some(exclude_all) = fields.get("excludeAll") {
        rule.exclude_all = exclude_all.bool(&mut cx.report).unwrap_or_default();
    }
    let filter = fields.get("filter");
    if let Some(field) = fields.get("overrides") {
        for member in field.members(&mut cx.report) {
            let Some(with) = override_of(member, cx) else { continue };
            places.push((member.key.to_owned(), member.key_at));
            rule.overrides.push((member.key.to_owned(), with));
        }
    }
    if let Some(field) = filter {
        if rule.exclude_all {
            without_effect(filter, "excludeAll", cx);
        }
        let items = field.items(&mut cx.report);
        if items.is_empty() {
            cx.report
                .error(field.at(), "`filter` is empty")
                .hint("`excludeAll: true` shows no tool; without `filter` all are shown");
        }
        for item in items {
            let Some(name) = item.text(&mut cx.report) else { continue };
            renamed_away(item, name, &rule, cx);
            rule.filter.get_or_insert_default().insert(name.to_owned());
        }
    }
    (rule, places)
}

/// The filter knows a tool by its name after overrides; who writes the old one filters it out.
fn renamed_away(item: Field<'_>, name: &str, rule: &ToolRules, cx: &mut Reading<'_>) {
    let renamed = rule.override_of(name).and_then(|with| with.name.as_deref());
    let taken = rule.overrides.iter().any(|(_, with)| with.name.as_deref() == Some(name));
    if let Some(renamed) = renamed.filter(|renamed| *renamed != name && !taken) {
        cx.report
            .error(item.at(), format!("an override renames `{name}`, so this filter never matches"))
            .hint(format!("the filter sees names after overrides: `{renamed}`"));
    }
}

fn override_of(field: Field<'_>, cx: &mut Reading<'_>) -> Option<Override> {
    let mut fields = field.fields(format!("the override of `{}`", field.key), &mut cx.report)?;
    let name_field = fields.get("name");
    let name = name_field.and_then(|field| field.text(&mut cx.report));
    if let (Some(field), Some(name)) = (name_field, name)
        && !name.chars().all(is_name_char)
    {
        cx.report
            .error(field.at(), format!("`{name}` cannot be the name of a tool"))
            .hint("letters, digits, `_` and `-`, at most 64: clients refuse the others");
    }
    let description_field = fields.get("description");
    let description = description_field.and_then(|field| field.text(&mut cx.report));
    let annotations = fields.get("annotations").and_then(|field| annotations(field, cx));
    if name_field.is_none() && description_field.is_none() {
        cx.report
            .error(field.key_at, format!("the override of `{}` changes nothing", field.key))
            .hint("give `name` or `description`");
    }
    fields.finish(&mut cx.report);
    Some(Override {
        name: name.map(str::to_owned),
        description: description.map(str::to_owned),
        annotations,
    })
}

fn annotations(field: Field<'_>, cx: &mut Reading<'_>) -> Option<String> {
    let mut fields = field.fields("`annotations`", &mut cx.report)?;
    if let Some(title) = fields.get("title") {
        title.text(&mut cx.report);
    }
    for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
        if let Some(hint) = fields.get(hint) {
            hint.bool(&mut cx.report);
        }
    }
    fields.finish(&mut cx.report);
    Some(field.node.to_json().to_string())
}

/// What the strictest clients allow in the name of a tool.
pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}
