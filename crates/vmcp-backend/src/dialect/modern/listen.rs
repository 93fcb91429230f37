//! The stream of changes: one request of a session, answered for as long as the session lives.
//!
//! It asks for changes of all lists and of the resources that are subscribed to. What it asks for cannot be changed, so
//! a new one is opened, and when that is acknowledged the old one is read to what had come by then, and closed. One that
//! breaks is opened again; what changed meanwhile nobody knows, so everything is said to have changed.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};
use vmcp_auth::Caller;
use vmcp_wire::revision::{ACKNOWLEDGED, LISTEN, META_SUBSCRIPTION_ID};
use vmcp_wire::{Edits, Kind, Limits, Message, Object, RawId, method, quote, rpc};

use super::{Terms, headers};
use crate::call::Behalf;
use crate::link::{LISTS, Link, Live, Missed, Relief, TURNS};
use crate::session::meta;
use crate::transport::{Framing, Item, Pause, Request, StartError, Wire};
use crate::{Call, CallError, ErrorKind, Executed, Outside, Sink, TaskForm};

/// A stream of this age was no failure.
const STABLE: std::time::Duration = std::time::Duration::from_secs(10);

/// One open stream. Dropped, it is closed.
pub(crate) struct Stream {
    wire: Wire,
    /// Tells a backend on a shared connection that the stream is no longer wanted.
    wanted: Wanted,
    sink: Option<Sink>,
    limits: Limits,
    /// What of its wishes is honoured.
    uris: Vec<String>,
    tasks: Vec<String>,
}

/// Dropped before the stream has ended, it tells the backend.
struct Wanted {
    live: Arc<Live>,
    id: u64,
    caller: Caller,
    errands: crate::tasks::Errands,
    over: bool,
}

/// To which request for changes a notification belongs, if it says so.
pub(crate) fn subscription(message: &Message) -> Option<u64> {
    let params = message.params()?;
    memchr::memmem::find(&params, b"subscriptionId")?;
    let meta = Object::parse(&params).ok()?.get("_meta")?.as_object()?;
    let id = meta.get(META_SUBSCRIPTION_ID)?;
    id.as_u64().or_else(|| id.as_str()?.parse().ok())
}

/// Keeps a stream of changes open until the session is gone or the backend refuses.
pub(crate) async fn listen(link: Weak<Link>, relief: Arc<Relief>) {
    run(link, None, &relief).await;
}

/// As [`listen`], beginning with a stream that is open.
pub(crate) async fn listen_on(link: Weak<Link>, stream: Stream, relief: Arc<Relief>) {
    run(link, Some(stream), &relief).await;
}

async fn run(link: Weak<Link>, mut stream: Option<Stream>, relief: &Relief) {
    let Some(mut pause) = link.upgrade().map(|session| Pause::new(&session)) else { return };
    loop {
        let opened = match stream.take() {
            // Whoever opened it knows what it may have missed.
            Some(opened) => opened,
            None => match reopen(&link).await {
                Some(Ok(opened)) => {
                    if let (Some(link), Some(missed)) = (link.upgrade(), relief.missed()) {
                        link.catch_up(missed);
                    }
                    relief.set_missed(None);
                    opened
                }
                Some(Err(())) => {
                    Link::was_asked(&link);
                    relief.set_missed(Some(Missed::Gap));
                    pause.wait(None).await;
                    continue;
                }
                None => return Link::was_asked(&link),
            },
        };
        Link::was_asked(&link);
        let since = Instant::now();
        if opened.read(&link, relief).await {
            return;
        }
        relief.set_missed(Some(Missed::Gap));
        if since.elapsed() >= STABLE {
            pause.reset();
        }
        pause.wait(None).await;
    }
}

/// Opens the stream; `None` if there is none to be had.
async fn reopen(link: &Weak<Link>) -> Option<Result<Stream, ()>> {
    let link = link.upgrade()?;
    let _turn = link.changing().await;
    let live = match link.live(&link.caller()).await {
        Ok(live) => live,
        Err(error) => {
            tracing::debug!(%error, "no session to listen on");
            return Some(Err(()));
        }
    };
    if !live.is_stateless() {
        // Another revision is spoken now, which listens in its own way: on a stream of its own, or on the one there is.
        link.listen_anew();
        return None;
    }
    match Stream::open(&link, &live, link.subscriptions()).await {
        Ok(Ok(stream)) => Some(Ok(stream)),
        Ok(Err(_)) => {
            tracing::debug!(backend = %link.backend(), "the backend tells no changes");
            None
        }
        Err(error) => {
            tracing::debug!(%error, "no stream of changes");
            Some(Err(()))
        }
    }
}

