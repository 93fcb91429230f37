//! Tasks of a backend that offers them, for callers that ask for them.
//!
//! | caller | backend |
//! | --- | --- |
//! | calls a tool with `task` | the call without it, by a client that can follow tasks; what is answered at once is the answer |
//! | `tasks/get`, `tasks/cancel` | the same; cancelling one that is over is refused here |
//! | `tasks/result` | `tasks/get` again and again until the task is over; its questions go to the caller meanwhile, the answers back in `tasks/update` |

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout_at};
use vmcp_wire::revision::INPUT_REQUESTS;
use vmcp_wire::task::{self, Status};
use vmcp_wire::{Edits, Limits, Message, Object, method, quote, rpc};

use super::super::tasks::{
    ask, created, failure, held, limits, malformed, named, once, pass, refused, related, requested,
    result_of, step, success, unrelated,
};
use super::input::{Answers, Asked, questions};
use super::listen::Stream;
use crate::link::{Link, Live};
use crate::peer::OpenRequests;
use crate::reply::{Says, Scripted};
use crate::session::forward_again;
use crate::transport::Answerer;
use crate::{
    Answer, Call, CallError, ErrorKind, Event, Executed, InputGiven, PeerRequest, Reply, TaskForm,
};

/// How often a task is looked at that says nothing of it.
const POLL: Duration = Duration::from_secs(1);

/// For a caller that asks for tasks.
pub(in crate::dialect) async fn follow(
    link: &Arc<Link>,
    call: &Call,
) -> Result<Option<Reply>, CallError> {
    if call.method == method::TOOLS_CALL {
        return make(link, call).await.map(Some);
    }
    let call_waits = call.method == method::TASKS_RESULT;
    let (link, call, id) = (Arc::clone(link), call.clone(), named(call)?);
    let scripted = match &*call.method {
        method::TASKS_GET => once(async move { look(&link, &call, &id).await }),
        method::TASKS_CANCEL => once(async move { cancel(&link, &call, &id).await }),
        method::TASKS_RESULT => Scripted::new(move |says| async move {
            let latest = Instant::now() + link.target().limits.max_call;
            let mut following = Following { link, call, id, says, asked: HashSet::new() };
            match timeout_at(latest, following.result()).await {
                Ok(ended) => ended.unwrap_or_else(Event::Failed),
                Err(_) => {
                    let kind = ErrorKind::Timeout(following.link.target().limits.max_call);
                    let backend = following.link.backend();
                    Event::Failed(CallError::backend(backend, kind, Executed::Unknown))
                }
            }
        }),
        _ => return Ok(None),
    };
    // Whoever waits for a result does so on a stream: it may take long, and be asked something.
    Ok(Some(Reply::scripted(call_waits, scripted)))
}

async fn make(link: &Arc<Link>, call: &Call) -> Result<Reply, CallError> {
    let mut asked = call.clone();
    asked.tasks = TaskForm::Offered;
    if let Some(params) = &call.params
        && let Ok(object) = Object::parse(params)
    {
        let mut edits = Edits::new();
        edits.rewrite(&object, &[task::TASK], &[]);
        asked.params = Some(edits.apply(params));
    }
    let reply = forward_again(link, asked).await?;
    let (link, streamed) = (Arc::clone(link), reply.streamed);
    let scripted = Scripted::new(move |says| async move {
        let last = held(&link, pass(&link, reply, &says).await).await;
        let made = result_of(&last).filter(|result| task::is_made(result));
        match made.and_then(|result| created(&result)) {
            Some(task) => success(&link, &task),
            None => last,
        }
    });
    Ok(Reply::scripted(streamed, scripted))
}

async fn look(link: &Arc<Link>, call: &Call, id: &str) -> Result<Event, CallError> {
    match get(link, call, id).await? {
        Answer::Success(task) => {
            let task = requested(&task).ok_or_else(|| malformed(link))?;
            Ok(success(link, &task))
        }
        Answer::Failure(error) => Ok(failure(link, &error)),
    }
}

async fn get(link: &Arc<Link>, call: &Call, id: &str) -> Result<Answer, CallError> {
    ask(link, step(call, method::TASKS_GET, task::naming(id), TaskForm::Offered)).await
}

/// Cancels a task and tells how it is then.
async fn cancel(link: &Arc<Link>, call: &Call, id: &str) -> Result<Event, CallError> {
    let status = match get(link, call, id).await? {
        Answer::Success(task) => Object::parse(&task).ok().and_then(|task| Status::of(&task)),
        Answer::Failure(error) => return Ok(failure(link, &error)),
    };
    if status.is_some_and(Status::is_final) {
        let text = "the task is over: it cannot be cancelled";
        return Ok(refused(link, rpc::INVALID_PARAMS, text));
    }
    let asked = step(call, method::TASKS_CANCEL, task::naming(id), TaskForm::Offered);
    match ask(link, asked).await? {
        Answer::Success(_) => look(link, call, id).await,
        Answer::Failure(error) => Ok(failure(link, &error)),
    }
}

/// A task whose result is waited for.
struct Following {
    link: Arc<Link>,
    call: Call,
    id: String,
    says: Says,
    /// Keys of questions that were asked.
    asked: HashSet<Box<str>>,
}

// === impl Following ===

