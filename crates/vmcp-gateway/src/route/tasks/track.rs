//! Ids of tasks in what backends say: the client reads its own. Nothing else is touched.

use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem;
use vmcp_backend::{CallError, ErrorKind, Executed, Parts, Response, RpcError, Side};
use vmcp_wire::{Edits, Kind, Limits, Message, Object, method, quote, rpc, task};

use super::id::Principal;
use super::ledger::{Owner, Place};
use super::no_such_task;
use crate::catalogue::Slot;
use crate::core::Core;
use crate::session::Client;

/// One call about a task, or one that may become a task, on its way back.
pub(crate) struct Track {
    core: Arc<Core>,
    client: Arc<Client>,
    slot: Arc<Slot>,
    what: What,
}

enum What {
    /// A call that may become a task; one that was asked for has a place.
    Made(Option<Place>),
    /// A call about this task.
    About { own: Box<str>, shown: Box<str>, method: Box<str> },
}

// === impl Track ===

impl Track {
    pub(super) fn made(
        core: &Arc<Core>,
        client: &Arc<Client>,
        slot: &Arc<Slot>,
        place: Option<Place>,
    ) -> Box<Self> {
        let what = What::Made(place);
        let (core, client, slot) = (core.clone(), client.clone(), slot.clone());
        Box::new(Self { core, client, slot, what })
    }

    pub(super) fn about(
        core: &Arc<Core>,
        client: &Arc<Client>,
        slot: &Arc<Slot>,
        (own, shown, method): (Box<str>, Box<str>, &str),
    ) -> Box<Self> {
        client.tasks.note(slot.index, &own, &shown);
        let what = What::About { own, shown, method: method.into() };
        let (core, client, slot) = (core.clone(), client.clone(), slot.clone());
        Box::new(Self { core, client, slot, what })
    }

    /// A long response, held whole if it must be there whole: the id may stand at its end. A call whose backend may make
    /// a task of it unasked is like any other until its answer says that it is one.
    pub(crate) fn held(
        &self,
        parts: Parts,
    ) -> impl Future<Output = Result<Response, CallError>> + Send + use<> {
        let limits = self.core.config.limits.of_messages();
        let only_tasks = matches!(self.what, What::Made(None));
        async move {
            match only_tasks {
                true => parts.unless_task(&limits).await,
                false => parts.whole(&limits).await.map(Response::Whole),
            }
        }
    }

    /// The response as the client gets it.
    pub(crate) fn response(&mut self, message: Message) -> Result<Message, CallError> {
        let owner = owner(&self.client);
        match &mut self.what {
            What::Made(place) => {
                let place = place.take();
                match message.result().filter(|result| is_task(result, place.is_some())) {
                    Some(result) => self.seal(&message, &result, place),
                    None => Ok(message),
                }
            }
            What::About { own, shown, method } => {
                if message.kind() == Kind::Failure {
                    let code = message.error().map(|error| RpcError::from_raw(error).code());
                    if &**method == method::TASKS_GET && code == Some(rpc::INVALID_PARAMS) {
                        // Whatever the backend's words are: no caller can tell one that is gone from one never made.
                        self.core.ledger.gone(owner, shown);
                        return Err(no_such_task());
                    }
                    return Ok(message);
                }
                let Some(result) = message.result() else { return Ok(message) };
                self.client.learnt.read_task(self.slot.index, &result);
                let told = renamed(&result, |id| (*id == **own).then(|| shown.clone()));
                let result = told.as_ref().unwrap_or(&result);
                if matches!(&**method, method::TASKS_GET | method::TASKS_CANCEL) {
                    self.core.ledger.told(owner, shown, result);
                }
                match &told {
                    Some(told) => with_result(&self.core, &message, told),
                    None => Ok(message),
                }
            }
        }
    }

