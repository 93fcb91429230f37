//! `subscriptions/listen`: a stream of messages outside calls, as long as the client reads it.
//!
//! The first message says what of it is honoured: lists that somebody tells about, and resources whose backend took the
//! subscription. Everything on the stream has the id of the request that opened it. When the server stops, the request
//! is answered.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use vmcp_auth::Caller;
use vmcp_backend::{Asking, Call, Event, Response};
use vmcp_gateway::MultiSession;
use vmcp_wire::revision::{ACKNOWLEDGED, META_SUBSCRIPTION_ID, RESULT_TYPE};
use vmcp_wire::{Edits, Kind, Limits, Message, Object, list, method, quote, rpc, task};

use super::Lone;
use super::about::{TASKS_EXTENSION, invalid, missing_capability};
use super::answer::Request;
use super::result::made;
use crate::admit::Place;
use crate::metrics::{Meter, Outcome};
use crate::respond::Rejection;
use crate::session::{Audience, Listener, Visit, Wants};
use crate::tasks::{self, Tasks};

/// How long ending the subscriptions of a stream may take, beside everything else.
const LEAVE: Duration = Duration::from_secs(30);
/// Members of what is asked for: resources, and tasks.
const RESOURCES: &str = "resourceSubscriptions";
const TASKS: &str = "taskIds";

/// A stream of messages outside calls.
pub(crate) struct Listen {
    hearing: Hearing,
    lone: Box<Lone>,
    asked: Wants,
    stage: Stage,
    tasks: Tasks,
    meter: Option<Meter>,
    _place: Place,
}

/// What is taken back when the stream ends, however it does.
struct Hearing {
    visit: Visit,
    listener: Arc<Listener>,
    caller: Caller,
    /// Resources subscribed to.
    taken: Vec<Taken>,
    /// Tasks listened for.
    watched: Vec<Box<str>>,
    tasks: Tasks,
}

/// One subscription. It ends when this is dropped, which may be before anybody waits for it.
struct Taken {
    visit: Visit,
    caller: Caller,
    uri: Box<str>,
    tasks: Tasks,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Asked,
    Open,
    Over,
}

// === impl Listen ===

impl Listen {
    /// Begins to hear; nothing is subscribed to yet.
    pub(super) fn open(request: Request) -> Result<Self, Rejection> {
        let Request { hall, visit, caller, lone, meter, .. } = request;
        let most = hall.config.session.max_remembered;
        let asked = wants(&lone, most)?;
        let asked = honoured(asked, visit.multi());
        let Some(place) = hall.listener(&caller) else {
            return Err(Rejection::too_many("too many streams"));
        };
        let audience = visit.audience();
        // Updates are heard before their subscription is confirmed: none is lost.
        let listener = audience.join(asked.clone());
        audience.tell(visit.multi());
        let tasks = hall.tasks.clone();
        let hearing = Hearing {
            visit,
            listener,
            caller,
            taken: Vec::new(),
            watched: Vec::new(),
            tasks: tasks.clone(),
        };
        Ok(Self { hearing, lone, asked, stage: Stage::Asked, tasks, meter, _place: place })
    }