impl Following {
    async fn result(&mut self) -> Result<Event, CallError> {
        loop {
            let task = match get(&self.link, &self.call, &self.id).await? {
                Answer::Success(task) => task,
                Answer::Failure(error) => return Ok(failure(&self.link, &error)),
            };
            let object = Object::parse(&task).map_err(|_| malformed(&self.link))?;
            let raw = |key| object.get(key).map(|member| task.slice(member.span));
            match Status::of(&object).ok_or_else(|| malformed(&self.link))? {
                Status::Completed => {
                    let result = raw("result").map(|result| unrelated(&result));
                    let result = result.and_then(|result| related(&result, &self.id));
                    let result = result.ok_or_else(|| malformed(&self.link))?;
                    return Ok(success(&self.link, &result));
                }
                Status::Failed => {
                    let error = raw("error").ok_or_else(|| malformed(&self.link))?;
                    return Ok(failure(&self.link, &error));
                }
                Status::Cancelled => {
                    return Ok(refused(&self.link, rpc::INTERNAL_ERROR, "the task was cancelled"));
                }
                Status::InputRequired => {
                    let requests = raw(INPUT_REQUESTS).and_then(|all| self.news(&all));
                    match requests {
                        Some(requests) => {
                            if let Some(over) = self.question(requests).await? {
                                return Ok(over);
                            }
                        }
                        None => self.pause(&object).await?,
                    }
                }
                Status::Working => self.pause(&object).await?,
            }
        }
    }

    async fn pause(&self, task: &Object<'_>) -> Result<(), CallError> {
        let bounds = self.link.target().limits.tasks;
        let wanted = task.get("pollIntervalMs").and_then(|member| member.as_u64());
        let wanted = wanted.map_or(POLL, Duration::from_millis);
        let pause = wanted.max(bounds.min_poll).min(bounds.max_poll);
        tokio::select! {
            () = self.call.cancel.cancelled() => {
                Err(CallError::client(ErrorKind::Cancelled).at(self.link.backend()))
            }
            () = sleep(pause) => Ok(()),
        }
    }

    /// Of these questions those that were not asked yet, each with the mark of its task.
    fn news(&mut self, all: &Bytes) -> Option<Bytes> {
        let object = Object::parse(all).ok()?;
        let mut out = b"{".to_vec();
        for (key, request) in object.iter() {
            if !self.asked.insert(key.as_ref().into()) {
                continue;
            }
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(&quote(&key));
            out.push(b':');
            out.extend_from_slice(&self.marked(request.raw));
        }
        out.push(b'}');
        (out.len() > 2).then(|| out.into())
    }

    fn marked(&self, request: &[u8]) -> Bytes {
        let marked = || {
            let object = Object::parse(request).ok()?;
            let mut edits = Edits::new();
            match object.get("params") {
                Some(params) => edits.replace(params.span, related(params.raw, &self.id)?),
                None => {
                    let params = related(b"{}", &self.id)?;
                    edits.rewrite(&object, &[], &[("params", &params)]);
                }
            }
            Some(edits.apply(request))
        };
        marked().unwrap_or_else(|| Bytes::copy_from_slice(request))
    }

    /// Asks the caller and hands the answers on. Gives the end of the reply, if the caller's answer is one.
    async fn question(&self, requests: Bytes) -> Result<Option<Event>, CallError> {
        let (link, limits) = (&self.link, limits(&self.link));
        let wrong = |text: String| {
            let kind = ErrorKind::Protocol(text);
            CallError::backend(link.backend(), kind, Executed::Unknown)
        };
        let asked = Asked { requests: Some(requests), state: None };
        let list = questions(&asked, link.client(), &limits).map_err(wrong)?;
        let answers = Answers::to(&list);
        let open = OpenRequests::default();
        for (at, question) in list.into_iter().enumerate() {
            let answerer = Answerer::Collected(Arc::clone(&answers), at, limits);
            let peer = PeerRequest::new(question.message, &answerer, link.errands(), Some(&open));
            if let Some(peer) = peer {
                let _ = self.says.send(Event::Request(peer)).await;
            }
        }
        tokio::select! {
            () = self.call.cancel.cancelled() => {
                return Err(CallError::client(ErrorKind::Cancelled).at(link.backend()));
            }
            () = answers.complete() => {}
        }
        let responses = match answers.collected() {
            Ok(responses) => responses,
            Err(error) => return Ok(Some(told(*error))),
        };
        let mut update =
            step(&self.call, method::TASKS_UPDATE, task::naming(&self.id), TaskForm::Offered);
        let responses = Some(responses);
        update.input = Some(Box::new(InputGiven { responses, state: None }));
        match ask(link, update).await? {
            Answer::Success(_) => Ok(None),
            Answer::Failure(error) => Ok(Some(failure(link, &error))),
        }
    }
}

/// A task that changed, told to those who ask for tasks.
pub(super) fn told_otherwise(message: &Message, limits: &Limits) -> Option<Message> {
    let task = requested(&message.params()?)?;
    Message::parse(rpc::notification(method::TASKS_STATUS, Some(&task)), limits).ok()
}

/// Has changes of these tasks told, and of no others. Gives those that the backend will tell of.
pub(crate) async fn watch(
    link: &Arc<Link>,
    live: &Arc<Live>,
    ids: Vec<String>,
) -> Result<Vec<String>, CallError> {
    // One change at a time: each builds on the one before.
    let _turn = link.changing().await;
    if link.watched() == ids {
        return Ok(ids);
    }
    link.watch(ids);
    match Stream::open(link, live, link.subscriptions()).await? {
        Ok(stream) => {
            let told = stream.tasks().to_vec();
            link.listen_on(stream);
            Ok(told)
        }
        // It tells nothing at all.
        Err(_) => Ok(Vec::new()),
    }
}

/// The client's own words about what it was asked for end its waiting.
fn told(error: Message) -> Event {
    Event::Response(crate::Response::Whole(error))
}
