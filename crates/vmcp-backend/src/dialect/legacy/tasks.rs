//! Tasks of a backend whose callers ask for them: for callers that are offered tasks, and for callers that know of none.
//!
//! | caller | backend |
//! | --- | --- |
//! | calls a tool | with `task`; its answer is the task |
//! | `tasks/get` | `tasks/get`; of a finished task `tasks/result` too, and of one that waits its questions ([`waiting`](super::waiting)) |
//! | `tasks/update` | the answers to these questions |
//! | `tasks/cancel` | the same; that a task is over already is no error |
//!
//! A task that is followed for its caller is one reply: the call, then `tasks/result`. No tool is ever called twice.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use vmcp_wire::revision::{INPUT_REQUESTS, INPUT_RESPONSES};
use vmcp_wire::task::{self, Status};
use vmcp_wire::{Edits, Limits, Message, Object, method, rpc};

use super::super::tasks::{
    ask, failure, held, made, malformed, named, offered, once, pass, refused, result_of, step,
    success, unrelated,
};
use super::waiting::Held;
use crate::error::code_of;
use crate::link::Link;
use crate::reply::{Says, Scripted};
use crate::session::forward_again;
use crate::{Answer, Call, CallError, ErrorKind, Event, Executed, Reply, TaskForm};

/// How long the questions of a task that waits may take to come. Later ones come with the next look at the task.
const PATIENCE: Duration = Duration::from_secs(1);

/// For a caller that is offered tasks.
pub(in crate::dialect) async fn follow(
    link: &Arc<Link>,
    call: &Call,
) -> Result<Option<Reply>, CallError> {
    if call.method == method::TOOLS_CALL {
        return make(link, call).await.map(Some);
    }
    let (link, call, id) = (Arc::clone(link), call.clone(), named(call)?);
    let scripted = match &*call.method {
        method::TASKS_GET => once(async move { look(&link, &call, &id).await }),
        method::TASKS_UPDATE => once(async move { update(&link, &call, &id).await }),
        method::TASKS_CANCEL => once(async move { cancel(&link, &call, &id).await }),
        _ => return Ok(None),
    };
    Ok(Some(Reply::scripted(false, scripted)))
}

/// For a caller that follows none: the reply goes on until the task is over.
pub(in crate::dialect) async fn drive(
    link: &Arc<Link>,
    call: &Call,
) -> Result<Option<Reply>, CallError> {
    if call.method != method::TOOLS_CALL {
        return Ok(None);
    }
    let reply = ask_for_task(link, call).await?;
    let (link, call) = (Arc::clone(link), call.clone());
    let scripted = Scripted::new(move |says| async move {
        let first = held(&link, pass(&link, reply, &says).await).await;
        let task = result_of(&first).and_then(|result| {
            let task = Object::parse(&result).ok()?.get(task::TASK)?.as_object()?;
            Some(task.get(task::ID)?.as_str()?.into_owned())
        });
        match task {
            Some(id) => to_its_end(link, call, id, says).await,
            None => first,
        }
    });
    // A stream: it may take long.
    Ok(Some(Reply::scripted(true, scripted)))
}

/// Calls a tool as a task.
async fn make(link: &Arc<Link>, call: &Call) -> Result<Reply, CallError> {
    let reply = ask_for_task(link, call).await?;
    let (link, streamed) = (Arc::clone(link), reply.streamed);
    let scripted = Scripted::new(move |says| async move {
        let last = held(&link, pass(&link, reply, &says).await).await;
        match result_of(&last).and_then(|result| made(&result)) {
            Some(task) => success(&link, &task),
            None => last,
        }
    });
    Ok(Reply::scripted(streamed, scripted))
}

async fn ask_for_task(link: &Arc<Link>, call: &Call) -> Result<Reply, CallError> {
    let params = call.params.clone().unwrap_or_else(|| Bytes::from_static(b"{}"));
    let wrong = || {
        let kind = ErrorKind::InvalidParams("params must be an object".to_owned());
        CallError::client(kind)
    };
    let params = {
        let object = Object::parse(&params).map_err(|_| wrong())?;
        let mut edits = Edits::new();
        edits.rewrite(&object, &[task::TASK], &[(task::TASK, b"{}")]);
        edits.apply(&params)
    };
    let mut asked = call.clone();
    (asked.params, asked.tasks) = (Some(params), TaskForm::Requested);
    forward_again(link, asked).await
}

/// Waits for the result of a task. Dropped before, the task is cancelled.
async fn to_its_end(link: Arc<Link>, call: Call, id: String, says: Says) -> Event {
    let mut unwanted =
        Unwanted { link: Arc::clone(&link), call: call.clone(), id: Some(id.clone()) };
    let mut wait = step(&call, method::TASKS_RESULT, task::naming(&id), TaskForm::Requested);
    wait.timeout = Some(link.target().limits.max_call);
    let last = match forward_again(&link, wait).await {
        Ok(reply) => pass(&link, reply, &says).await,
        Err(error) => Event::Failed(error),
    };
    match last {
        // It is about the waiting; the tool was called long before.
        Event::Failed(mut error) => {
            error.executed = Executed::Unknown;
            Event::Failed(error)
        }
        last => {
            unwanted.id = None;
            match result_of(&last) {
                Some(result) => success(&link, &unrelated(&result)),
                None => last,
            }
        }
    }
}