    fn seal(
        &self,
        message: &Message,
        result: &Bytes,
        place: Option<Place>,
    ) -> Result<Message, CallError> {
        let wrong = || {
            let kind = ErrorKind::Protocol("the backend's task has no usable id".to_owned());
            let backend = &self.slot.target.id;
            CallError::backend(backend, kind, Executed::Unknown)
        };
        let own = task::places(result).into_iter().next().ok_or_else(wrong)?.id;
        let (ids, backend) = (&self.core.task_ids, self.slot.index);
        let who = Principal::of(&self.client.identity);
        let shown = ids.seal(who, &self.slot.target.id, &own).ok_or_else(wrong)?;
        self.client.tasks.note(backend, &own, &shown);
        let told = renamed(result, |id| (id == own).then(|| shown.clone())).ok_or_else(wrong)?;
        if let Some(place) = place {
            let object = Object::parse(&told).ok();
            let task = object.as_ref().and_then(|object| object.get(task::TASK));
            place.keep(backend, &own, &shown, task.map_or(&told[..], |task| task.raw));
        }
        with_result(&self.core, message, &told)
    }
}

/// Whose list a client's tasks are on.
pub(super) fn owner(client: &Client) -> Owner {
    let anonymous = client.identity.kind() == vmcp_auth::IdentityKind::Anonymous;
    Owner { principal: Principal::of(&client.identity), client: anonymous.then_some(client.id) }
}

/// A notification or a question that belongs to a task, under the id that the client knows. One of a task that the client
/// does not know loses the mark.
pub(crate) fn related(client: &Client, backend: usize, message: Message) -> Message {
    let params = message.params();
    let Some(params) = params.filter(|params| memmem::find(params, b"related-task").is_some())
    else {
        return message;
    };
    let edited = || {
        let object = Object::parse(&params).ok()?;
        let meta = object.get("_meta")?.as_object()?;
        let id = meta.get(task::RELATED)?.as_object()?.get(task::ID)?;
        let mut edits = Edits::new();
        match client.tasks.shown(backend, &id.as_str()?) {
            Some(shown) => edits.replace(id.span, quote(&shown)),
            None => edits.rewrite(&meta, &[task::RELATED], &[]),
        }
        Message::parse(message.with_params(&edits.apply(&params)), &Limits::default()).ok()
    };
    edited().unwrap_or(message)
}

/// What a backend says of a task on its own, under the id that the client knows; `None` if it knows of none such.
pub(crate) fn status(client: &Client, backend: usize, message: &Message) -> Option<Message> {
    let params = message.params()?;
    let own = Object::parse(&params).ok()?.get(task::ID)?.as_str()?.into_owned();
    let shown = client.tasks.shown(backend, &own)?;
    let told = renamed(&params, |id| (id == own).then(|| shown.clone()))?;
    Message::parse(message.with_params(&told), &Limits::default()).ok()
}

/// Whether a result is a task. One that was asked for has it as a member.
fn is_task(result: &[u8], asked_for: bool) -> bool {
    if !asked_for {
        return task::is_made(result);
    }
    let task = || Object::parse(result).ok()?.get(task::TASK)?.as_object()?.get(task::ID);
    task::is_mentioned(result) && task().is_some()
}

/// The object with other ids in place of those that have another; `None` if none has.
fn renamed(raw: &[u8], name: impl Fn(&str) -> Option<Box<str>>) -> Option<Bytes> {
    if !task::is_mentioned(raw) {
        return None;
    }
    let mut edits = Edits::new();
    for place in task::places(raw) {
        if let Some(other) = name(&place.id) {
            edits.replace(place.span, quote(&other));
        }
    }
    (!edits.is_empty()).then(|| edits.apply(raw))
}

/// A task of a backend under the id that its client knows.
pub(super) fn shown(task: &Bytes, own: &str, shown: &str) -> Option<Bytes> {
    renamed(task, |id| (id == own).then(|| shown.into()))
}

/// The same response with this result.
fn with_result(core: &Core, message: &Message, result: &[u8]) -> Result<Message, CallError> {
    let mut limits = core.config.limits.of_messages();
    // Ids grow a little.
    limits.max_bytes = limits.max_bytes.saturating_mul(2);
    let edited = || {
        let envelope = Object::parse(message.bytes()).ok()?;
        let mut edits = Edits::new();
        edits.replace(envelope.get("result")?.span, Bytes::copy_from_slice(result));
        Message::parse(edits.apply(message.bytes()), &limits).ok()
    };
    edited().ok_or_else(|| {
        let kind = ErrorKind::Protocol("the backend's task cannot be told".to_owned());
        CallError::new(Side::Backend, kind, Executed::Unknown)
    })
}