// === impl Stream ===

impl Stream {
    /// Asks for changes and waits until that is acknowledged. A backend may refuse: with the message within.
    pub(crate) async fn open(
        link: &Arc<Link>,
        live: &Arc<Live>,
        uris: Vec<String>,
    ) -> Result<Result<Self, Message>, CallError> {
        let deadline = link.target().timeouts.call;
        match timeout(deadline, Self::begin(link, live, uris)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let kind = ErrorKind::Timeout(deadline);
                Err(CallError::backend(link.backend(), kind, Executed::Unknown))
            }
        }
    }

    async fn begin(
        link: &Arc<Link>,
        live: &Arc<Live>,
        uris: Vec<String>,
    ) -> Result<Result<Self, Message>, CallError> {
        let (id, caller) = (link.next_id(), link.caller());
        let watched = link.watched();
        let mut call = Call::new(LISTEN, Some(wishes(&uris, &watched)));
        if !watched.is_empty() {
            // Only those who can follow tasks are told of them.
            call.tasks = TaskForm::Offered;
        }
        let terms = Terms::of(link.client(), &call, None);
        let (params, _) = meta::outgoing(call.params.as_ref(), id, None, Some(&terms));
        let body = rpc::request(&RawId::number(id), LISTEN, params.as_deref());
        let request = Request { id, body, headers: headers(LISTEN, None, None), subscribes: true };
        let mut wanted = Wanted {
            live: Arc::clone(live),
            id,
            caller: caller.clone(),
            errands: link.errands().clone(),
            over: false,
        };
        let started = live.connection.start(request, Behalf::of(&caller)).await;
        let mut wire = started.map_err(|error| {
            wanted.over = true;
            match error {
                StartError::Failed(error) => error,
                StartError::SessionLost | StartError::Foreign(_) => {
                    link.lose(live);
                    CallError::backend(link.backend(), ErrorKind::Unavailable, Executed::No)
                }
            }
        })?;
        let limits = Framing::from(&link.target().limits).limits;
        loop {
            match wire.next().await {
                Ok(Item::Message(message)) if message.kind() == Kind::Failure => {
                    wanted.over = true;
                    return Ok(Err(message));
                }
                Ok(Item::Message(message)) if message.method() == ACKNOWLEDGED => {
                    let uris = honoured(&message, "resourceSubscriptions");
                    let tasks = honoured(&message, "taskIds");
                    let sink = link.sink().cloned();
                    return Ok(Ok(Self { wire, wanted, sink, limits, uris, tasks }));
                }
                Ok(Item::Message(message)) if message.kind() == Kind::Success => {
                    wanted.over = true;
                    let text = "the stream of changes ended before it began".to_owned();
                    let kind = ErrorKind::Protocol(text);
                    return Err(CallError::backend(link.backend(), kind, Executed::Unknown));
                }
                Ok(_) => {}
                Err(error) => {
                    wanted.over = true;
                    return Err(error);
                }
            }
        }
    }

    /// Whether changes of this resource are told.
    pub(crate) fn honours(&self, uri: &str) -> bool {
        self.uris.iter().any(|honoured| honoured == uri)
    }

    /// The tasks whose changes are told.
    pub(crate) fn tasks(&self) -> &[String] {
        &self.tasks
    }

    /// Hands on what comes until the stream ends, or all is handed on that had come before another took over. Tells
    /// whether another did.
    async fn read(mut self, link: &Weak<Link>, relief: &Relief) -> bool {
        let (mut relieved, mut quiet) = (false, 0);
        loop {
            let item = tokio::select! {
                biased;
                item = self.wire.next() => item,
                () = relief.come.notified(), if !relieved => {
                    relieved = true;
                    continue;
                }
                () = yield_now(), if relieved => {
                    quiet += 1;
                    if quiet >= TURNS {
                        return true;
                    }
                    continue;
                }
            };
            match item {
                Ok(Item::Message(message)) => match message.kind() {
                    Kind::Notification => self.hand_on(&message, link),
                    Kind::Success | Kind::Failure => break,
                    Kind::Request => {}
                },
                Ok(Item::End) | Err(_) => {
                    // Perhaps before the other stream was open.
                    if let (true, Some(link)) = (relieved, link.upgrade()) {
                        link.catch_up(Missed::Gap);
                    }
                    break;
                }
                Ok(_) => {}
            }
        }
        self.wanted.over = true;
        relieved
    }

    fn hand_on(&self, message: &Message, link: &Weak<Link>) {
        let Some(sink) = &self.sink else { return };
        let name = message.method();
        let is_list = LISTS.iter().any(|(_, changed)| *changed == name);
        let is_wanted = || {
            let params = message.params()?;
            let uri = Object::parse(&params).ok()?.get("uri")?.as_str()?.into_owned();
            // What is told may be a part of what was subscribed to.
            let subscribed = link.upgrade()?.subscriptions();
            Some(subscribed.iter().any(|own| uri.starts_with(own.as_str())))
        };
        let is_update = name == method::RESOURCES_UPDATED;
        let is_task = name == method::TASKS_CHANGED;
        let is_ours = subscription(message).is_none_or(|id| id == self.wanted.id);
        if is_ours
            && (is_list || is_task || is_update && is_wanted().unwrap_or_default())
            && let Some(message) = untagged(message, &self.limits)
        {
            let client = link.upgrade().map(|link| link.client().revision);
            let asks = client.is_some_and(|revision| !revision.stateless());
            let message = match is_task && asks {
                true => super::tasks::told_otherwise(&message, &self.limits),
                false => Some(message),
            };
            message.into_iter().for_each(|message| sink(Outside::Notification(message)));
        }
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        if self.over || !self.live.connection.is_shared() {
            return;
        }
        let params = format!("{{\"requestId\":{}}}", self.id);
        let notice = rpc::notification(method::CANCELLED, Some(params.as_bytes()));
        let answerer = self.live.connection.answerer(&self.caller);
        self.errands.run(async move {
            let _ = answerer.send(notice).await;
        });
    }
}

