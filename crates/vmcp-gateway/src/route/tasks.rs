//! Tasks: calls that go on after they were answered.
//!
//! A client knows a task by an id of vmcp's own ([`id`]), which says whose it is; ids are all that is changed in what passes
//! ([`track`]). Where a client and a backend follow tasks in different forms, the backend's session translates: the call
//! says how its client does. What clients have asked for is listed from here ([`ledger`]).

use vmcp_backend::{Call, CallError, ErrorKind, Session, TaskForm};
use vmcp_wire::task::{self, Support};
use vmcp_wire::{Edits, Object, method};

mod id;
mod ledger;
mod list;
mod track;
mod watch;

pub(crate) use id::TaskIds;
pub(crate) use ledger::Ledger;
pub(super) use list::list;
pub(crate) use track::{Track, related, status};
pub(crate) use watch::{unwatch, watch};

use super::params::{self, invalid};
use super::{forward_tracked, unknown};
use crate::catalogue::Offers;
use crate::relay::Reply;
use crate::session::MultiSession;
use id::Principal;

/// What becomes of a tool call.
#[derive(Default)]
pub(super) struct Plan {
    /// How its client follows the task that it may become.
    pub form: TaskForm,
    /// Reads the answer, if it may be a task.
    pub track: Option<Box<Track>>,
}

/// Whether a backend has tasks in either form.
pub(crate) fn has_tasks(offers: &Offers) -> bool {
    offers.tasks || offers_tasks(offers)
}

fn offers_tasks(offers: &Offers) -> bool {
    offers.extensions.iter().any(|(key, _)| **key == *task::EXTENSION)
}

/// `tasks/get`, `result`, `update` and `cancel`: at the backend whose task it is, under the backend's own id.
pub(super) async fn about(session: &MultiSession, mut call: Call) -> Result<Reply, CallError> {
    let form = session.client.form;
    let has_it = match form {
        TaskForm::Requested => call.method != method::TASKS_UPDATE,
        TaskForm::Offered => call.method != method::TASKS_RESULT,
        TaskForm::Own | TaskForm::Driven => false,
    };
    if !has_it || !session.view().offers.iter().flatten().any(|offers| has_tasks(offers)) {
        return unknown(session, call).await;
    }
    let (backend, own, shown, spliced) = {
        let object = params::object(&call)?;
        let (shown, member) = params::text(&object, task::ID)?;
        let (backend, own) = find(session, &shown).ok_or_else(no_such_task)?;
        let mut edits = Edits::new();
        edits.replace(member.span, vmcp_wire::quote(&own));
        let raw = call.params.as_deref().unwrap_or_default();
        (backend, own, Box::from(&*shown), edits.apply(raw))
    };
    (call.params, call.tasks) = (Some(spliced), form);
    if call.method == method::TASKS_RESULT {
        // It waits for as long as the task takes.
        call.timeout = Some(session.core.config.timeouts.max_call);
    }
    let slot = &session.core.catalogue.slots[backend];
    let task = (own, shown, &*call.method);
    let track = Track::about(&session.core, &session.client, slot, task);
    forward_tracked(session, backend, call, Some(track)).await
}

/// What becomes of a call of this tool, and what of its params is changed for it.
pub(super) fn plan(
    session: &MultiSession,
    backend: usize,
    (name, params): (&str, &Object<'_>),
    edits: &mut Edits,
) -> Result<Plan, CallError> {
    let view = session.view();
    let offers = view.offers[backend].clone();
    let (asks, offered) = match &offers {
        Some(offers) => (offers.tasks, offers_tasks(offers)),
        None => (false, false),
    };
    let is_required = || view.task_support(name) == Support::Required;
    match session.client.form {
        TaskForm::Requested => asked_for(session, backend, (params, asks || offered), edits),
        _ if !asks && !offered => Ok(Plan::default()),
        TaskForm::Offered => {
            let slot = &session.core.catalogue.slots[backend];
            let track = Track::made(&session.core, &session.client, slot, None);
            let form = if asks && is_required() { TaskForm::Offered } else { TaskForm::Own };
            Ok(Plan { form, track: Some(track) })
        }
        TaskForm::Driven if asks && is_required() => {
            Ok(Plan { form: TaskForm::Driven, track: None })
        }
        TaskForm::Own if asks && is_required() => {
            Err(CallError::client(ErrorKind::TaskRequired(name.to_owned())))
        }
        TaskForm::Own | TaskForm::Driven => Ok(Plan::default()),
    }
}

/// A call of a client that may ask for a task.
fn asked_for(
    session: &MultiSession,
    backend: usize,
    (params, able): (&Object<'_>, bool),
    edits: &mut Edits,
) -> Result<Plan, CallError> {
    let asked = params::member(params, task::TASK)?.filter(|member| !member.is_null());
    let Some(member) = asked else { return Ok(Plan::default()) };
    if !able {
        // A backend without tasks has to take the call as any other, and some are strict.
        edits.rewrite(params, &[task::TASK], &[]);
        return Ok(Plan::default());
    }
    let asked = member.as_object().ok_or_else(|| invalid("task must be an object"))?;
    let longest = session.core.config.tasks.lifetime.as_millis();
    if let Some(ttl) = asked.get("ttl")
        && ttl.as_u64().is_some_and(|ttl| u128::from(ttl) > longest)
    {
        edits.replace(ttl.span, longest.to_string());
    }
    let place = session.core.ledger.reserve(track::owner(&session.client));
    let place = place.ok_or_else(|| CallError::gateway(ErrorKind::Busy))?;
    let slot = &session.core.catalogue.slots[backend];
    let track = Track::made(&session.core, &session.client, slot, Some(place));
    Ok(Plan { form: TaskForm::Requested, track: Some(track) })
}

/// The backend whose task this client means, and the backend's own id.
fn find(session: &MultiSession, shown: &str) -> Option<(usize, Box<str>)> {
    let known = session.core.task_ids.open(Principal::of(&session.client.identity), shown)?;
    let slots = &session.core.catalogue.slots;
    let slot = slots.iter().find(|slot| slot.target.id.as_str() == &*known.backend)?;
    Some((slot.index, known.own))
}

/// Unknown, somebody else's, too old, changed: the same words for all.
pub(super) fn no_such_task() -> CallError {
    invalid("there is no such task")
}

/// A session to this backend, opened for whoever calls.
async fn link(
    session: &MultiSession,
    backend: usize,
    caller: &vmcp_auth::Caller,
) -> Result<Session, CallError> {
    let call = Call::new(method::TASKS_GET, None).with_caller(caller.clone());
    session.link(backend, &call).await.map(|(session, _)| session)
}
