//! The sections vmcp adds: `listen`, `catalogue`, `session`, `seal`, `tasks`, `limits`, `timeouts`. Nearly every bound of
//! the product is here.

use std::time::Duration;

use crate::draft::positive;
use crate::field::{Field, Fields};
use crate::model::{Config, Limits, Listen, SessionLimits, Timeouts};
use crate::reading::Reading;
use crate::tree::{Kind, Value};

/// Reads our sections.
pub(super) fn read(top: &mut Fields<'_>, config: &mut Config, cx: &mut Reading<'_>) {
    if let Some(field) = top.only("listen", &mut cx.report) {
        config.listen = listen(field, cx);
    }
    if let Some(field) = top.only("catalogue", &mut cx.report) {
        super::catalogue::read(field, &mut config.catalogue, cx);
    }
    if let Some(field) = top.only("session", &mut cx.report) {
        session(field, &mut config.session, cx);
    }
    if let Some(field) = top.only("seal", &mut cx.report) {
        super::seal::read(field, &mut config.seal, cx);
    }
    if let Some(field) = top.only("tasks", &mut cx.report) {
        super::tasks::read(field, &mut config.tasks, cx);
    }
    if let Some(field) = top.only("limits", &mut cx.report) {
        limits(field, &mut config.limits, cx);
    }
    if let Some(field) = top.only("timeouts", &mut cx.report) {
        timeouts(field, &mut config.timeouts, cx);
    }
}

/// An address, a list of addresses, or a map.
fn listen(field: Field<'_>, cx: &mut Reading<'_>) -> Listen {
    let mut listen = Listen::default();
    if field.node.kind() != Kind::Map {
        addresses(field, &mut listen, cx);
        return listen;
    }
    let Some(mut fields) = field.fields("`listen`", &mut cx.report) else { return listen };
    if let Some(field) = fields.get("addresses") {
        addresses(field, &mut listen, cx);
    }
    if let Some(field) = fields.get("path")
        && let Some(path) = path(field, cx)
    {
        listen.path = path;
    }
    sse(fields.get("sse"), &mut listen, cx);
    if let Some(field) = fields.get("hosts") {
        listen.hosts = hosts(field, cx);
    }
    if let Some(field) = fields.get("origins") {
        listen.origins = origins(field, cx);
    }
    if let Some(field) = fields.get("tls") {
        listen.tls = super::tls::read(field, cx);
    }
    fields.finish(&mut cx.report);
    listen
}

fn path(field: Field<'_>, cx: &mut Reading<'_>) -> Option<String> {
    let path = field.text(&mut cx.report)?;
    if path.starts_with('/') && !path.contains(['?', '#', ' ']) {
        return Some(path.to_owned());
    }
    let problem = format!("`{}` must start with `/` and have no `?`, `#` or space", field.key);
    cx.report.error(field.at(), problem);
    None
}

/// A path, or `false`. The default gives way to a `path` of the same name.
fn sse(field: Option<Field<'_>>, listen: &mut Listen, cx: &mut Reading<'_>) {
    let meets = |listen: &Listen| {
        listen.sse.as_ref() == Some(&listen.path)
            || listen.sse_messages().as_ref() == Some(&listen.path)
    };
    let Some(field) = field else {
        if meets(listen) {
            listen.sse = None;
        }
        return;
    };
    if let Value::Scalar { text, plain: true } = &field.node.value
        && text == "false"
    {
        listen.sse = None;
        return;
    }
    let at = field.at();
    let Some(path) = path(field, cx) else { return };
    listen.sse = Some(path);
    if listen.sse == listen.sse_messages() {
        cx.report.error(at, "`sse` must not end with `/message`: messages are posted there");
    } else if meets(listen) {
        cx.report.error(at, "`sse`, and `message` beside it, must be other paths than `path`");
    }
}

