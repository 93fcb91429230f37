//! `resources/read`, `subscribe` and `unsubscribe`: by URI, which is never rewritten.

use vmcp_backend::{Call, CallError, ErrorKind};
use vmcp_wire::method;

use super::{empty, forward, params, settle, unable};
use crate::catalogue::Scope;
use crate::relay::Reply;
use crate::session::MultiSession;

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
    if !slot.hub.unsubscribe(session.client.id, &uri) {
        return Ok(empty());
    }
    let again = Call::new(method::RESOURCES_SUBSCRIBE, call.params.clone());
    let reply = forward(session, backend, call).await?;
    // Somebody else may have subscribed while the backend was told that nobody is left.
    if slot.hub.subscribed(&uri)
        && let Some(own) = slot.own()
    {
        session.core.spawner.spawn(async move { settle(&own, again).await });
    }
    Ok(reply)
}

fn subscribable(session: &MultiSession, call: &Call) -> Result<(usize, String), CallError> {
    let (backend, uri) = owner(session, call)?;
    let view = session.core.catalogue.view();
    let able = view.offers[backend].as_ref().is_some_and(|offers| offers.subscribe);
    if able { Ok((backend, uri)) } else { Err(unable(session, backend, call)) }
}

/// Who is asked for this URI: its owner by name or template, else whoever linked to it in a result, else the only
/// backend that has resources at all.
fn owner(session: &MultiSession, call: &Call) -> Result<(usize, String), CallError> {
    let object = params::object(call)?;
    let (uri, _) = params::text(&object, "uri")?;
    let view = session.core.catalogue.view();
    let found = view
        .resource(&uri)
        .or_else(|| session.client.learnt.owner(&uri))
        .or_else(|| view.only(|offers| offers.resources));
    let uri = uri.into_owned();
    match found {
        Some(backend) => Ok((backend, uri)),
        None => Err(CallError::client(ErrorKind::UnknownResource(uri))),
    }
}
