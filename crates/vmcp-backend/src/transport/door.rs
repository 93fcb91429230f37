//! The two ways to meet a backend, over any transport: by a handshake, or by asking it what it is.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::known::Patience;
use super::pipe::{Owner, Pipe};
use super::{Attempt, Connection, Framing, HttpPeer, streamable};
use crate::{ClientHello, ConnectErrorKind, ServerHello};

/// How one way to meet a backend went.
pub(crate) enum Met {
    /// It is open.
    Open(ServerHello, Connection),
    /// It said what it is while it was already offered a handshake, and is open without one.
    Late(ServerHello, Connection),
    /// The backend does not take this way.
    Refused(ConnectErrorKind),
    /// It did not answer in the time that was left to it.
    Silent(ConnectErrorKind),
    /// It said nothing from which anything follows; another way may still work.
    Unclear(ConnectErrorKind),
    /// There is no connection, or there are no credentials: no other way works either.
    Failed(ConnectErrorKind),
}

/// Why a handshake came to nothing.
pub(crate) enum Unopened {
    /// The backend answered it, with something that does not open a session.
    Refused(String),
    /// Anything else.
    Failed(ConnectErrorKind),
}

/// What both ways go through.
pub(crate) enum Door<'a> {
    Http(Arc<HttpPeer>, Framing),
    Pipe(PipeDoor<'a>),
}

/// One connection for everything that is said, and how to open it.
pub(crate) struct PipeDoor<'a> {
    start: &'a (dyn Fn() -> Result<(Arc<Pipe>, Owner), ConnectErrorKind> + Send + Sync),
    open: Option<(Arc<Pipe>, Owner)>,
    /// It was asked what it is and has not answered: it may still be starting.
    asked: Option<Asked>,
}

/// The answer that is late, and how long it was waited for.
struct Asked {
    answer: Discovering,
    patience: Duration,
}

type Discovering = Pin<Box<dyn Future<Output = Result<ServerHello, ConnectErrorKind>> + Send>>;

// === impl Door ===

impl Door<'_> {
    pub(crate) async fn shake_hands(&mut self, hello: &ClientHello, attempt: Attempt<'_>) -> Met {
        match self {
            Self::Http(peer, framing) => {
                let opened = streamable::open(peer, *framing, hello, attempt).await;
                let opened = opened.map(|(server, http)| (server, Connection::Http(http)));
                opened.map_or_else(Unopened::met, |(server, http)| Met::Open(server, http))
            }
            Self::Pipe(door) => door.shake_hands(hello, attempt).await,
        }
    }

    pub(crate) async fn discover(
        &mut self,
        hello: &ClientHello,
        attempt: Attempt<'_>,
        patience: Patience,
    ) -> Met {
        match self {
            Self::Http(peer, framing) => {
                streamable::discover(peer, *framing, hello, attempt, patience).await
            }
            Self::Pipe(door) => door.discover(hello, attempt, patience).await,
        }
    }
}

// === impl PipeDoor ===

impl<'a> PipeDoor<'a> {
    pub(crate) fn new(
        start: &'a (dyn Fn() -> Result<(Arc<Pipe>, Owner), ConnectErrorKind> + Send + Sync),
    ) -> Self {
        Self { start, open: None, asked: None }
    }

    async fn shake_hands(&mut self, hello: &ClientHello, attempt: Attempt<'_>) -> Met {
        let (pipe, owner) = match self.usable() {
            Ok(opened) => opened,
            Err(kind) => return Met::Failed(kind),
        };
        let shaken = match self.asked.take() {
            None => Some(pipe.open(hello, attempt.next_id()).await),
            Some(asked) => asked.unless_it_answers(pipe.open(hello, attempt.next_id())).await,
        };
        match shaken {
            Some(Ok(server)) => Met::Open(server, Connection::Pipe(pipe, owner)),
            Some(Err(why)) => {
                self.open = Some((pipe, owner));
                why.met()
            }
            // A new one is asked and offered nothing else: this one may take the handshake for what it is spoken to in.
            None => {
                drop((pipe, owner));
                match Box::pin(self.discover(hello, attempt, Patience::Whole)).await {
                    Met::Open(server, connection) => Met::Late(server, connection),
                    other => other,
                }
            }
        }
    }