/// Names as they stand in a `Host` header, with or without a port.
fn hosts(field: Field<'_>, cx: &mut Reading<'_>) -> Vec<String> {
    let mut hosts = Vec::new();
    for item in field.items(&mut cx.report) {
        let Some(host) = item.text(&mut cx.report) else { continue };
        if host.contains(['/', ' ', '*', '@']) {
            cx.report
                .error(item.at(), format!("`{host}` is not a host name"))
                .hint("such as mcp.example.com");
            continue;
        }
        hosts.push(host.to_owned());
    }
    hosts
}

fn origins(field: Field<'_>, cx: &mut Reading<'_>) -> Vec<String> {
    let mut origins = Vec::new();
    for item in field.items(&mut cx.report) {
        let Some(origin) = item.text(&mut cx.report) else { continue };
        let parsed = url::Url::parse(origin).ok().map(|url| url.origin().ascii_serialization());
        if parsed.is_none_or(|parsed| !parsed.eq_ignore_ascii_case(origin)) {
            cx.report
                .error(item.at(), format!("`{origin}` is not an origin"))
                .hint("scheme and host, such as https://app.example.com");
            continue;
        }
        origins.push(origin.to_owned());
    }
    origins
}

fn addresses(field: Field<'_>, listen: &mut Listen, cx: &mut Reading<'_>) {
    let items = match field.node.kind() {
        Kind::Seq => field.items(&mut cx.report),
        _ => vec![field],
    };
    let mut addrs = Vec::new();
    for item in items {
        let Some(text) = item.text(&mut cx.report) else { continue };
        match Listen::addr(text) {
            Ok(addr) => addrs.push(addr),
            Err(error) => {
                cx.report.error(item.at(), error.to_string()).hint("such as 127.0.0.1:4483")
            }
        }
    }
    if !addrs.is_empty() {
        listen.addrs = addrs;
    }
}

fn session(field: Field<'_>, session: &mut SessionLimits, cx: &mut Reading<'_>) {
    let Some(mut fields) = field.fields("`session`", &mut cx.report) else { return };
    time(&mut fields, "idle", &mut session.idle, cx);
    count(&mut fields, "maxSessions", &mut session.max_sessions, cx);
    count(&mut fields, "maxStreams", &mut session.max_streams, cx);
    count(&mut fields, "maxCalls", &mut session.max_calls, cx);
    count(&mut fields, "maxQueue", &mut session.max_queue, cx);
    count(&mut fields, "maxRemembered", &mut session.max_remembered, cx);
    time(&mut fields, "statelessIdle", &mut session.stateless_idle, cx);
    count(&mut fields, "maxStateless", &mut session.max_stateless, cx);
    let per_principal = &mut session.max_stateless_per_principal;
    count(&mut fields, "maxStatelessPerPrincipal", per_principal, cx);
    count(&mut fields, "maxListens", &mut session.max_listens, cx);
    size(&mut fields, "maxUriBytes", &mut session.max_uri_bytes, cx);
    fields.finish(&mut cx.report);
}

fn limits(field: Field<'_>, limits: &mut Limits, cx: &mut Reading<'_>) {
    let Some(mut fields) = field.fields("`limits`", &mut cx.report) else { return };
    size(&mut fields, "maxRequestBytes", &mut limits.max_request_bytes, cx);
    size(&mut fields, "maxMessageBytes", &mut limits.max_message_bytes, cx);
    size(&mut fields, "holdBytes", &mut limits.hold_bytes, cx);
    size(&mut fields, "maxHeaderBytes", &mut limits.max_header_bytes, cx);
    count(&mut fields, "maxDepth", &mut limits.max_depth, cx);
    count(&mut fields, "maxBatch", &mut limits.max_batch, cx);
    count(&mut fields, "maxConnections", &mut limits.max_connections, cx);
    count(&mut fields, "maxListPages", &mut limits.max_list_pages, cx);
    count(&mut fields, "maxListItems", &mut limits.max_list_items, cx);
    size(&mut fields, "maxListBytes", &mut limits.max_list_bytes, cx);
    size(&mut fields, "maxReplyBytes", &mut limits.max_reply_bytes, cx);
    count(&mut fields, "maxHeaders", &mut limits.max_headers, cx);
    count(&mut fields, "maxRequests", &mut limits.max_requests, cx);
    count(&mut fields, "maxMultiplexed", &mut limits.max_multiplexed, cx);
    size(&mut fields, "maxBodyMemory", &mut limits.max_body_memory, cx);
    count(&mut fields, "maxQuestions", &mut limits.max_questions, cx);
    count(&mut fields, "maxRounds", &mut limits.max_rounds, cx);
    count(&mut fields, "maxEmptyRounds", &mut limits.max_empty_rounds, cx);
    size(&mut fields, "replayBytes", &mut limits.replay_bytes, cx);
    count(&mut fields, "maxTokens", &mut limits.max_tokens, cx);
    count(&mut fields, "maxListings", &mut limits.max_listings, cx);
    fields.finish(&mut cx.report);
}

