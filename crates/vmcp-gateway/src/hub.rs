//! Everybody who shares the one session of a shared backend, and which of its messages is whose.
//!
//! A shared backend cannot know its clients. What it says outside a call goes to those whom it concerns: updates to
//! the subscribers of the resource, log messages to everybody who uses the backend and wants the level. Requests to
//! "the client" concern nobody and are refused.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use vmcp_auth::Identity;
use vmcp_backend::{Event, Outside};
use vmcp_wire::{Message, Object, method, rpc};

use crate::level::Level;
use crate::route;
use crate::session::Client;
use crate::tasks::Spawner;

/// The clients of one shared session.
#[derive(Default)]
pub(crate) struct Hub {
    /// Protects who is there; held for lookups only, never while a client is told.
    members: Mutex<HashMap<u64, Member>>,
    /// Protects the order in which the backend is told of subscriptions: the end of the last one must not overtake
    /// a new one. Held while the backend answers; nothing but subscriptions waits for it.
    turn: tokio::sync::Mutex<()>,
}

struct Member {
    client: Arc<Client>,
    uris: HashSet<Box<str>>,
}

// === impl Hub ===

impl Hub {
    /// The client uses this backend from now on.
    pub(crate) fn join(&self, client: &Arc<Client>) {
        let member = Member { client: client.clone(), uris: HashSet::new() };
        self.members.lock().entry(client.id).or_insert(member);
    }

    /// The client is gone. Gives the URIs that nobody is subscribed to any more.
    pub(crate) fn leave(&self, client: u64) -> Vec<Box<str>> {
        let mut members = self.members.lock();
        let Some(gone) = members.remove(&client) else { return Vec::new() };
        gone.uris.into_iter().filter(|uri| !held(&members, uri)).collect()
    }

    /// Waits for the turn to change subscriptions.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Counts a subscription.
    pub(crate) fn subscribe(&self, client: u64, uri: &str) {
        if let Some(member) = self.members.lock().get_mut(&client) {
            member.uris.insert(uri.into());
        }
    }

    /// Counts one subscription less. Tells whether it was the last for this URI.
    pub(crate) fn unsubscribe(&self, client: u64, uri: &str) -> bool {
        let mut members = self.members.lock();
        if let Some(member) = members.get_mut(&client) {
            member.uris.remove(uri);
        }
        !held(&members, uri)
    }

    /// Whether all clients of this backend are the same principal: then nothing that it says is for somebody else.
    pub(crate) fn is_one_principal(&self) -> bool {
        one_principal(&self.members.lock())
    }

    /// The most verbose level that a client of this backend asked for.
    pub(crate) fn level(&self) -> Option<Level> {
        self.members.lock().values().filter_map(|member| member.client.level()).min()
    }

    /// Passes on what this backend says outside a call.
    pub(crate) fn receive(
        &self,
        backend: usize,
        outside: Outside,
        wake: &Notify,
        spawner: &Spawner,
    ) {
        let message = match outside {
            Outside::Notification(message) => message,
            Outside::Request(request) => {
                let text = "there is no client behind this session";
                spawner.spawn(request.refuse(rpc::METHOD_NOT_FOUND, text));
                return;
            }
            Outside::Lost => return,
        };
        let concerned = match message.method() {
            method::TOOLS_LIST_CHANGED
            | method::PROMPTS_LIST_CHANGED
            | method::RESOURCES_LIST_CHANGED => {
                wake.notify_one();
                return;
            }
            method::TASKS_STATUS | method::TASKS_CHANGED => return self.task(backend, &message),
            method::RESOURCES_UPDATED => self.subscribers(&message),
            method::LOG_MESSAGE => self.listeners(&message),
            _ => return,
        };
        for client in concerned.into_iter().filter(|client| !client.is_closed()) {
            (client.sink)(Event::Notification(message.clone()));
        }
    }

    /// Passes on what this backend says of a task: to whom the task is known.
    pub(crate) fn task(&self, backend: usize, message: &Message) {
        let members: Vec<_> =
            self.members.lock().values().map(|member| member.client.clone()).collect();
        for client in members.into_iter().filter(|client| !client.is_closed()) {
            if let Some(told) = route::status(&client, backend, message) {
                (client.sink)(Event::Notification(told));
            }
        }
    }

    /// Those subscribed to the updated resource, or to one that contains it.
    fn subscribers(&self, message: &Message) -> Vec<Arc<Client>> {
        let Some(uri) = text_member(message, "uri") else { return Vec::new() };
        let concerns = |held: &str| {
            uri.strip_prefix(held).is_some_and(|rest| {
                rest.is_empty() || held.ends_with('/') || rest.starts_with(['/', '#', '?'])
            })
        };
        let members = self.members.lock();
        let concerned =
            members.values().filter(|member| member.uris.iter().any(|held| concerns(held)));
        concerned.map(|member| member.client.clone()).collect()
    }

    /// Those who want log messages of this level.
    ///
    /// Nobody, if the clients are not all the same principal: a line about one's call is not for the other.
    fn listeners(&self, message: &Message) -> Vec<Arc<Client>> {
        let level = level_of(message);
        let members = self.members.lock();
        if !one_principal(&members) {
            return Vec::new();
        }
        let concerned = members.values().filter(|member| member.client.wants(level));
        concerned.map(|member| member.client.clone()).collect()
    }
}

fn one_principal(members: &HashMap<u64, Member>) -> bool {
    let mut identities = members.values().map(|member| &member.client.identity);
    let first = identities.next();
    first.is_none_or(|first| identities.all(|other| Identity::same_principal(first, other)))
}

fn held(members: &HashMap<u64, Member>, uri: &str) -> bool {
    members.values().any(|member| member.uris.contains(uri))
}

/// The level of a log message.
pub(crate) fn level_of(message: &Message) -> Option<Level> {
    text_member(message, "level").and_then(|name| Level::parse(&name))
}

fn text_member(message: &Message, key: &str) -> Option<String> {
    let params = message.params()?;
    let object = Object::parse(&params).ok()?;
    object.get(key)?.as_str().map(|text| text.into_owned())
}
