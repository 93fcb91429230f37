//! `backends` of the YAML.

use vmcp_wire::revision::Protocol;

use crate::credentials::OwnAuth;
use crate::draft::{Draft, DraftTimeouts};
use crate::endpoint::{self, Endpoint};
use crate::field::Field;
use crate::model::{BackendId, Transport};
use crate::nearest;
use crate::network;
use crate::reading::Reading;

/// Reads one backend.
pub(super) fn read(field: Field<'_>, cx: &mut Reading<'_>) -> Option<Draft> {
    let mut fields = field.fields("a backend", &mut cx.report)?;
    let name = fields.require("name", &mut cx.report);
    let at = name.map_or(fields.at, Field::at);
    let id = name.and_then(|name| id(name, cx));
    let what = match &id {
        Some(id) => format!("backend `{id}`"),
        None => "a backend".to_owned(),
    };

    let mut endpoint = Endpoint::shared(&mut fields);
    endpoint.word_key = "transport";
    endpoint.process = fields.get("process");
    let transport_key = fields.get("transport");
    endpoint.word = transport_key.and_then(|field| endpoint::transport_word(field, &mut cx.report));
    // A bad word is one finding; what it might have meant is not guessed at.
    let word_is_bad = transport_key.is_some() && endpoint.word.is_none();
    let transport = if word_is_bad { None } else { endpoint.transport(&what, at, cx) };
    let headers = endpoint.headers(cx);
    let protocol = fields.get("protocol").and_then(|field| protocol(field, transport.as_ref(), cx));

    // Where ToolHive found the backend; all that vmcp needs to know stands here.
    if let Some(entry) = fields.get("type")
        && entry.spelled(&mut cx.report).is_some_and(|word| !word.is_empty())
    {
        entry.choice(&[("entry", ())], &mut cx.report);
    }
    let ca_bundle = fields.get("caBundlePath").and_then(|field| endpoint::absolute_path(field, cx));
    if let Some(metadata) = fields.get("metadata") {
        metadata.members(&mut cx.report);
    }
    let timeout = fields.get("timeout").map(|field| DraftTimeouts::read(field, cx));
    let network = fields.get("network").map(|field| {
        if let Some(Transport::Stdio(_)) = transport {
            cx.report.error(field.key_at, "`network` only goes with HTTP");
        }
        network::read(field, cx)
    });
    fields.finish(&mut cx.report);
    let timeouts = timeout.unwrap_or_default();
    let network = network.unwrap_or_default();
    Some(Draft {
        id: id?,
        at,
        transport,
        protocol: protocol.unwrap_or_default(),
        headers,
        ca_bundle,
        timeouts,
        network,
        auth: OwnAuth::None,
        rules: None,
    })
}

/// Which revisions may be spoken: one of a few words, or a revision by its name.
fn protocol(
    field: Field<'_>,
    transport: Option<&Transport>,
    cx: &mut Reading<'_>,
) -> Option<Protocol> {
    let word = field.spelled(&mut cx.report)?;
    let Some(protocol) = Protocol::parse(word) else {
        let words: Vec<_> = Protocol::words().collect();
        cx.report
            .error(field.at(), format!("`{}` cannot be `{word}`", field.key))
            .hint(nearest::hint(word, &words));
        return None;
    };
    if matches!(transport, Some(Transport::Sse { .. })) && !protocol.allows_handshake() {
        let message = format!("`protocol: {word}` does not go with `transport: sse`");
        cx.report.error(field.at(), message).hint("it is spoken over streamable HTTP and stdio");
        return None;
    }
    Some(protocol)
}

fn id(field: Field<'_>, cx: &mut Reading<'_>) -> Option<BackendId> {
    let name = field.text(&mut cx.report)?;
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.chars().all(fine) || name.len() > MAX_ID_LEN {
        cx.report
            .error(field.at(), format!("`{name}` cannot be the name of a backend"))
            .hint(format!("letters, digits, `-`, `_` and `.`, at most {MAX_ID_LEN}"));
        return None;
    }
    if name.contains('.') {
        cx.report
            .warning(field.at(), "a dot in a backend's name goes into the names of its tools")
            .hint("some clients refuse it; use `-`");
    }
    Some(BackendId::from(name))
}

/// A backend's name is part of advertised names, which clients bound at 64.
const MAX_ID_LEN: usize = 48;
