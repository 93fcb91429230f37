//! `resources/read`, `subscribe` and `unsubscribe`: by URI, which is never rewritten.

use tokio::sync::MutexGuard;
use vmcp_backend::{Call, CallError, ErrorKind, Session};
use vmcp_wire::{method, quote};

use super::{empty, forward, params, settle, unable};
use crate::catalogue::{Scope, Slot};
use crate::relay::Reply;
use crate::session::MultiSession;
use crate::view::View;

/// Reads a resource at its owner.
pub(super) async fn read(session: &MultiSession, call: Call) -> Result<Reply, CallError> {
    let (backend, _) = owner(session, &call)?;
    forward(session, backend, call).await
}

/// Subscribes at the owner. Of a shared backend the subscribers are counted.
pub(super) async fn subscribe(session: &MultiSession, call: Call) -> Result<Reply, CallError> {
    let (backend, uri) = subscribable(session, &call)?;
    let slot = &session.core.catalogue.slots[backend];
    if slot.scope != Scope::Shared {
        return forward(session, backend, call).await;
    }
    let _turn = turn(slot, &call).await?;
    // Joins the hub, and is counted before the backend is asked: an update may come before its answer.
    session.link(backend, &call).await?;
    slot.hub.subscribe(session.client.id, &uri);
    let replied = forward(session, backend, call).await;
    if replied.is_err() {
        slot.hub.unsubscribe(session.client.id, &uri);
    }
    replied
}

/// Ends a subscription. A shared backend is told when the last subscriber goes.
pub(super) async fn unsubscribe(session: &MultiSession, call: Call) -> Result<Reply, CallError> {
    let (backend, uri) = subscribable(session, &call)?;
    let slot = &session.core.catalogue.slots[backend];
    if slot.scope != Scope::Shared {
        return forward(session, backend, call).await;
    }
    let _turn = turn(slot, &call).await?;
    if !slot.hub.unsubscribe(session.client.id, &uri) {
        return Ok(empty());
    }
    forward(session, backend, call).await
}

/// A client of a shared backend is gone, and with it its subscriptions.
pub(crate) async fn leave(slot: &Slot, client: u64, link: &Session) {
    let _turn = slot.hub.turn().await;
    for uri in slot.hub.leave(client) {
        let mut params = b"{\"uri\":".to_vec();
        params.extend_from_slice(&quote(&uri));
        params.push(b'}');
        settle(link, Call::new(method::RESOURCES_UNSUBSCRIBE, Some(params.into()))).await;
    }
}

async fn turn<'a>(slot: &'a Slot, call: &Call) -> Result<MutexGuard<'a, ()>, CallError> {
    tokio::select! {
        turn = slot.hub.turn() => Ok(turn),
        () = call.cancel.cancelled() => Err(CallError::client(ErrorKind::Cancelled)),
    }
}

fn subscribable(session: &MultiSession, call: &Call) -> Result<(usize, String), CallError> {
    let (backend, uri) = owner(session, call)?;
    let view = session.view();
    let able = view.offers[backend].as_ref().is_some_and(|offers| offers.subscribe);
    if able { Ok((backend, uri)) } else { Err(unable(session, backend, call)) }
}

/// Who is asked for this URI: its owner by name or template, else whoever linked to it in a result, else the only
/// backend that has resources at all.
fn owner(session: &MultiSession, call: &Call) -> Result<(usize, String), CallError> {
    let object = params::object(call)?;
    let (uri, _) = params::text(&object, "uri")?;
    let view = session.view_of(call);
    let found = of(session, &view, &uri);
    drop(view);
    let uri = uri.into_owned();
    match found {
        Some(backend) => Ok((backend, uri)),
        None => Err(CallError::client(ErrorKind::UnknownResource(uri))),
    }
}

/// Whose resource this is.
pub(super) fn of(session: &MultiSession, view: &View, uri: &str) -> Option<usize> {
    if !view.permits_uri(uri) {
        return None;
    }
    view.resource(uri)
        .or_else(|| session.client.learnt.owner(uri))
        .or_else(|| view.only(|offers| offers.resources))
}
