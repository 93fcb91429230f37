//! Tasks of a backend for callers that follow them in the other form: what both directions have alike.
//!
//! A task object keeps every member and its place; only the two members that are spelled otherwise get the other name, and
//! what the other form has no place for is left out.

use std::sync::Arc;

use bytes::Bytes;
use vmcp_wire::revision::{
    INPUT_REQUESTS, REQUEST_STATE, RESULT_TYPE, TASK as TASK_RESULT, TTL_MS,
};
use vmcp_wire::task::{self, Status};
use vmcp_wire::{Edits, Kind, Limits, Message, Object, RawId, method, quote, rpc};

use super::{call_as_task, follow_asked, follow_offered};
use crate::link::Link;
use crate::reply::{Says, Scripted, without_response};
use crate::session::forward_again;
use crate::transport::Framing;
use crate::{
    Answer, Call, CallError, ErrorKind, Event, Executed, Reply, Response, Session, TaskForm,
};

/// The spelling of the requested form, and of the offered one.
const SPELLINGS: [(&str, &str); 2] = [("ttl", TTL_MS), ("pollInterval", "pollIntervalMs")];

/// A call that follows tasks otherwise than its backend does: the reply to it. `None` where there is nothing to translate.
pub(crate) async fn followed(link: &Arc<Link>, call: &Call) -> Result<Option<Reply>, CallError> {
    let concerned = matches!(
        &*call.method,
        method::TOOLS_CALL
            | method::TASKS_GET
            | method::TASKS_RESULT
            | method::TASKS_UPDATE
            | method::TASKS_CANCEL
    );
    if call.tasks == TaskForm::Own || !concerned {
        return Ok(None);
    }
    let live = link.live(&link.caller_of(call.caller.as_ref())).await?;
    match (call.tasks, live.is_stateless()) {
        (TaskForm::Requested, true) => follow_asked(link, call).await,
        (TaskForm::Offered, false) if has_requested(&live.server.capabilities) => {
            follow_offered(link, call).await
        }
        (TaskForm::Driven, false) if has_requested(&live.server.capabilities) => {
            call_as_task(link, call).await
        }
        _ => Ok(None),
    }
}

/// Whether a backend with these capabilities has tasks in the requested form, for calls of tools.
fn has_requested(capabilities: &[u8]) -> bool {
    let found = || {
        let tasks = Object::parse(capabilities).ok()?.get(task::CAPABILITY)?.as_object()?;
        tasks.get("requests")?.as_object()?.get("tools")?.as_object()?.get("call")
    };
    found().is_some()
}

/// One request on behalf of a call.
pub(super) fn step(call: &Call, name: &'static str, params: Bytes, form: TaskForm) -> Call {
    let mut step = Call::new(name, Some(params)).with_cancel(call.cancel.clone());
    step.caller.clone_from(&call.caller);
    step.trace.clone_from(&call.trace);
    step.tasks = form;
    step
}

/// A request of this bridge, whose answer is read whole. What else comes is nobody's.
///
/// Boxed, since this is part of what makes a call.
pub(super) fn ask<'a>(
    link: &'a Arc<Link>,
    call: Call,
) -> std::pin::Pin<Box<dyn Future<Output = Result<Answer, CallError>> + Send + 'a>> {
    Box::pin(async move {
        let session = Session::over(link);
        session.whole(forward_again(link, call).await?).await
    })
}

/// A reply of one event, which this work gives.
pub(super) fn once(
    work: impl Future<Output = Result<Event, CallError>> + Send + 'static,
) -> Scripted {
    Scripted::new(|_| async move { work.await.unwrap_or_else(Event::Failed) })
}

/// Passes everything on but the last event, which is given back; `related` goes out of what is passed on.
pub(super) async fn pass(link: &Link, mut reply: Reply, says: &Says) -> Event {
    loop {
        match reply.next().await {
            Some(event @ (Event::Notification(_) | Event::Request(_) | Event::Paused)) => {
                // Whoever does not listen any more has dropped this code, too.
                let _ = says.send(event).await;
            }
            Some(last) => return last,
            None => return Event::Failed(without_response(link.backend())),
        }
    }
}

/// The last event of a call that was to become a task: whole, if it may be one.
pub(super) async fn held(link: &Link, last: Event) -> Event {
    let Event::Response(Response::Parts(parts)) = last else { return last };
    match parts.whole(&limits(link)).await {
        Ok(message) => Event::Response(Response::Whole(message)),
        Err(error) => Event::Failed(error.at(link.backend())),
    }
}

/// The id of the task that params are about.
pub(super) fn named(call: &Call) -> Result<String, CallError> {
    let params = call.params.as_ref().and_then(|params| Object::parse(params).ok());
    let id = params.and_then(|params| Some(params.get(task::ID)?.as_str()?.into_owned()));
    let none = || CallError::client(ErrorKind::InvalidParams("taskId is missing".to_owned()));
    id.ok_or_else(none)
}

/// A result as the last event.
pub(super) fn success(link: &Link, result: &[u8]) -> Event {
    whole(link, rpc::success(&RawId::number(0), result))
}

/// A backend's error object as the last event.
pub(super) fn failure(link: &Link, error: &[u8]) -> Event {
    let message = [b"{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":", error, b"}"].concat();
    whole(link, message.into())
}

/// An error of our own as the last event.
pub(super) fn refused(link: &Link, code: i64, text: &str) -> Event {
    whole(link, rpc::failure(Some(&RawId::number(0)), code, text, None))
}

