//! Tells a backend what it is before it starts.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::answer::Answer;
use crate::backend::Backend;
use crate::backend::script::{Era, Item, Listing, Script, SessionIds, Transport};
use crate::json::Json;
use crate::record::Recorded;

/// Tells a backend what it is before it starts.
#[derive(Default)]
pub struct Builder {
    script: Script,
}

// === impl Builder ===

/// What it offers. Items are raw JSON, listed exactly as given.
impl Builder {
    /// A tool. [`Answer::usual`] is a short text.
    #[must_use]
    pub fn tool(mut self, tool: impl Into<Json>, answer: Answer) -> Self {
        self.script.tools.push(Item::new("name", tool.into(), answer));
        self
    }

    /// A resource. [`Answer::usual`] is one text content under its uri.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<Json>, answer: Answer) -> Self {
        self.script.resources.push(Item::new("uri", resource.into(), answer));
        self
    }

    /// A resource template, matched by the text before its first variable.
    #[must_use]
    pub fn template(mut self, template: impl Into<Json>, answer: Answer) -> Self {
        self.script.templates.push(Item::new("uriTemplate", template.into(), answer));
        self
    }

    /// A prompt.
    #[must_use]
    pub fn prompt(mut self, prompt: impl Into<Json>, answer: Answer) -> Self {
        self.script.prompts.push(Item::new("name", prompt.into(), answer));
        self
    }

    /// How lists are cut into pages.
    #[must_use]
    pub fn listing(mut self, listing: Listing) -> Self {
        self.script.listing = listing;
        self
    }

    /// Another answer to a method: a JSON-RPC method, or `GET`, `DELETE`.
    #[must_use]
    pub fn on(mut self, method: &str, answer: Answer) -> Self {
        self.script.overrides.insert(method.to_owned(), answer);
        self
    }
}

/// How it introduces itself.
impl Builder {
    /// The `serverInfo` object.
    #[must_use]
    pub fn server_info(mut self, info: impl Into<Json>) -> Self {
        self.script.server_info = info.into();
        self
    }

    /// The instructions.
    #[must_use]
    pub fn instructions(mut self, text: &str) -> Self {
        self.script.instructions = Some(text.to_owned());
        self
    }

    /// The capabilities, instead of those that follow from what it offers.
    #[must_use]
    pub fn capabilities(mut self, capabilities: impl Into<Json>) -> Self {
        self.script.capabilities = Some(capabilities.into());
        self
    }

    /// Agrees to this revision whatever the client asks for.
    #[must_use]
    pub fn revision(mut self, revision: &str) -> Self {
        self.script.revision = Some(revision.to_owned());
        self
    }
}

/// Which revisions it speaks; those with a handshake if nothing is said.
impl Builder {
    /// Only the stateless revision: no handshake, no session, no GET.
    #[must_use]
    pub fn stateless(self) -> Self {
        self.era(Era::Modern)
    }

    /// The stateless revision besides the others.
    #[must_use]
    pub fn dual(self) -> Self {
        self.era(Era::Dual)
    }

    /// The revisions of this family; see also [`Backend::set_era`].
    #[must_use]
    pub fn era(mut self, era: Era) -> Self {
        self.script.era = era;
        self
    }

    /// How long stateless clients may keep lists, contents and what the backend says of itself, and who may share
    /// them (`public` or `private`). Not at all and `private` if not set.
    #[must_use]
    pub fn cacheable(mut self, ttl_ms: u64, scope: &str) -> Self {
        self.script.cache = (ttl_ms, scope.to_owned());
        self
    }

    /// Adds nothing to the results that its script gives stateless clients: no `resultType`, `ttlMs`, `cacheScope` and
    /// no name of the server.
    #[must_use]
    pub fn bare_results(mut self) -> Self {
        self.script.bare = true;
        self
    }

    /// Asks stateless clients also for what they did not declare, which is forbidden.
    #[must_use]
    pub fn presumptuous(mut self) -> Self {
        self.script.presumptuous = true;
        self
    }
}

/// How it speaks.
impl Builder {
    /// The transport; [`Transport::Sse`] if not set.
    #[must_use]
    pub fn transport(mut self, transport: Transport) -> Self {
        self.script.transport = transport;
        self
    }

    /// Gives events ids, begins streams with a priming event, and lets clients resume.
    #[must_use]
    pub fn resumable(mut self) -> Self {
        self.script.resumable = true;
        self
    }

    /// Writes events without `event: message`.
    #[must_use]
    pub fn unnamed_events(mut self) -> Self {
        self.script.named_events = false;
        self
    }

    /// Gives out no session id; all clients share one state.
    #[must_use]
    pub fn no_session_id(mut self) -> Self {
        self.script.session_ids = SessionIds::None;
        self
    }

    /// Gives out this session id, whatever it looks like.
    #[must_use]
    pub fn session_id(mut self, id: &str) -> Self {
        self.script.session_ids = SessionIds::Fixed(id.to_owned());
        self
    }

    /// The status for a session that it does not know; 404 if not set.
    #[must_use]
    pub fn lost_status(mut self, status: u16) -> Self {
        self.script.lost_status = status;
        self
    }

    /// Answers 401 to requests without exactly this header.
    #[must_use]
    pub fn require_header(mut self, name: &str, value: &str) -> Self {
        self.script.required_header = Some((name.to_owned(), value.to_owned()));
        self
    }

    /// Shows each request, read completely, to this code first; what it answers is all that the client gets.
    ///
    /// Guards are asked in the order in which they were added.
    #[must_use]
    pub fn guard(
        mut self,
        guard: impl Fn(&Recorded) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        self.script.guards.push(Arc::new(guard));
        self
    }

    /// Answers every request to this path (`/old`) so.
    #[must_use]
    pub fn path(mut self, path: &str, answer: Answer) -> Self {
        self.script.paths.insert(path.to_owned(), answer);
        self
    }

    /// Closes each connection after one response.
    #[must_use]
    pub fn no_keep_alive(mut self) -> Self {
        self.script.keep_alive = false;
        self
    }

    /// Waits so long before it reads from a new connection.
    #[must_use]
    pub fn accept_delay(mut self, delay: Duration) -> Self {
        self.script.accept_delay = Some(delay);
        self
    }

    /// Starts it on a free loopback port.
    pub async fn start(self) -> io::Result<Backend> {
        Backend::start(self.script, None).await
    }

    /// Starts it on this loopback port.
    pub async fn start_on(self, port: u16) -> io::Result<Backend> {
        Backend::start(self.script, Some(port)).await
    }
}