    /// The next message; `None` after the last.
    ///
    /// Not cancel safe before the first message.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::Asked => {
                self.hearing.subscribe(&self.asked.uris).await;
                self.hearing.watch(&self.asked.tasks).await;
                let uris = self.hearing.taken.iter().map(|taken| taken.uri.clone()).collect();
                let tasks = self.hearing.watched.clone();
                let wants = Wants { uris, tasks, ..self.asked.clone() };
                let told = self.acknowledgement(&wants);
                self.hearing.listener.narrow(wants);
                self.stage = Stage::Open;
                Some(told)
            }
            Stage::Open => loop {
                let heard = tokio::select! {
                    biased;
                    () = self.tasks.draining().cancelled() => None,
                    message = self.hearing.listener.next() => Some(message),
                };
                match heard {
                    Some(message) if message.method() == method::TASKS_STATUS => {
                        if let Some(message) = self.hearing.detail(&message).await {
                            return Some(self.tagged(&message));
                        }
                    }
                    Some(message) => return Some(self.tagged(&message)),
                    None => {
                        self.stage = Stage::Over;
                        return Some(self.end());
                    }
                }
            },
            Stage::Over => None,
        }
    }

    /// The answer to the request that opened the stream.
    pub(crate) fn end(&mut self) -> Bytes {
        if let Some(meter) = &mut self.meter {
            meter.end(Outcome::Ok);
        }
        let result = [b"{\"_meta\":", &self.tag()[..], b"}"].concat();
        rpc::success(&self.lone.id, &made(&result, None, None))
    }

    fn acknowledgement(&self, wants: &Wants) -> Bytes {
        let mut members = Vec::new();
        for (key, on) in [
            ("toolsListChanged", wants.tools),
            ("promptsListChanged", wants.prompts),
            ("resourcesListChanged", wants.resources),
        ] {
            if on {
                members.push(format!("\"{key}\":true").into_bytes());
            }
        }
        for (key, names) in [(RESOURCES, &wants.uris), (TASKS, &wants.tasks)] {
            if !names.is_empty() {
                let names: Vec<Bytes> = names.iter().map(|name| quote(name)).collect();
                let key = format!("\"{key}\":[");
                members.push([key.as_bytes(), &names.join(&b","[..]), b"]"].concat());
            }
        }
        let members = members.join(&b","[..]);
        let parts: [&[u8]; 5] =
            [b"{\"notifications\":{", &members, b"},\"_meta\":", &self.tag(), b"}"];
        rpc::notification(ACKNOWLEDGED, Some(&parts.concat()))
    }

    /// The id of the request, as it was written.
    fn tag(&self) -> Vec<u8> {
        let key = format!("{{\"{META_SUBSCRIPTION_ID}\":").into_bytes();
        [&key, self.lone.id.as_bytes(), b"}"].concat()
    }

    fn tagged(&self, message: &Message) -> Bytes {
        let params = message.params().unwrap_or(Bytes::from_static(b"{}"));
        let Ok(object) = Object::parse(&params) else { return message.bytes().clone() };
        let mut edits = Edits::new();
        match object.get("_meta").and_then(|meta| meta.as_object()) {
            Some(meta) => {
                let id = self.lone.id.as_bytes();
                edits.rewrite(&meta, &[META_SUBSCRIPTION_ID], &[(META_SUBSCRIPTION_ID, id)]);
            }
            None => edits.rewrite(&object, &["_meta"], &[("_meta", &self.tag())]),
        }
        message.with_params(&edits.apply(&params))
    }
}

/// What is asked for.
fn wants(lone: &Lone, most: usize) -> Result<Wants, Rejection> {
    let params = lone.params();
    let object = Object::parse(&params).map_err(|_| invalid("params must be an object"))?;
    let member =
        object.unique("notifications").map_err(|_| invalid("notifications is ambiguous"))?;
    let member = member.ok_or_else(|| invalid("notifications is missing"))?;
    let filter = member.as_object().ok_or_else(|| invalid("notifications must be an object"))?;
    let flag = |key: &str| match filter.get(key) {
        None => Ok(false),
        Some(member) if member.is_null() => Ok(false),
        Some(member) => {
            member.as_bool().ok_or_else(|| invalid(format!("{key} must be true or false")))
        }
    };
    if filter.get("taskIds").is_some() && !lone.about.declares(&["extensions", TASKS_EXTENSION]) {
        return Err(missing_capability(&["extensions", TASKS_EXTENSION]));
    }
    Ok(Wants {
        tools: flag("toolsListChanged")?,
        prompts: flag("promptsListChanged")?,
        resources: flag("resourcesListChanged")?,
        uris: names(member.raw, RESOURCES, most)?,
        tasks: names(member.raw, TASKS, most)?,
    })
}

/// The different strings of one list.
fn names(filter: &[u8], key: &str, most: usize) -> Result<Vec<Box<str>>, Rejection> {
    let wrong = || invalid(format!("{key} must be a list of strings"));
    let filter = Bytes::copy_from_slice(filter);
    let object = Object::parse(&filter).map_err(|_| wrong())?;
    match object.get(key) {
        Some(member) if !member.is_null() => {}
        _ => return Ok(Vec::new()),
    }
    let items = list::items(&filter, key).map_err(|_| wrong())?.items;
    let mut names = HashSet::new();
    for item in items {
        let wrapped = [b"{\"u\":", &item[..], b"}"].concat();
        let object = Object::parse(&wrapped).map_err(|_| wrong())?;
        let name = object.get("u").and_then(|member| Some(member.as_str()?.into_owned()));
        names.insert(name.ok_or_else(wrong)?.into_boxed_str());
    }
    if names.len() > most {
        return Err(invalid(format!("{key} has more than {most} members")));
    }
    let mut names: Vec<Box<str>> = names.into_iter().collect();
    names.sort_unstable();
    Ok(names)
}

/// What of it somebody will ever tell about.
fn honoured(asked: Wants, multi: &MultiSession) -> Wants {
    let capabilities = multi.capabilities();
    let told = |kind: &str, key: &str| {
        let object = Object::parse(&capabilities).ok();
        let kind = object.as_ref().and_then(|object| object.get(kind)?.as_object());
        kind.and_then(|kind| kind.get(key)?.as_bool()) == Some(true)
    };
    Wants {
        tools: asked.tools && told("tools", "listChanged"),
        prompts: asked.prompts && told("prompts", "listChanged"),
        resources: asked.resources && told("resources", "listChanged"),
        uris: if told("resources", "subscribe") { asked.uris } else { Vec::new() },
        tasks: asked.tasks,
    }
}