    async fn discover(
        &mut self,
        hello: &ClientHello,
        attempt: Attempt<'_>,
        patience: Patience,
    ) -> Met {
        let before = self.open.is_some();
        let (pipe, owner) = match self.usable() {
            Ok(opened) => opened,
            Err(kind) => return Met::Failed(kind),
        };
        let mut asking = asking(&pipe, hello, attempt.next_id());
        let asked = match patience {
            Patience::Whole => Ok(asking.as_mut().await),
            Patience::Short(patience) => timeout(patience, &mut asking).await.map_err(|_| patience),
        };
        match asked {
            Ok(Ok(server)) => Met::Open(server, Connection::Pipe(pipe, owner)),
            // It may be ending over the handshake that it refused; a new one is asked nothing else before.
            Err(_) if before => self.discover_anew(hello, attempt).await,
            Ok(Err(_)) if before && pipe.is_closed() => self.discover_anew(hello, attempt).await,
            Err(patience) => {
                self.open = Some((pipe, owner));
                self.asked = Some(Asked { answer: asking, patience });
                Met::Silent(ConnectErrorKind::Timeout(patience))
            }
            // Some end when they are asked something before the handshake; a new one is not asked.
            Ok(Err(kind)) if pipe.is_closed() => Met::Refused(kind),
            Ok(Err(kind)) => {
                self.open = Some((pipe, owner));
                Met::of(kind)
            }
        }
    }

    async fn discover_anew(&mut self, hello: &ClientHello, attempt: Attempt<'_>) -> Met {
        self.open = None;
        Box::pin(self.discover(hello, attempt, Patience::Whole)).await
    }

    /// The connection that is open already, or a new one.
    fn usable(&mut self) -> Result<(Arc<Pipe>, Owner), ConnectErrorKind> {
        match self.open.take() {
            Some(opened) if !opened.0.is_closed() => Ok(opened),
            _ => {
                self.asked = None;
                (self.start)()
            }
        }
    }
}

/// Asks what the backend is; goes on being asked whoever stops waiting.
fn asking(pipe: &Arc<Pipe>, hello: &ClientHello, id: u64) -> Discovering {
    let (pipe, hello) = (Arc::clone(pipe), hello.clone());
    Box::pin(async move { pipe.discover(&hello, id).await })
}

// === impl Asked ===

impl Asked {
    /// How the handshake went, or `None` if the backend says what it is after all. What starts slowly answers in the
    /// order in which it was asked, so it says so before it answers the handshake; one that answers everything as it
    /// comes gets as long again if it refuses the handshake.
    async fn unless_it_answers<T, E>(
        mut self,
        handshake: impl Future<Output = Result<T, E>>,
    ) -> Option<Result<T, E>> {
        tokio::pin!(handshake);
        let shaken = tokio::select! {
            biased;
            answer = self.answer.as_mut() => match answer {
                Ok(_) => return None,
                Err(_) => return Some(handshake.await),
            },
            shaken = handshake.as_mut() => shaken,
        };
        let late =
            shaken.is_err() && matches!(timeout(self.patience, self.answer).await, Ok(Ok(_)));
        (!late).then_some(shaken)
    }
}

// === impl Unopened ===

impl Unopened {
    /// As the error of an opening.
    pub(crate) fn into_kind(self) -> ConnectErrorKind {
        match self {
            Self::Refused(text) => ConnectErrorKind::Handshake(text),
            Self::Failed(kind) => kind,
        }
    }

    fn met(self) -> Met {
        match self {
            Self::Refused(text) => Met::Refused(ConnectErrorKind::Handshake(text)),
            // It shakes hands, and does that badly: it speaks no other way.
            Self::Failed(kind @ ConnectErrorKind::Handshake(_)) => Met::Failed(kind),
            Self::Failed(kind) => Met::of(kind),
        }
    }
}

impl From<ConnectErrorKind> for Unopened {
    fn from(kind: ConnectErrorKind) -> Self {
        Self::Failed(kind)
    }
}

// === impl Met ===

impl Met {
    /// How an attempt failed.
    pub(crate) fn of(kind: ConnectErrorKind) -> Self {
        match &kind {
            // Without credentials, or under too great a load, a backend says nothing of itself.
            ConnectErrorKind::Status { status: 407 | 408 | 429, .. } => Self::Failed(kind),
            ConnectErrorKind::Status { status: 400..500, .. } => Self::Refused(kind),
            ConnectErrorKind::Status { status: 500.., .. } => Self::Unclear(kind),
            ConnectErrorKind::Status { .. } | ConnectErrorKind::Handshake(_) => Self::Refused(kind),
            _ => Self::Failed(kind),
        }
    }
}