fn timeouts(field: Field<'_>, timeouts: &mut Timeouts, cx: &mut Reading<'_>) {
    let Some(mut fields) = field.fields("`timeouts`", &mut cx.report) else { return };
    time(&mut fields, "readHeaders", &mut timeouts.read_headers, cx);
    time(&mut fields, "handshake", &mut timeouts.handshake, cx);
    time(&mut fields, "certificates", &mut timeouts.certificates, cx);
    time(&mut fields, "idleConnection", &mut timeouts.idle_connection, cx);
    time(&mut fields, "keepAlive", &mut timeouts.keep_alive, cx);
    time(&mut fields, "firstCatalogue", &mut timeouts.first_catalogue, cx);
    time(&mut fields, "refresh", &mut timeouts.refresh, cx);
    time(&mut fields, "minRefresh", &mut timeouts.min_refresh, cx);
    time(&mut fields, "drain", &mut timeouts.drain, cx);
    time(&mut fields, "readBody", &mut timeouts.read_body, cx);
    time(&mut fields, "write", &mut timeouts.write, cx);
    time(&mut fields, "answer", &mut timeouts.answer, cx);
    time(&mut fields, "abandoned", &mut timeouts.abandoned, cx);
    time(&mut fields, "replay", &mut timeouts.replay, cx);
    time(&mut fields, "retry", &mut timeouts.retry, cx);
    time(&mut fields, "retryAfter", &mut timeouts.retry_after, cx);
    time(&mut fields, "maxCall", &mut timeouts.max_call, cx);
    time(&mut fields, "stall", &mut timeouts.stall, cx);
    time(&mut fields, "pipe", &mut timeouts.pipe, cx);
    time(&mut fields, "ping", &mut timeouts.ping, cx);
    time(&mut fields, "close", &mut timeouts.close, cx);
    time(&mut fields, "stale", &mut timeouts.stale, cx);
    time(&mut fields, "reconnect", &mut timeouts.reconnect, cx);
    time(&mut fields, "maxReconnect", &mut timeouts.max_reconnect, cx);
    time(&mut fields, "announce", &mut timeouts.announce, cx);
    time(&mut fields, "probe", &mut timeouts.probe, cx);
    time(&mut fields, "gather", &mut timeouts.gather, cx);
    time(&mut fields, "settle", &mut timeouts.settle, cx);
    fields.finish(&mut cx.report);
}

pub(super) fn count(
    fields: &mut Fields<'_>,
    key: &'static str,
    bound: &mut usize,
    cx: &mut Reading<'_>,
) {
    if let Some(given) = fields.get(key).and_then(|field| field.count(&mut cx.report)) {
        *bound = given;
    }
}

pub(super) fn size(
    fields: &mut Fields<'_>,
    key: &'static str,
    bound: &mut usize,
    cx: &mut Reading<'_>,
) {
    if let Some(given) = fields.get(key).and_then(|field| field.bytes(&mut cx.report)) {
        *bound = given;
    }
}

pub(super) fn time(
    fields: &mut Fields<'_>,
    key: &'static str,
    bound: &mut Duration,
    cx: &mut Reading<'_>,
) {
    if let Some(given) = fields.get(key).and_then(|field| positive(field, cx)) {
        *bound = given;
    }
}
