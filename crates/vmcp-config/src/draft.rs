//! A backend as its file declares it, before what other sections say about it is joined in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use vmcp_wire::revision::Protocol;

use crate::credentials::OwnAuth;
use crate::field::Field;
use crate::model::{
    Backend, BackendId, BackendTimeouts, Network, OutgoingAuth, ToolRules, Transport,
};
use crate::reading::Reading;
use crate::report::Place;

/// One declared backend.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) id: BackendId,
    /// Where it is named.
    pub(crate) at: Place,
    /// `None` after an error that is already reported.
    pub(crate) transport: Option<Transport>,
    pub(crate) protocol: Protocol,
    pub(crate) headers: Vec<(String, SecretString)>,
    pub(crate) ca_bundle: Option<PathBuf>,
    pub(crate) timeouts: DraftTimeouts,
    pub(crate) network: Network,
    pub(crate) auth: OwnAuth,
    /// Rules that an editor's entry carries itself.
    pub(crate) rules: Option<ToolRules>,
}

/// Times that were given; the others are filled in from more general ones.
#[derive(Debug, Default, Clone)]
pub(crate) struct DraftTimeouts {
    pub(crate) connect: Option<Duration>,
    pub(crate) call: Option<Duration>,
    pub(crate) list: Option<Duration>,
    /// By the backend's own name of a tool.
    pub(crate) tools: BTreeMap<String, Duration>,
}

// === impl Draft ===

impl Draft {
    /// The finished backend. `default_call` is the call timeout of backends that give none.
    pub(crate) fn finish(
        self,
        auth: OutgoingAuth,
        default_call: Option<Duration>,
    ) -> Option<Backend> {
        let general = BackendTimeouts::default();
        Some(Backend {
            id: self.id,
            transport: self.transport?,
            protocol: self.protocol,
            headers: self.headers,
            auth,
            timeouts: BackendTimeouts {
                connect: self.timeouts.connect.unwrap_or(general.connect),
                call: self.timeouts.call.or(default_call).unwrap_or(general.call),
                list: self.timeouts.list.unwrap_or(general.list),
                tools: self.timeouts.tools,
            },
            network: self.network,
            ca_bundle: self.ca_bundle,
        })
    }
}

// === impl DraftTimeouts ===

impl DraftTimeouts {
    /// A duration for calls, or a map of durations.
    pub(crate) fn read(field: Field<'_>, cx: &mut Reading<'_>) -> Self {
        let report = &mut cx.report;
        if field.node.kind() != crate::tree::Kind::Map {
            return Self { call: positive(field, cx), ..Self::default() };
        }
        let Some(mut fields) = field.fields("`timeout`", report) else { return Self::default() };
        let timeouts = Self {
            connect: fields.get("connect").and_then(|field| positive(field, cx)),
            call: fields.get("call").and_then(|field| positive(field, cx)),
            list: fields.get("list").and_then(|field| positive(field, cx)),
            tools: fields.get("tools").map(|field| of_tools(field, cx)).unwrap_or_default(),
        };
        fields.finish(&mut cx.report);
        timeouts
    }
}

fn of_tools(field: Field<'_>, cx: &mut Reading<'_>) -> BTreeMap<String, Duration> {
    let members = field.members(&mut cx.report);
    let time = |member: Field<'_>| Some((member.key.to_owned(), positive(member, cx)?));
    members.into_iter().filter_map(time).collect()
}

/// A duration above zero.
pub(crate) fn positive(field: Field<'_>, cx: &mut Reading<'_>) -> Option<Duration> {
    let duration = field.duration(&mut cx.report)?;
    if duration.is_zero() {
        cx.report.error(field.at(), format!("`{}` must be above 0", field.key));
        return None;
    }
    Some(duration)
}
