//! What a backend offers, and answers read whole.

use std::time::Duration;

use bytes::Bytes;
use vmcp_wire::{Kind, Message};

use crate::{CallError, ErrorKind, Executed, RpcError, Side};

/// What a backend offers; each item is the raw JSON it sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CapabilityList {
    /// Tools.
    pub tools: Vec<Bytes>,
    /// Resources.
    pub resources: Vec<Bytes>,
    /// Resource templates.
    pub templates: Vec<Bytes>,
    /// Prompts.
    pub prompts: Vec<Bytes>,
    /// Whether the backend answered every list with an event stream.
    pub streamed: bool,
    /// How long each of the lists is fresh.
    pub freshness: ListFreshness,
}

/// How long each of a backend's lists is fresh, and for whom: of all its pages the least. `None` of what the backend says
/// nothing about, or does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ListFreshness {
    /// Tools.
    pub tools: Option<Freshness>,
    /// Resources.
    pub resources: Option<Freshness>,
    /// Resource templates.
    pub templates: Option<Freshness>,
    /// Prompts.
    pub prompts: Option<Freshness>,
}

/// How long something that a backend said may be kept, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// So long it does not have to be asked again; a notification that it changed ends that.
    pub time: Duration,
    /// It is for whoever asked, and for nobody else.
    pub private: bool,
}

/// A backend's answer, read whole: raw JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The result object.
    Success(Bytes),
    /// The error object.
    Failure(Bytes),
}

// === impl Answer ===

impl Answer {
    /// What a response says; `None` if the message is no response.
    pub fn of(message: &Message) -> Option<Self> {
        match message.kind() {
            Kind::Success => message.result().map(Self::Success),
            Kind::Failure => message.error().map(Self::Failure),
            Kind::Request | Kind::Notification => None,
        }
    }

    /// The raw result.
    ///
    /// # Errors
    /// [`ErrorKind::Answered`] if the backend answered with an error. Whether it ran the call nobody knows then.
    pub fn into_result(self) -> Result<Bytes, CallError> {
        match self {
            Self::Success(result) => Ok(result),
            Self::Failure(error) => {
                let kind = ErrorKind::Answered(RpcError::from_raw(error));
                Err(CallError::new(Side::Backend, kind, Executed::Unknown))
            }
        }
    }
}
