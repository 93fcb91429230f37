//! The ToolHive vMCP YAML, and the keys vmcp adds to it.
//!
//! Every key of the format is known here. A key whose part of the product is not built is checked like the
//! others and then refused by name, unless its value switches it off. No key is silently ignored.
//!
//! Several files make one configuration: `backends` are joined, every other section stands in one file.

mod aggregation;
mod auth;
mod authz;
mod backends;
mod catalogue;
mod later;
mod oidc;
mod operational;
mod ours;
mod passthrough;
mod seal;
mod strategy;
mod tasks;
mod tls;

pub(crate) use aggregation::Given;
pub(crate) use passthrough::{Passed, check as check_passed};
pub(crate) use strategy::{Rule, scopes_of};

use std::collections::BTreeMap;
use std::time::Duration;

use crate::draft::Draft;
use crate::editor;
use crate::field::{Field, Fields};
use crate::model::{BackendId, Config};
use crate::nearest::nearest;
use crate::reading::Reading;

/// What the sections besides `backends` say.
pub(crate) struct Sections {
    /// Everything but the backends.
    pub(crate) config: Config,
    /// The aggregation, if one is given.
    pub(crate) aggregation: Option<Given>,
    pub(crate) incoming: Incoming,
    pub(crate) auth: AuthRules,
    pub(crate) calls: CallTimeouts,
    pub(crate) passed: Vec<Passed>,
}

/// As whom the backends are called.
#[derive(Debug, Default)]
pub(crate) struct AuthRules {
    /// For backends without their own.
    pub(crate) default: Option<Rule>,
    pub(crate) backends: BTreeMap<BackendId, Rule>,
}

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Incoming {
    /// Everybody; nobody is known.
    #[default]
    Anonymous,
    /// Everybody, as who runs vmcp.
    Local,
    /// Who has a token for vmcp.
    Oidc,
}

/// `operational.timeouts`.
#[derive(Debug, Default)]
pub(crate) struct CallTimeouts {
    pub(crate) default: Option<Duration>,
    pub(crate) backends: BTreeMap<BackendId, Duration>,
}

/// Reads the backends of all files.
pub(crate) fn backends(top: &mut Fields<'_>, cx: &mut Reading<'_>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for list in top.all("backends") {
        for item in list.items(&mut cx.report) {
            drafts.extend(backends::read(item, cx));
        }
    }
    drafts
}

/// Reads all other sections; `ids` are the backends they may name.
pub(crate) fn sections(mut top: Fields<'_>, ids: &[BackendId], cx: &mut Reading<'_>) -> Sections {
    let mut config = Config::default();
    // Labels: each file has its own, and the first one counts.
    if let Some(name) = top.get("name").and_then(|field| field.text(&mut cx.report)) {
        config.name = name.to_owned();
    }
    match top.get("groupRef").and_then(|field| field.text(&mut cx.report)) {
        Some(group) => config.group = group.to_owned(),
        None => config.assumed.push("groupRef: default".to_owned()),
    }
    if let Some(metadata) = top.get("metadata") {
        metadata.members(&mut cx.report);
    }

    let incoming = match top.only("incomingAuth", &mut cx.report) {
        Some(field) => auth::incoming(field, &mut config, cx),
        None => {
            config.assumed.push("incomingAuth: anonymous".to_owned());
            Incoming::default()
        }
    };
    let auth = match top.only("outgoingAuth", &mut cx.report) {
        Some(field) => auth::outgoing(field, ids, cx),
        None => {
            config.assumed.push("outgoingAuth: unauthenticated".to_owned());
            AuthRules::default()
        }
    };
    let aggregation = top
        .only("aggregation", &mut cx.report)
        .map(|field| aggregation::read(field, ids, cx))
        .or_else(|| {
            config.assumed.push("aggregation: conflictResolution prefix".to_owned());
            None
        });
    let mut calls = CallTimeouts::default();
    if let Some(field) = top.only("operational", &mut cx.report) {
        operational::read(field, ids, &mut config, &mut calls, cx);
    }
    let passed = top
        .only("passthroughHeaders", &mut cx.report)
        .map(|field| passthrough::read(field, cx))
        .unwrap_or_default();
    config.passthrough_headers = passed.iter().map(|(name, _)| name.clone()).collect();
    ours::read(&mut top, &mut config, cx);
    later::refuse(&mut top, cx);
    finish(&top, cx);
    Sections { config, aggregation, incoming, auth, calls, passed }
}

/// Unknown keys; those of a Kubernetes resource get a hint of their own.
fn finish(top: &Fields<'_>, cx: &mut Reading<'_>) {
    let resource = |field: &Field<'_>| matches!(field.key, "apiVersion" | "kind" | "spec");
    for field in top.unknown() {
        if resource(&field) {
            cx.report
                .error(field.key_at, format!("`{}` belongs to a Kubernetes resource", field.key))
                .hint("vmcp reads what stands under `spec.config`");
        } else if let Some(meant) = nearest(field.key, editor::ROOTS) {
            cx.report
                .error(field.key_at, format!("unknown key `{}`", field.key))
                .hint(format!("did you mean `{meant}`?"));
        } else {
            top.report_unknown(field, &mut cx.report);
        }
    }
}

/// Looks up a backend that a section names; reports it if there is none.
fn backend(
    field: Field<'_>,
    word: &str,
    ids: &[BackendId],
    cx: &mut Reading<'_>,
) -> Option<BackendId> {
    let found = ids.iter().find(|id| id.as_str() == word).cloned();
    if found.is_none() {
        let known: Vec<&str> = ids.iter().map(BackendId::as_str).collect();
        cx.no_such_backend(field.key_at, word, &known);
    }
    found
}