/// The params that ask for changes of all lists, of these resources and of these tasks.
fn wishes(uris: &[String], tasks: &[String]) -> Bytes {
    let mut text = b"{\"notifications\":{\"toolsListChanged\":true,\"promptsListChanged\":true,\
                     \"resourcesListChanged\":true"
        .to_vec();
    for (key, names) in [("resourceSubscriptions", uris), ("taskIds", tasks)] {
        if names.is_empty() {
            continue;
        }
        text.extend_from_slice(format!(",\"{key}\":[").as_bytes());
        for (at, name) in names.iter().enumerate() {
            if at > 0 {
                text.push(b',');
            }
            text.extend_from_slice(&quote(name));
        }
        text.push(b']');
    }
    text.extend_from_slice(b"}}");
    text.into()
}

/// The resources or tasks that an acknowledgement names.
fn honoured(message: &Message, key: &str) -> Vec<String> {
    let params = message.params().unwrap_or_default();
    let uris = || {
        let wishes = Object::parse(&params).ok()?.get("notifications")?.as_object()?;
        let uris = wishes.get(key)?.as_array()?;
        let text = |raw: &[u8]| {
            let wrapped = [b"{\"u\":", raw, b"}"].concat();
            Some(Object::parse(&wrapped).ok()?.get("u")?.as_str()?.into_owned())
        };
        Some(uris.into_iter().filter_map(text).collect())
    };
    uris().unwrap_or_default()
}

/// A notification without the mark of the stream that it came on.
fn untagged(message: &Message, limits: &Limits) -> Option<Message> {
    let params = message.params()?;
    let members = Object::parse(&params).ok()?;
    let Some(meta) = members.get("_meta").and_then(|meta| meta.as_object()) else {
        return Some(message.clone());
    };
    let mut edits = Edits::new();
    match meta.len() {
        1 if meta.get(META_SUBSCRIPTION_ID).is_some() => edits.remove_member(&members, "_meta"),
        _ => edits.remove_member(&meta, META_SUBSCRIPTION_ID),
    }
    Message::parse(message.with_params(&edits.apply(&params)), limits).ok()
}
