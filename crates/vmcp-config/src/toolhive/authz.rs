//! `incomingAuth.authz`: what callers may do. What the policies say is read by whoever decides by them; here only their
//! places are kept.

use crate::field::Field;
use crate::model::{Authz, PolicySource};
use crate::reading::Reading;

/// Reads the section; `None` where it switches itself off, or where nothing can be made of it.
pub(super) fn read(field: Field<'_>, cx: &mut Reading<'_>) -> Option<Authz> {
    let mut fields = field.fields("`authz`", &mut cx.report)?;
    let kind = fields.require("type", &mut cx.report);
    let known = [("cedar", true), ("none", false)];
    let is_cedar = kind.and_then(|field| field.choice(&known, &mut cx.report));
    let list = fields.get("policies");
    let policies: Vec<PolicySource> = list.map_or_else(Vec::new, |list| {
        let items = list.items(&mut cx.report);
        items.into_iter().filter_map(|item| source(item, cx)).collect()
    });
    let entities = fields.get("entitiesJson").and_then(|field| source(field, cx));
    let group_claim = fields.get("groupClaimName").and_then(|field| claim(field, cx));
    let role_claim = fields.get("roleClaimName").and_then(|field| claim(field, cx));
    let group_type = fields.get("groupEntityType").and_then(|field| group_type(field, cx));
    if let Some(provider) = fields.get("primaryUpstreamProvider") {
        provider.text(&mut cx.report);
        if is_cedar != Some(false) {
            cx.report
                .not_yet(provider.key_at, "incomingAuth.authz.primaryUpstreamProvider")
                .hint("claims are those of the token that the caller calls with");
        }
    }
    let at = fields.at;
    fields.finish(&mut cx.report);
    if is_cedar != Some(true) {
        return None;
    }
    if list.is_none_or(|list| list.items(&mut cx.report).is_empty()) {
        let at = list.map_or(at, |list| list.key_at);
        cx.report
            .error(at, "`authz` of type `cedar` needs `policies`")
            .hint("without a policy nothing is permitted; `type: none` permits everything");
    }
    let group_type = group_type.unwrap_or_else(|| Authz::GROUP_TYPE.to_owned());
    Some(Authz { policies, entities, group_claim, role_claim, group_type })
}

fn source(field: Field<'_>, cx: &mut Reading<'_>) -> Option<PolicySource> {
    let text = field.text(&mut cx.report)?;
    let at = field.at();
    let file = cx.report.file(at).into();
    Some(PolicySource { text: text.into(), file, line: at.line, column: at.column })
}

/// The name of a claim, or a path to one.
fn claim(field: Field<'_>, cx: &mut Reading<'_>) -> Option<String> {
    let text = field.text(&mut cx.report)?;
    if text.split('.').any(str::is_empty) && !text.contains("://") {
        let message = format!("`{}` has an empty name between its dots", field.key);
        cx.report.error(field.at(), message);
        return None;
    }
    Some(text.to_owned())
}

fn group_type(field: Field<'_>, cx: &mut Reading<'_>) -> Option<String> {
    let text = field.text(&mut cx.report)?;
    let starts = |c: char| c.is_ascii_alphabetic() || c == '_';
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !text.starts_with(starts) || !text.chars().all(goes_on) {
        let message = "`groupEntityType` must be a name of letters, digits and `_`, without `::`";
        cx.report.error(field.at(), message);
        return None;
    }
    Some(text.to_owned())
}
