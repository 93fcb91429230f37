//! Which backend a request is for, and the one place where it is forwarded.
//!
//! A forwarded call costs one hash lookup, at most one splice of its params, and one send; its params and its reply
//! never become a tree of values.

use std::pin::pin;

use bytes::Bytes;
use tracing::Instrument;
use vmcp_backend::{Call, CallError, ErrorKind, Executed, Session};
use vmcp_wire::{Object, method};

mod completion;
mod extension;
mod lists;
mod logging;
mod names;
mod params;
mod resources;
mod tasks;

pub(crate) use logging::raise;
pub(crate) use resources::leave;
pub(crate) use tasks::{Ledger, TaskIds, Track, has_tasks, related, status, unwatch, watch};

use crate::metrics::Outcome;
use crate::naming::conflict::Capability;
use crate::relay::{Beside, Inner, Relay, Reply, Timer};
use crate::session::MultiSession;
use crate::view::View;

/// Answers one request of a client.
///
/// What is asked for rarely is boxed: the usual call would be moved about with the room for it.
pub(crate) async fn call(session: &MultiSession, call: Call) -> Result<Reply, CallError> {
    match &*call.method {
        method::TOOLS_CALL => names::call(session, Capability::Tool, call).await,
        method::PROMPTS_GET => names::call(session, Capability::Prompt, call).await,
        method::RESOURCES_READ => resources::read(session, call).await,
        _ => Box::pin(other(session, call)).await,
    }
}

async fn other(session: &MultiSession, call: Call) -> Result<Reply, CallError> {
    match &*call.method {
        method::RESOURCES_SUBSCRIBE => resources::subscribe(session, call).await,
        method::RESOURCES_UNSUBSCRIBE => resources::unsubscribe(session, call).await,
        method::TOOLS_LIST => lists::page(session, Capability::Tool, &call),
        method::PROMPTS_LIST => lists::page(session, Capability::Prompt, &call),
        method::RESOURCES_LIST => lists::page(session, Capability::Resource, &call),
        method::RESOURCES_TEMPLATES_LIST => lists::page(session, Capability::Template, &call),
        method::COMPLETION_COMPLETE => completion::complete(session, call).await,
        method::LOGGING_SET_LEVEL => logging::set_level(session, &call).await,
        method::TASKS_GET | method::TASKS_RESULT | method::TASKS_UPDATE | method::TASKS_CANCEL => {
            tasks::about(session, call).await
        }
        method::TASKS_LIST => tasks::list(session, call).await,
        _ => unknown(session, call).await,
    }
}

/// Whose the tool, prompt or resource is that a call names.
pub(crate) fn owner(session: &MultiSession, method: &str, params: &[u8]) -> Option<usize> {
    let object = Object::parse(params).ok()?;
    let text = |key| object.unique(key).ok()??.as_str();
    let view = session.view();
    match method {
        method::TOOLS_CALL => view.tool(&text("name")?).map(|route| route.backend),
        method::PROMPTS_GET => view.prompt(&text("name")?).map(|route| route.backend),
        method::RESOURCES_READ => resources::of(session, &view, &text("uri")?),
        _ => None,
    }
}

/// The one backend that declares a method, or a notification, that is not of the protocol.
pub(crate) fn declaring(view: &View, method: &str) -> Option<usize> {
    // No policy can permit what policies have no word for.
    if view.is_judged() {
        return None;
    }
    let name = method.strip_prefix("notifications/").unwrap_or(method);
    view.only(|offers| {
        let extends = |id: &str| extension::has(id, name);
        offers.experimental.iter().any(|(key, _)| extension::begins(method, key))
            || offers.extensions.iter().any(|(id, _)| extends(id))
    })
}

/// Forwards a call whose reply nobody reads, and waits for its end.
pub(crate) async fn settle(session: &Session, call: Call) {
    let method = call.method.clone();
    let ended = match session.forward(call).await {
        Ok(mut reply) => loop {
            match reply.next().await {
                Some(vmcp_backend::Event::Failed(error)) => break Err(error),
                Some(vmcp_backend::Event::Response(_) | vmcp_backend::Event::InputRequired(_))
                | None => break Ok(()),
                Some(_) => {}
            }
        },
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %method, "a call of our own failed");
    }
}

/// Forwards a call to a backend; its names are the backend's own by now.
async fn forward(session: &MultiSession, backend: usize, call: Call) -> Result<Reply, CallError> {
    forward_tracked(session, backend, call, None).await
}

/// The same for a call that is about a task, or may become one.
async fn forward_tracked(
    session: &MultiSession,
    backend: usize,
    call: Call,
    track: Option<Box<Track>>,
) -> Result<Reply, CallError> {
    let slot = &session.core.catalogue.slots[backend];
    let mut timer = Timer::start(slot, &call.method);
    let span = tracing::debug_span!("route", backend = %slot.target.id, method = %call.method);
    let replied = pin!(async {
        let (link, run) = session.link(backend, &call).await?;
        let typed = link.hello().revision.stateless();
        let Some(run) = run else { return Ok((Inner::Plain(link.forward(call).await?), typed)) };
        let mut beside = Box::new(Beside::new(link, call, *run));
        beside.begin().await?;
        Ok((Inner::Beside(beside), typed))
    });
    let replied = replied.instrument(span).await;
    match replied {
        Ok((inner, typed)) => {
            Ok(Reply::relayed(inner, typed, Relay::new(&session.client, timer, track)))
        }
        Err(error) => {
            timer.done(Outcome::of(&error));
            if error.kind == ErrorKind::Unavailable {
                // The catalogue should know before its next turn.
                slot.wake.notify_one();
            }
            Err(error)
        }
    }
}

async fn unknown(session: &MultiSession, call: Call) -> Result<Reply, CallError> {
    let only = declaring(&session.view_of(&call), &call.method);
    match only {
        Some(backend) => forward(session, backend, call).await,
        None => Err(CallError::client(ErrorKind::MethodNotFound(call.method.into_owned()))),
    }
}

/// The owner of what was asked for does not do this.
fn unable(session: &MultiSession, backend: usize, call: &Call) -> CallError {
    let id = &session.core.catalogue.slots[backend].target.id;
    let kind = ErrorKind::MethodNotFound(call.method.to_string());
    CallError::backend(id, kind, Executed::No)
}

/// The empty result.
fn empty() -> Reply {
    Reply::made(Bytes::from_static(b"{}"))
}
