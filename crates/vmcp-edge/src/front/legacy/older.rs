//! Clients of older revisions than their backends': what theirs cannot express is said in another way, or refused.
//!
//! Members that a client does not know are no matter, so nothing is done about them. What is done, by what the client's
//! revision has ([`Revision`]'s own predicates):
//!
//! | what comes | where it is not known | what the client gets |
//! | --- | --- | --- |
//! | content of type `audio` | in results | an embedded resource with the same data ([`content`]) |
//! | content of type `resource_link` | in results | a text with name and URI; the gateway has learnt the URI |
//! | `structuredContent` alone | in a tool's result | the same JSON as a text besides ([`results`]) |
//! | the kind of a result, and structured content that is no object | in results of backends that have it | a result of the one kind; the value as text ([`untyped`]) |
//! | an `outputSchema` of something else than an object | in the list of tools | the tool without it ([`lists`]) |
//! | a question | kind, mode, choice or content | nothing: it is refused, or a choice is written in the old way ([`questions`]) |
//! | a notification about what the client cannot have been asked | | nothing |
//!
//! Whoever declares what its revision does not have has not declared it ([`Older::declared`]).
//!
//! A reply where nothing can be concerned is not looked at. One where something can be is searched for a few words, and
//! parsed if one is there; what is changed is changed in its bytes, so all else stays as it came. A long reply that would
//! be passed on in parts is held for that, up to the bound for one message of a backend; beyond, the call fails.
//!
//! A client of the newest revision with a handshake knows all that backends with one say: it gets their replies as they
//! come. Of a backend without, a reply in parts is passed on to it unchanged.

use bytes::Bytes;
use vmcp_config::Config;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Limits, Message, method};

mod content;
mod declared;
mod lists;
mod questions;
mod reply;
mod results;
mod untyped;

pub(crate) use questions::Asked;
pub(crate) use reply::Reply;

/// What one client can be told, by its revision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Older {
    revision: Revision,
    /// Of a message that is held to be looked through.
    limits: Limits,
}

// === impl Older ===

impl Older {
    /// For a client of this revision.
    pub(crate) fn new(revision: Revision, config: &Config) -> Self {
        Self { revision, limits: config.limits.of_messages() }
    }

    /// What the client declared of what its revision has: a raw JSON object.
    pub(super) fn declared(revision: Revision, capabilities: Bytes) -> Bytes {
        declared::known(revision, &capabilities).unwrap_or(capabilities)
    }

    /// The reply to a call of `method` as the client is to get it.
    pub(crate) fn reply(self, method: &str, reply: vmcp_gateway::Reply) -> Reply {
        Reply::new(self, method, reply)
    }

    /// Whether a notification can mean anything to the client.
    pub(crate) fn hears(self, notification: &Message) -> bool {
        notification.method() != method::ELICITATION_COMPLETE || self.revision.elicitation_by_url()
    }

    /// What becomes of a server's request.
    pub(crate) fn asked(self, request: &Message) -> Asked {
        questions::asked(self.revision, request)
    }
}