fn whole(link: &Link, message: Bytes) -> Event {
    match Message::parse(message, &limits(link)) {
        Ok(message) => Event::Response(Response::Whole(message)),
        Err(error) => Event::Failed(CallError::wire(link.backend(), &error)),
    }
}

pub(super) fn limits(link: &Link) -> Limits {
    Framing::from(&link.target().limits).limits
}

/// The result of a response that is there whole.
pub(super) fn result_of(event: &Event) -> Option<Bytes> {
    match event {
        Event::Response(Response::Whole(message)) if message.kind() == Kind::Success => {
            message.result()
        }
        _ => None,
    }
}

/// A backend's task is none.
pub(super) fn malformed(link: &Link) -> CallError {
    let text = "the backend's task is malformed".to_owned();
    CallError::backend(link.backend(), ErrorKind::Protocol(text), Executed::Unknown)
}

/// A task of the requested form in the offered one, in this state, with `more` members.
pub(super) fn offered(task: &[u8], status: Option<&str>, more: &[(&str, &[u8])]) -> Option<Bytes> {
    let object = Object::parse(task).ok()?;
    let mut edits = Edits::new();
    for (requested, offered) in SPELLINGS {
        respell(&mut edits, &object, requested, offered);
    }
    restate(&mut edits, &object, status);
    if !more.is_empty() {
        edits.rewrite(&object, &[], more);
    }
    Some(edits.apply(task))
}

/// A task of the offered form in the requested one, without what it brings along.
pub(super) fn requested(task: &[u8]) -> Option<Bytes> {
    // Something is removed or renamed in the same object, which is one step each.
    let bare = {
        let object = Object::parse(task).ok()?;
        let mut edits = Edits::new();
        let brought = [RESULT_TYPE, "result", "error", INPUT_REQUESTS, REQUEST_STATE];
        edits.rewrite(&object, &brought, &[]);
        edits.apply(task)
    };
    let object = Object::parse(&bare).ok()?;
    let mut edits = Edits::new();
    for (requested, offered) in SPELLINGS {
        respell(&mut edits, &object, offered, requested);
    }
    let failed = Object::parse(task).ok().is_some_and(|task| is_failure_of_tool(&task));
    restate(&mut edits, &object, failed.then_some("failed"));
    Some(edits.apply(&bare))
}

/// A task that its call was answered with, as a result of the requested form.
pub(super) fn created(result: &[u8]) -> Option<Bytes> {
    let task = requested(result)?;
    let object = Object::parse(&task).ok()?;
    let meta = object.get("_meta").map(|meta| meta.raw.to_vec());
    let mut edits = Edits::new();
    edits.rewrite(&object, &["_meta"], &[]);
    let mut out = [b"{\"task\":", &edits.apply(&task)[..]].concat();
    if let Some(meta) = meta {
        out.extend_from_slice(b",\"_meta\":");
        out.extend_from_slice(&meta);
    }
    out.push(b'}');
    Some(out.into())
}

/// The same in the other direction.
pub(super) fn made(result: &[u8]) -> Option<Bytes> {
    let object = Object::parse(result).ok()?;
    let task = object.get(task::TASK)?;
    let kind = quote(TASK_RESULT);
    let mut more: Vec<(&str, &[u8])> = vec![(RESULT_TYPE, &kind)];
    if let Some(meta) = object.get("_meta") {
        more.push(("_meta", meta.raw));
    }
    offered(task.raw, None, &more)
}

/// A result that belongs to no task any more: its own caller knows of none.
pub(crate) fn unrelated(result: &Bytes) -> Bytes {
    let object = Object::parse(result).ok();
    let meta = object.as_ref().and_then(|object| object.get("_meta")?.as_object());
    match (&object, meta) {
        (Some(object), Some(meta)) if meta.get(task::RELATED).is_some() => {
            let mut edits = Edits::new();
            match meta.len() {
                1 => edits.rewrite(object, &["_meta"], &[]),
                _ => edits.rewrite(&meta, &[task::RELATED], &[]),
            }
            edits.apply(result)
        }
        _ => result.clone(),
    }
}

/// A result or params of a question that belong to this task.
pub(super) fn related(raw: &[u8], id: &str) -> Option<Bytes> {
    let object = Object::parse(raw).ok()?;
    let task = task::naming(id);
    let mut edits = Edits::new();
    match object.get("_meta").and_then(|meta| meta.as_object()) {
        Some(meta) => edits.rewrite(&meta, &[task::RELATED], &[(task::RELATED, &task)]),
        None => {
            let meta = [b"{", &quote(task::RELATED)[..], b":", &task[..], b"}"].concat();
            edits.rewrite(&object, &["_meta"], &[("_meta", &meta)]);
        }
    }
    Some(edits.apply(raw))
}

/// Whether a finished task of the offered form is one whose tool failed: that form calls it completed.
fn is_failure_of_tool(task: &Object<'_>) -> bool {
    let failed = || {
        let result = task.get("result")?.as_object()?;
        result.get("isError")?.as_bool()
    };
    Status::of(task) == Some(Status::Completed) && failed() == Some(true)
}

fn respell(edits: &mut Edits, object: &Object<'_>, from: &str, to: &str) {
    if let Some(member) = object.get(from).filter(|_| object.get(to).is_none()) {
        edits.replace(member.key_span, quote(to));
    }
}

fn restate(edits: &mut Edits, object: &Object<'_>, status: Option<&str>) {
    if let (Some(status), Some(member)) = (status, object.get(task::STATUS)) {
        edits.replace(member.span, quote(status));
    }
}

#[cfg(test)]
mod tests;
