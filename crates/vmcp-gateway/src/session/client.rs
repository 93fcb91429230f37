//! The client as its backend sessions know it: what it said of itself, and where messages for it go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use vmcp_auth::{Caller, Identity};
use vmcp_backend::{Call, ClientHello, Event, TaskForm};
use vmcp_config::SessionLimits;
use vmcp_wire::asking::{Declared, may_ask};
use vmcp_wire::revision::Family;
use vmcp_wire::{Edits, Object, task};

use super::{ClientSink, Followed, Learnt, Run, Runs, Tokens};
use crate::level::Level;

/// One client. Backend sessions hold it; it holds none of them.
pub(crate) struct Client {
    /// Its number in this gateway.
    pub id: u64,
    /// What backends are told of it: never more than it declared.
    pub hello: ClientHello,
    /// Who it is.
    pub identity: Arc<Identity>,
    /// Protects its newest credentials and headers; held to copy or to replace them.
    caller: Mutex<Caller>,
    /// How many requests brought those along.
    renewed: AtomicU64,
    /// Where messages for it go.
    pub sink: ClientSink,
    /// Progress tokens of the requests backends made to it.
    pub tokens: Tokens,
    /// Resources that results linked to.
    pub learnt: Learnt,
    /// The ids that it knows tasks by.
    pub tasks: Followed,
    /// Its calls, if nothing reaches it but in these.
    runs: Option<Arc<Runs>>,
    /// How it follows tasks.
    pub form: TaskForm,
    level: AtomicU8,
    listening: AtomicBool,
    closed: AtomicBool,
}

// === impl Client ===

impl Client {
    pub(super) fn new(
        id: u64,
        hello: &ClientHello,
        caller: Caller,
        sink: ClientSink,
        limits: &SessionLimits,
    ) -> Self {
        let form = form(hello);
        let runs = hello.revision.stateless().then(Arc::default);
        // Copies, because slices of the handshake would keep the whole message in memory.
        let hello = ClientHello {
            revision: hello.revision,
            capabilities: relayable(hello),
            client_info: Bytes::copy_from_slice(&hello.client_info),
        };
        let identity = caller.identity.unwrap_or_else(|| Arc::new(Identity::anonymous()));
        let caller = Caller { identity: Some(identity.clone()), headers: caller.headers };
        Self {
            id,
            hello,
            identity,
            caller: Mutex::new(caller),
            renewed: AtomicU64::new(0),
            sink,
            tokens: Tokens::new(limits.max_remembered),
            learnt: Learnt::new(limits.max_remembered, limits.max_uri_bytes),
            tasks: Followed::new(limits.max_remembered),
            runs,
            form,
            level: AtomicU8::new(0),
            listening: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// As whom it makes requests that no call is made for, and how many requests of its own there were until then.
    pub(super) fn caller(&self) -> (Caller, u64) {
        let caller = self.caller.lock();
        (caller.clone(), self.renewed.load(Ordering::Relaxed))
    }

    /// A request of its own: its newest credentials and headers are these, if it says.
    pub(super) fn renew(&self, caller: Option<&Caller>) {
        let mut known = self.caller.lock();
        if let Some(caller) = caller {
            *known = caller.clone();
        }
        self.renewed.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the call is made for this client: for its principal, or for nobody in particular, who is that
    /// principal then.
    pub(super) fn answers_for(&self, call: &mut Call) -> bool {
        let Some(caller) = &mut call.caller else { return true };
        match &caller.identity {
            Some(identity) => identity.same_principal(&self.identity),
            None => {
                caller.identity = Some(self.identity.clone());
                true
            }
        }
    }

    /// What decides which of the things that a backend can offer it is offered.
    pub(crate) fn family(&self) -> Family {
        self.hello.revision.family()
    }

    /// Whether it declared anything: the catalogue's own sessions declare nothing.
    pub(super) fn declares(&self) -> bool {
        Object::parse(&self.hello.capabilities).is_ok_and(|object| object.iter().next().is_some())
    }

    /// Gives what this backend says in no call to the one call that runs there; if there is none, or several, or the
    /// client is told such things by itself, to the client.
    pub(super) fn give(&self, backend: usize, event: Event) {
        let left = match &self.runs {
            Some(runs) => runs.give(backend, event),
            None => Some(event),
        };
        left.into_iter().for_each(|event| (self.sink)(event));
    }

    /// Whether nothing reaches it but in its calls.
    pub(super) fn hears_in_calls(&self) -> bool {
        self.runs.is_some()
    }

    /// Whether it declared anything that it can be asked for.
    pub(super) fn can_be_asked(&self) -> bool {
        Declared::read(&self.hello.capabilities).any()
    }

    /// A call to this backend begins. Gives its part in what is said beside the replies, if it can have one: others can
    /// be neither asked nor meant.
    pub(super) fn run(&self, backend: usize, call: &Call) -> Option<Box<Run>> {
        let runs = self.runs.as_ref().filter(|_| may_ask(&call.method))?;
        Some(Box::new(runs.begin(backend, call)))
    }

    /// The level of log messages it asked for.
    pub(crate) fn level(&self) -> Option<Level> {
        Level::from_u8(self.level.load(Ordering::Acquire))
    }

    /// Whether a log message of this level is for it; one without a level is for everybody.
    pub(crate) fn wants(&self, level: Option<Level>) -> bool {
        match (self.level(), level) {
            (Some(wanted), Some(level)) => level >= wanted,
            (None, _) | (_, None) => true,
        }
    }

    pub(super) fn set_level(&self, level: Level) {
        self.level.store(level.as_u8(), Ordering::Release);
    }

    pub(super) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Acquire)
    }

    pub(super) fn set_listening(&self, on: bool) {
        self.listening.store(on, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Nothing is told to it any more. Tells whether it was not closed before.
    pub(super) fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel)
    }
}

/// How a client follows tasks.
fn form(hello: &ClientHello) -> TaskForm {
    match (hello.revision.stateless(), hello.revision.tasks()) {
        (true, _) if declares_tasks(&hello.capabilities) => TaskForm::Offered,
        (true, _) => TaskForm::Own,
        (false, true) => TaskForm::Requested,
        (false, false) => TaskForm::Driven,
    }
}

fn declares_tasks(capabilities: &[u8]) -> bool {
    let declared = || {
        let extensions = Object::parse(capabilities).ok()?.get("extensions")?.as_object()?;
        extensions.get(task::EXTENSION).filter(|member| !member.is_null())
    };
    declared().is_some()
}

/// The capabilities without what no backend may make use of: tasks that clients run, which vmcp does not follow; and,
/// where each call says whether it may become a task, a declaration for all of them.
fn relayable(hello: &ClientHello) -> Bytes {
    let declared = &hello.capabilities;
    let Ok(object) = Object::parse(declared) else { return Bytes::from_static(b"{}") };
    let mut edits = Edits::new();
    if object.get("tasks").is_some() {
        edits.remove_member(&object, "tasks");
    }
    let extensions = object.get("extensions").and_then(|member| member.as_object());
    if let Some(extensions) = extensions.filter(|_| !hello.revision.stateless())
        && extensions.get(task::EXTENSION).is_some()
    {
        edits.remove_member(&extensions, task::EXTENSION);
    }
    match edits.is_empty() {
        true => Bytes::copy_from_slice(declared),
        false => edits.apply(declared),
    }
}
