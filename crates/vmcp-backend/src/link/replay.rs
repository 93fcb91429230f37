//! What a session told the backend that a new session has to tell again.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use vmcp_wire::{Object, method};

/// Subscriptions remembered at most; what is beyond is lost with the session.
const MAX_SUBSCRIPTIONS: usize = 4096;

/// The log level and the subscriptions, with the params that set them.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    level: Option<Bytes>,
    level_name: Option<Arc<str>>,
    subscriptions: BTreeMap<String, Bytes>,
}

/// Something that succeeded and changes what must be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    Level(Bytes),
    Subscribed(String, Bytes),
    Unsubscribed(String),
}

// === impl Replay ===

impl Replay {
    pub(crate) fn apply(&mut self, note: Note) {
        match note {
            Note::Level(params) => {
                let members = Object::parse(&params).ok();
                let level = members.and_then(|members| members.get("level"));
                self.level_name = level.and_then(|level| level.as_str()).map(|level| level.into());
                self.level = Some(params);
            }
            Note::Unsubscribed(uri) => {
                self.subscriptions.remove(&uri);
            }
            Note::Subscribed(uri, params) => {
                if self.subscriptions.len() < MAX_SUBSCRIPTIONS
                    || self.subscriptions.contains_key(&uri)
                {
                    self.subscriptions.insert(uri, params);
                }
            }
        }
    }

    /// The name of the level.
    pub(crate) fn level(&self) -> Option<Arc<str>> {
        self.level_name.clone()
    }

    /// The URIs.
    pub(crate) fn subscriptions(&self) -> Vec<String> {
        self.subscriptions.keys().cloned().collect()
    }

    /// The requests to send again.
    pub(crate) fn messages(&self) -> Vec<(&'static str, Bytes)> {
        let level = self.level.iter().map(|params| (method::LOGGING_SET_LEVEL, params.clone()));
        let subscriptions = self.subscriptions.values();
        level
            .chain(subscriptions.map(|params| (method::RESOURCES_SUBSCRIBE, params.clone())))
            .collect()
    }
}

// === impl Note ===

impl Note {
    /// What the success of this call would mean.
    pub(crate) fn of(name: &str, params: Option<&Bytes>) -> Option<Self> {
        let params = match name {
            method::LOGGING_SET_LEVEL
            | method::RESOURCES_SUBSCRIBE
            | method::RESOURCES_UNSUBSCRIBE => params?,
            _ => return None,
        };
        if name == method::LOGGING_SET_LEVEL {
            return Some(Self::Level(params.clone()));
        }
        let uri = Object::parse(params).ok()?.get("uri")?.as_str()?.into_owned();
        Some(match name {
            method::RESOURCES_SUBSCRIBE => Self::Subscribed(uri, params.clone()),
            _ => Self::Unsubscribed(uri),
        })
    }
}