/// The state of a task, with all that belongs to it.
async fn look(link: &Arc<Link>, call: &Call, id: &str) -> Result<Event, CallError> {
    // Once more, if it went on while it was looked at.
    for again in [true, false] {
        let asked = step(call, method::TASKS_GET, task::naming(id), TaskForm::Requested);
        let task = match ask(link, asked).await? {
            Answer::Success(task) => task,
            Answer::Failure(error) => return Ok(failure(link, &error)),
        };
        let status = Object::parse(&task).ok().and_then(|task| Status::of(&task));
        let status = status.ok_or_else(|| malformed(link))?;
        let text = match status {
            Status::Completed | Status::Failed => return ended(link, call, id, &task).await,
            Status::InputRequired => match questions(link, call, id).await? {
                Some(requests) => {
                    let more: [(&str, &[u8]); 1] = [(INPUT_REQUESTS, &requests)];
                    return told(link, offered(&task, None, &more));
                }
                None if again && link.waiting().find(id).is_none() => continue,
                // What it waits for is not known yet: there is nothing to be done but to look again.
                None => Some("working"),
            },
            Status::Working | Status::Cancelled => None,
        };
        if status.is_final() {
            link.waiting().forget(id);
        }
        return told(link, offered(&task, text, &[]));
    }
    Err(malformed(link))
}

fn told(link: &Link, task: Option<Bytes>) -> Result<Event, CallError> {
    task.map(|task| success(link, &task)).ok_or_else(|| malformed(link))
}

/// A task that is over, with its result or error.
async fn ended(link: &Arc<Link>, call: &Call, id: &str, task: &[u8]) -> Result<Event, CallError> {
    link.waiting().forget(id);
    let asked = step(call, method::TASKS_RESULT, task::naming(id), TaskForm::Requested);
    let task = match ask(link, asked).await? {
        // A tool that failed has a result all the same, which this form calls completed.
        Answer::Success(result) => {
            let result = unrelated(&result);
            offered(task, Some("completed"), &[("result", &result)])
        }
        Answer::Failure(error) => offered(task, Some("failed"), &[("error", &error)]),
    };
    told(link, task)
}

/// The questions of a task that waits; `None` if there is none yet, or not any more.
async fn questions(link: &Arc<Link>, call: &Call, id: &str) -> Result<Option<Bytes>, CallError> {
    let mut wait = step(call, method::TASKS_RESULT, task::naming(id), TaskForm::Requested);
    (wait.timeout, wait.cancel) = (Some(link.target().limits.max_call), crate::Cancel::new());
    let most = link.target().limits.tasks.max_waiting;
    let held = link.waiting().hold(id, most, |held| Held::read(link, wait, held));
    let held = held.ok_or_else(|| CallError::gateway(ErrorKind::Busy).at(link.backend()))?;
    // Whatever comes of it: what there is is told.
    let _ = tokio::time::timeout(PATIENCE, held.asked()).await;
    let requests = held.requests();
    if held.is_over() {
        link.waiting().forget(id);
        return Ok(None);
    }
    Ok(requests)
}

/// Gives answers to whoever asked. Answers to what was not asked, or was answered, are nobody's.
async fn update(link: &Arc<Link>, call: &Call, id: &str) -> Result<Event, CallError> {
    let invalid = |text: &str| CallError::client(ErrorKind::InvalidParams(text.to_owned()));
    // Whoever repeats calls with answers has them apart from the params.
    let apart = call.input.as_ref().and_then(|input| input.responses.clone());
    let raw = apart.or_else(|| {
        let params = call.params.as_ref()?;
        let member = Object::parse(params).ok()?.get(INPUT_RESPONSES)?;
        Some(params.slice(member.span))
    });
    let given = raw.as_deref().and_then(|raw| Object::parse(raw).ok());
    let given = given.ok_or_else(|| invalid("inputResponses must be an object"))?;
    let Some(held) = link.waiting().find(id) else { return Ok(success(link, b"{}")) };
    let mut answers = Vec::new();
    for (key, member) in given.iter() {
        let message = rpc::success(&vmcp_wire::RawId::number(0), member.raw);
        let message = Message::parse(message, &Limits::default());
        let message = message.ok().filter(|_| member.as_object().is_some());
        let message = message.ok_or_else(|| invalid("an answer must be an object"))?;
        answers.push((key, message));
    }
    for (key, message) in answers {
        if let Some(peer) = held.take(&key) {
            peer.answer(&message).await;
        }
    }
    Ok(success(link, b"{}"))
}

/// Cancels a task; that it is over already is no error.
async fn cancel(link: &Arc<Link>, call: &Call, id: &str) -> Result<Event, CallError> {
    let asked = step(call, method::TASKS_CANCEL, task::naming(id), TaskForm::Requested);
    let error = match ask(link, asked).await? {
        Answer::Success(_) => {
            link.waiting().forget(id);
            return Ok(success(link, b"{}"));
        }
        Answer::Failure(error) => error,
    };
    if code_of(&error) == Some(rpc::INVALID_PARAMS) {
        let asked = step(call, method::TASKS_GET, task::naming(id), TaskForm::Requested);
        if let Answer::Success(task) = ask(link, asked).await?
            && let Ok(task) = Object::parse(&task)
            && Status::of(&task).is_some_and(Status::is_final)
        {
            return Ok(success(link, b"{}"));
        }
    }
    Ok(match code_of(&error) {
        Some(_) => failure(link, &error),
        None => refused(link, rpc::INTERNAL_ERROR, "the task was not cancelled"),
    })
}

/// A task that nobody waits for any more is cancelled.
struct Unwanted {
    link: Arc<Link>,
    call: Call,
    /// `None` once it is over.
    id: Option<String>,
}

impl Drop for Unwanted {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let mut cancel =
            step(&self.call, method::TASKS_CANCEL, task::naming(&id), TaskForm::Requested);
        cancel.cancel = crate::Cancel::new();
        let link = Arc::clone(&self.link);
        self.link.errands().run(async move {
            if let Err(error) = ask(&link, cancel).await {
                tracing::debug!(%error, "a task that nobody waits for was not cancelled");
            }
        });
    }
}
