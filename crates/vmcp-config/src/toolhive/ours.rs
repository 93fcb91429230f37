//! The sections vmcp adds: `listen`, `session`, `limits`, `timeouts`. Every bound of the product is here.

use std::time::Duration;

use crate::draft::positive;
use crate::field::{Field, Fields};
use crate::model::{Config, Limits, Listen, SessionLimits, Timeouts};
use crate::reading::Reading;
use crate::tree::Kind;

/// Reads our sections.
pub(super) fn read(top: &mut Fields<'_>, config: &mut Config, cx: &mut Reading<'_>) {
    if let Some(field) = top.only("listen", &mut cx.report) {
        config.listen = listen(field, cx);
    }
    if let Some(field) = top.only("session", &mut cx.report) {
        session(field, &mut config.session, cx);
    }
    if let Some(field) = top.only("limits", &mut cx.report) {
        limits(field, &mut config.limits, cx);
    }
    if let Some(field) = top.only("timeouts", &mut cx.report) {
        timeouts(field, &mut config.timeouts, cx);
    }
}

/// An address, a list of addresses, or a map with `addresses` and `path`.
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
        && let Some(path) = field.text(&mut cx.report)
    {
        if path.starts_with('/') && !path.contains(['?', '#', ' ']) {
            listen.path = path.to_owned();
        } else {
            cx.report.error(field.at(), "`path` must start with `/` and have no `?`, `#` or space");
        }
    }
    fields.finish(&mut cx.report);
    listen
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
    fields.finish(&mut cx.report);
}

fn timeouts(field: Field<'_>, timeouts: &mut Timeouts, cx: &mut Reading<'_>) {
    let Some(mut fields) = field.fields("`timeouts`", &mut cx.report) else { return };
    time(&mut fields, "readHeaders", &mut timeouts.read_headers, cx);
    time(&mut fields, "idleConnection", &mut timeouts.idle_connection, cx);
    time(&mut fields, "keepAlive", &mut timeouts.keep_alive, cx);
    time(&mut fields, "firstCatalogue", &mut timeouts.first_catalogue, cx);
    time(&mut fields, "refresh", &mut timeouts.refresh, cx);
    time(&mut fields, "drain", &mut timeouts.drain, cx);
    fields.finish(&mut cx.report);
}

fn count(fields: &mut Fields<'_>, key: &'static str, bound: &mut usize, cx: &mut Reading<'_>) {
    if let Some(given) = fields.get(key).and_then(|field| field.count(&mut cx.report)) {
        *bound = given;
    }
}

fn size(fields: &mut Fields<'_>, key: &'static str, bound: &mut usize, cx: &mut Reading<'_>) {
    if let Some(given) = fields.get(key).and_then(|field| field.bytes(&mut cx.report)) {
        *bound = given;
    }
}

fn time(fields: &mut Fields<'_>, key: &'static str, bound: &mut Duration, cx: &mut Reading<'_>) {
    if let Some(given) = fields.get(key).and_then(|field| positive(field, cx)) {
        *bound = given;
    }
}
