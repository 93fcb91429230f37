//! From a target to a session.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;
use vmcp_auth::{Caller, CredentialScope, OutgoingAuthRegistry};
use vmcp_net::{Client, ProxyMode};

use crate::tasks::PipeRuntimes;
use crate::transport::{Dialler, Guard, MAX_SESSION_ID};
use crate::{
    BackendTarget, CapabilityList, ClientHello, ConnectError, ConnectErrorKind, Hints, Session,
    Sink,
};

mod prepare;

pub(crate) use prepare::Shared;

use prepare::Setup;

/// Opens sessions. One per process: it holds the connection pools, the strategies with their tokens, and what was
/// learnt about targets.
///
/// What a target needs is prepared once and shared by all its sessions, for as long as the `Arc` of the target lives:
/// credentials, headers, certificates, the pool. So keep one `Arc<BackendTarget>` per backend. A CA bundle that is a
/// file is read again when the file has changed and a connection is opened.
#[derive(Debug)]
pub struct Connector {
    shared: Arc<Shared>,
}

// === impl Connector ===

impl Connector {
    /// A connector that dials with `client` and authenticates with `strategies`.
    pub fn new(client: Client, strategies: OutgoingAuthRegistry) -> Self {
        Self::of(Setup {
            client,
            strategies: Arc::new(strategies),
            proxy: ProxyMode::Direct,
            guard: None,
            pipes: PipeRuntimes::default(),
        })
    }

    /// The same, going out as `proxy` says.
    #[must_use]
    pub fn with_proxy(self, proxy: ProxyMode) -> Self {
        Self::of(Setup { proxy, ..self.shared.setup.clone() })
    }

    /// The same, starting processes through a program that calls [`guard`](crate::guard): nothing that it starts
    /// outlives this process, even if this process is killed. `args` come before the command and its arguments.
    ///
    /// Without one, a session that is closed or dropped ends its process and the process group; but if nobody gets
    /// to drop it (SIGKILL, an abort, a crash), the process only sees the end of its input, and may live on.
    #[must_use]
    pub fn with_guard(
        self,
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        let guard = Some(Arc::new(Guard { program: program.into(), args }));
        Self::of(Setup { guard, ..self.shared.setup.clone() })
    }

    /// The same, with the pipes of processes read and written on these runtimes, instead of on those that sessions are
    /// opened on.
    ///
    /// For whoever calls from several runtimes: a call that finds its process's pipe on its own wakes no other thread.
    /// Processes are given to them in turn; one that is opened on one of them stays there. Sessions have to be closed
    /// before their runtime ends.
    #[must_use]
    pub fn with_pipes_on(self, runtimes: &[Handle]) -> Self {
        Self::of(Setup { pipes: PipeRuntimes::new(runtimes), ..self.shared.setup.clone() })
    }

    /// Opens a session and lists all that the backend advertises.
    ///
    /// [`open`](Self::open), [`Session::list`] and, with a `sink`, [`Session::listen`] in one: the way to use a backend
    /// alone. If the listing fails there is no session either, so what was listed is never a part that looks like the
    /// whole.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`ConnectErrorKind::List`].
    ///
    /// # Cancel safety
    /// As [`open`](Self::open).
    pub async fn connect(
        &self,
        target: &Arc<BackendTarget>,
        caller: Caller,
        hints: impl Into<Hints>,
        sink: Option<Sink>,
    ) -> Result<(Session, CapabilityList), ConnectError> {
        let session = self.open(target, caller, hints, sink).await?;
        match session.list().await {
            Ok(list) => {
                session.listen();
                Ok((session, list))
            }
            Err(error) => {
                // In the background: whoever waits for the error need not wait for the backend once more.
                drop(session);
                let kind = ConnectErrorKind::List(error.to_string());
                Err(ConnectError { backend: target.id.clone(), kind })
            }
        }
    }