// === impl Hearing ===

impl Hearing {
    /// Subscribes to each resource whose backend lets it, all at the same time.
    async fn subscribe(&mut self, uris: &[Box<str>]) {
        let attempts = uris.iter().map(|uri| {
            let (visit, caller, uri) = (self.visit.clone(), self.caller.clone(), uri.clone());
            let tasks = self.tasks.clone();
            async move {
                let taken = enter(visit.audience(), visit.multi(), caller.clone(), &uri).await;
                taken.then(|| Taken { visit, caller, uri, tasks })
            }
        });
        self.taken = tasks::join(attempts).await.into_iter().flatten().collect();
        self.taken.sort_unstable_by(|one, other| one.uri.cmp(&other.uri));
    }
}

impl Hearing {
    /// Listens for what is said of each task that is this client's.
    async fn watch(&mut self, ids: &[Box<str>]) {
        if !ids.is_empty() {
            self.watched = self.visit.multi().watch_tasks(ids, &self.caller).await;
        }
    }

    /// A task whose backend says no more than its state, with all that belongs to that.
    async fn detail(&self, message: &Message) -> Option<Message> {
        let params = message.params()?;
        let id = Object::parse(&params).ok()?.get(task::ID)?.raw;
        let params = [b"{\"taskId\":", id, b"}"].concat();
        let mut call =
            Call::new(method::TASKS_GET, Some(params.into())).with_caller(self.caller.clone());
        call.asking = Asking::Return;
        let task = answer(self.visit.multi(), call).await?.result()?;
        let object = Object::parse(&task).ok()?;
        let mut edits = Edits::new();
        edits.rewrite(&object, &[RESULT_TYPE], &[]);
        let told = rpc::notification(method::TASKS_CHANGED, Some(&edits.apply(&task)));
        Message::parse(told, &Limits::default()).ok()
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        if !self.watched.is_empty() {
            let (visit, caller) = (self.visit.clone(), self.caller.clone());
            let watched = std::mem::take(&mut self.watched);
            self.tasks.run_for(LEAVE, async move {
                visit.multi().unwatch_tasks(&watched, &caller).await;
            });
        }
        let audience = self.visit.audience();
        audience.leave(&self.listener);
        audience.tell(self.visit.multi());
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let (visit, caller, uri) =
            (self.visit.clone(), self.caller.clone(), std::mem::take(&mut self.uri));
        self.tasks.run_for(LEAVE, async move {
            leave(visit.audience(), visit.multi(), caller, &uri).await;
        });
    }
}

/// Counts a subscription; the first one is made at the backend.
async fn enter(audience: &Audience, multi: &MultiSession, caller: Caller, uri: &str) -> bool {
    let count = audience.count(uri);
    let mut held = Arc::clone(&count).lock_owned().await;
    if *held == 0 && !settle(multi, method::RESOURCES_SUBSCRIBE, caller, uri).await {
        drop(held);
        audience.forget(uri, &count);
        return false;
    }
    *held += 1;
    true
}

/// Counts one less; the last one is ended at the backend.
async fn leave(audience: &Audience, multi: &MultiSession, caller: Caller, uri: &str) {
    let count = audience.count(uri);
    {
        let mut held = Arc::clone(&count).lock_owned().await;
        *held = held.saturating_sub(1);
        if *held == 0 {
            settle(multi, method::RESOURCES_UNSUBSCRIBE, caller, uri).await;
        }
    }
    audience.forget(uri, &count);
}

/// Whether the call went well.
async fn settle(multi: &MultiSession, method: &'static str, caller: Caller, uri: &str) -> bool {
    let params = [b"{\"uri\":", &quote(uri)[..], b"}"].concat();
    let call = Call::new(method, Some(params.into())).with_caller(caller);
    let Ok(mut reply) = multi.call(call).await else { return false };
    while let Some(event) = reply.next().await {
        match event {
            Event::Response(Response::Whole(message)) => return message.kind() == Kind::Success,
            Event::Response(_) => return true,
            Event::Failed(_) | Event::InputRequired(_) => return false,
            Event::Notification(_) | Event::Request(_) | Event::Paused => {}
        }
    }
    false
}

/// The response to a call, if there is one in memory.
async fn answer(multi: &MultiSession, call: Call) -> Option<Message> {
    let mut reply = multi.call(call).await.ok()?;
    while let Some(event) = reply.next().await {
        match event {
            Event::Response(Response::Whole(message)) => return Some(message),
            Event::Response(_) | Event::Failed(_) | Event::InputRequired(_) => return None,
            Event::Notification(_) | Event::Request(_) | Event::Paused => {}
        }
    }
    None
}
