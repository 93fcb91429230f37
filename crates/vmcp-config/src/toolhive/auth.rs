//! `incomingAuth` and `outgoingAuth`.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::{AuthRules, backend, later};
use crate::endpoint::{header_name, header_value};
use crate::field::Field;
use crate::model::{BackendId, HeaderInjection, OutgoingAuth};
use crate::reading::Reading;

/// The strategies of ToolHive, and the block in which each keeps its settings.
const STRATEGIES: [(&str, &str); 7] = [
    ("unauthenticated", ""),
    ("header_injection", "headerInjection"),
    ("token_exchange", "tokenExchange"),
    ("upstream_inject", "upstreamInject"),
    ("aws_sts", "awsSts"),
    ("xaa", "xaa"),
    ("obo", "obo"),
];

/// Who may call. Until there is a check of identity, everybody may, and nothing else is accepted.
pub(super) fn incoming(field: Field<'_>, cx: &mut Reading<'_>) {
    let Some(mut fields) = field.fields("`incomingAuth`", &mut cx.report) else { return };
    let kind = fields.require("type", &mut cx.report);
    let known = [("anonymous", "anonymous"), ("local", "local"), ("oidc", "oidc")];
    let word = kind.and_then(|field| field.choice(&known, &mut cx.report));
    if let (Some(kind), Some("oidc")) = (kind, word) {
        cx.report.not_yet(kind.at(), "incomingAuth.type: oidc");
    }
    later::refuse_in(&mut fields, "incomingAuth", later::INCOMING, cx);
    fields.finish(&mut cx.report);
}

/// As whom the backends are called.
pub(super) fn outgoing(field: Field<'_>, ids: &[BackendId], cx: &mut Reading<'_>) -> AuthRules {
    let mut rules = AuthRules::default();
    let Some(mut fields) = field.fields("`outgoingAuth`", &mut cx.report) else { return rules };
    if let Some(source) = fields.get("source") {
        let known = [("inline", false), ("discovered", true)];
        if source.choice(&known, &mut cx.report) == Some(true) {
            cx.report
                .not_yet(source.at(), "outgoingAuth.source: discovered")
                .hint("`inline` takes the strategies from this file");
        }
    }
    if let Some(default) = fields.get("default") {
        rules.default = strategy(default, cx).unwrap_or_default();
    }
    if let Some(backends) = fields.get("backends") {
        rules.backends = per_backend(backends, ids, cx);
    }
    fields.finish(&mut cx.report);
    rules
}

fn per_backend(
    field: Field<'_>,
    ids: &[BackendId],
    cx: &mut Reading<'_>,
) -> BTreeMap<BackendId, OutgoingAuth> {
    let mut strategies = BTreeMap::new();
    for member in field.members(&mut cx.report) {
        let id = backend(member, member.key, ids, cx);
        let strategy = strategy(member, cx);
        strategies.extend(id.zip(strategy));
    }
    strategies
}

fn strategy(field: Field<'_>, cx: &mut Reading<'_>) -> Option<OutgoingAuth> {
    let mut fields = field.fields("a strategy", &mut cx.report)?;
    let kind = fields.require("type", &mut cx.report);
    let block = kind.and_then(|field| field.choice(&STRATEGIES, &mut cx.report));

    // Only the block of the chosen type may be there: another one is a setting without effect.
    let mut settings = None;
    for (word, name) in STRATEGIES.iter().filter(|(_, name)| !name.is_empty()) {
        let Some(found) = fields.get(name) else { continue };
        if block == Some(*name) {
            settings = Some(found);
        } else if let Some(kind) = kind.filter(|_| block.is_some()) {
            cx.report
                .error(found.key_at, format!("`{name}` has no effect here"))
                .hint(format!("it goes with `type: {word}`; see line {}", kind.at().line));
        }
    }
    let at = fields.at;
    fields.finish(&mut cx.report);
    match block? {
        "" => Some(OutgoingAuth::Unauthenticated),
        "headerInjection" => match settings {
            Some(settings) => header_injection(settings, cx),
            None => {
                cx.report.error(at, "a strategy of this type needs `headerInjection`");
                None
            }
        },
        name => {
            let word = STRATEGIES.iter().find(|(_, block)| *block == name).map_or("", |(w, _)| w);
            let at = kind.map_or(at, Field::at);
            cx.report.not_yet(at, &format!("outgoingAuth type: {word}"));
            if let Some(settings) = settings {
                later::check_strategy(name, settings, cx);
            }
            None
        }
    }
}

fn header_injection(field: Field<'_>, cx: &mut Reading<'_>) -> Option<OutgoingAuth> {
    let mut fields = field.fields("`headerInjection`", &mut cx.report)?;
    let name_field = fields.require("headerName", &mut cx.report);
    let name = name_field
        .and_then(|field| field.text(&mut cx.report).map(|name| (name, field.at())))
        .filter(|(name, at)| header_name(name, *at, cx));
    let (inline, from_env) = (fields.get("headerValue"), fields.get("headerValueEnv"));
    let at = fields.at;
    fields.finish(&mut cx.report);
    let (field, value) = match (inline, from_env) {
        (Some(_), Some(second)) => {
            let message = "`headerValue` and `headerValueEnv` exclude each other";
            cx.report.error(second.key_at, message);
            return None;
        }
        (None, None) => {
            cx.report
                .error(at, "`headerInjection` needs `headerValue` or `headerValueEnv`")
                .hint("`headerValueEnv` names a variable and keeps the secret out of the file");
            return None;
        }
        (Some(field), None) => (field, literal(field, cx)?),
        (None, Some(field)) => (field, variable(field, cx)?),
    };
    let fine = header_value(&value, field.key, field.at(), cx);
    let (name, _) = name?;
    fine.then(|| OutgoingAuth::HeaderInjection(HeaderInjection { name: name.to_owned(), value }))
}

/// In ToolHive this value is literal, so it is here; who writes a variable wants to know.
fn literal(field: Field<'_>, cx: &mut Reading<'_>) -> Option<SecretString> {
    let text = field.spelled(&mut cx.report)?;
    if text.is_empty() {
        cx.report.error(field.at(), "`headerValue` is empty");
        return None;
    }
    if text.contains("${") {
        cx.report
            .warning(field.at(), "`headerValue` is sent as it is, `${…}` included")
            .hint("use `headerValueEnv`, or `headers` of the backend");
    }
    Some(SecretString::from(text.to_owned()))
}

fn variable(field: Field<'_>, cx: &mut Reading<'_>) -> Option<SecretString> {
    let name = field.text(&mut cx.report)?;
    let value = cx.variable(name);
    if value.is_none() {
        let message =
            format!("environment variable `{name}` of `headerValueEnv` is not set or empty");
        cx.report.error(field.at(), message);
    }
    value.map(SecretString::from)
}
