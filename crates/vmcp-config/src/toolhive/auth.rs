//! `incomingAuth` and `outgoingAuth`.

use std::collections::BTreeMap;

use super::strategy::{self, Rule};
use super::{AuthRules, Incoming, authz, backend, oidc};
use crate::field::Field;
use crate::model::{BackendId, Config, IncomingAuth};
use crate::reading::Reading;

/// Who may call, and what.
pub(super) fn incoming(field: Field<'_>, config: &mut Config, cx: &mut Reading<'_>) -> Incoming {
    let fields = field.fields("`incomingAuth`", &mut cx.report);
    let Some(mut fields) = fields else { return Incoming::default() };
    let kind = fields.require("type", &mut cx.report);
    let known =
        [("anonymous", Incoming::Anonymous), ("local", Incoming::Local), ("oidc", Incoming::Oidc)];
    let word = kind.and_then(|field| field.choice(&known, &mut cx.report));
    let settings = fields.get("oidc");
    config.incoming_auth = match (word, settings) {
        (Some(Incoming::Oidc), None) => {
            cx.report.error(fields.at, "`type: oidc` needs `oidc`");
            IncomingAuth::default()
        }
        // What cannot be read was reported: vmcp never runs with it.
        (Some(Incoming::Oidc), Some(field)) => match oidc::read(field, cx) {
            Some(oidc) => IncomingAuth::Oidc(Box::new(oidc)),
            None => IncomingAuth::default(),
        },
        (word, settings) => {
            if let Some(field) = settings.filter(|_| word.is_some()) {
                let error = cx.report.error(field.key_at, "`oidc` has no effect here");
                error.hint("it goes with `type: oidc`");
            }
            if word == Some(Incoming::Local) {
                IncomingAuth::Local
            } else {
                IncomingAuth::Anonymous
            }
        }
    };
    config.authz = fields.get("authz").and_then(|field| authz::read(field, cx));
    fields.finish(&mut cx.report);
    word.unwrap_or_default()
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
        rules.default = strategy::read(default, cx);
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
) -> BTreeMap<BackendId, Rule> {
    let mut strategies = BTreeMap::new();
    for member in field.members(&mut cx.report) {
        let id = backend(member, member.key, ids, cx);
        let strategy = strategy::read(member, cx);
        strategies.extend(id.zip(strategy));
    }
    strategies
}