    /// Opens a session and shakes hands, within the target's connect timeout.
    ///
    /// `caller` is who the session is for: its requests go with that caller's credentials unless a call has one of its
    /// own ([`Call::caller`](crate::Call::caller)). [`Caller::default`] is nobody: then a user's credentials are never
    /// used, and the handshake is a probe. Without a `sink` nobody listens to what the backend says outside calls, ever;
    /// with one, the stream for it is opened when [`Session::listen`] asks for it.
    ///
    /// # Errors
    /// What can be known to be wrong is found before anything is dialled ([`ConnectErrorKind::Config`]): the strategy,
    /// its settings, headers, certificates, the URL.
    ///
    /// # Cancel safety
    /// Safe: a dropped future leaves nothing behind but perhaps a session at the backend that nobody uses.
    pub async fn open(
        &self,
        target: &Arc<BackendTarget>,
        caller: Caller,
        hints: impl Into<Hints>,
        sink: Option<Sink>,
    ) -> Result<Session, ConnectError> {
        let Hints { hello, session_id } = hints.into();
        let opening = async {
            session_id.as_deref().map_or(Ok(()), check_session_id)?;
            self.shared.prepare(target)?;
            let dialler = Dialler::new(&self.shared, target, hello, sink);
            Session::open(dialler, caller, session_id.as_deref()).await
        };
        opening.await.map_err(|kind| ConnectError { backend: target.id.clone(), kind })
    }

    /// As [`open`](Self::open), but only in the family of revisions that the client's own is of. `None` if the backend
    /// does not speak that one, or may not be spoken with so: then nothing more is asked, until its silence is worth another
    /// question or [`forget`](Self::forget) says that it may be another backend.
    ///
    /// For whoever wants to know what clients of either family get from a backend that speaks both.
    ///
    /// # Errors
    /// As [`open`](Self::open). Nothing follows from an error.
    ///
    /// # Cancel safety
    /// As [`open`](Self::open).
    pub async fn open_strictly(
        &self,
        target: &Arc<BackendTarget>,
        caller: Caller,
        hello: ClientHello,
        sink: Option<Sink>,
    ) -> Result<Option<Session>, ConnectError> {
        let opening = async {
            self.shared.prepare(target)?;
            let dialler = Dialler::new(&self.shared, target, hello.clone(), sink).strictly();
            if !dialler.may_meet_strictly() {
                return Ok(None);
            }
            match Session::open(dialler, caller, None).await {
                Ok(session) => Ok(Some(session)),
                // It refused, or did not say in time what it is: that is known now.
                Err(_) if !self.may_meet_strictly(target, hello) => Ok(None),
                Err(kind) => Err(kind),
            }
        };
        opening.await.map_err(|kind| ConnectError { backend: target.id.clone(), kind })
    }

    /// The backend may be another by now than it was: what was found out about the families of revisions that it does
    /// not speak counts no more.
    pub fn forget(&self, target: &Arc<BackendTarget>) {
        self.shared.learnt.target(target).forget_refusals();
    }

    fn may_meet_strictly(&self, target: &Arc<BackendTarget>, hello: ClientHello) -> bool {
        Dialler::new(&self.shared, target, hello, None).may_meet_strictly()
    }

    /// Whether what a target offers may depend on who asks: then nothing that it said to one caller may be shown to
    /// another. Dials nothing.
    ///
    /// # Errors
    /// [`ConnectErrorKind::Config`], as [`open`](Self::open).
    pub fn scope(&self, target: &Arc<BackendTarget>) -> Result<CredentialScope, ConnectError> {
        match self.shared.prepare(target) {
            Ok(prepared) => Ok(prepared.credentials.scope()),
            Err(kind) => Err(ConnectError { backend: target.id.clone(), kind }),
        }
    }

    fn of(setup: Setup) -> Self {
        Self { shared: Arc::new(Shared::new(setup)) }
    }
}

impl Default for Connector {
    /// One that dials directly, with the strategies vmcp brings and without anything remembered.
    fn default() -> Self {
        Self::new(Client::new(), OutgoingAuthRegistry::new())
    }
}

/// A hint must be what a backend can have given: visible ASCII of a sane length (MCP 2025-11-25, §transports).
fn check_session_id(id: &str) -> Result<(), ConnectErrorKind> {
    let text = match id.bytes().position(|byte| !(0x21..=0x7e).contains(&byte)) {
        _ if id.is_empty() => "session ID must not be empty".to_owned(),
        Some(index) => format!("session ID contains invalid character at index {index}"),
        None if id.len() > MAX_SESSION_ID => {
            format!("session ID is longer than {MAX_SESSION_ID} characters")
        }
        None => return Ok(()),
    };
    Err(ConnectErrorKind::Config(text))
}
