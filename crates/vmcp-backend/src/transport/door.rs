//! The two ways to meet a backend, over any transport: by a handshake, or by asking it what it is.

use std::sync::Arc;

use tokio::time::timeout;

use super::known::Patience;
use super::pipe::{Owner, Pipe};
use super::{Attempt, Connection, Framing, HttpPeer, streamable};
use crate::{ClientHello, ConnectErrorKind, ServerHello};

/// How one way to meet a backend went.
pub(crate) enum Met {
    /// It is open.
    Open(ServerHello, Connection),
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
    /// A connection that is open already, and how to open one.
    Pipe(
        Option<(Arc<Pipe>, Owner)>,
        &'a (dyn Fn() -> Result<(Arc<Pipe>, Owner), ConnectErrorKind> + Send + Sync),
    ),
}

// === impl Door ===

impl Door<'_> {
    pub(crate) async fn shake_hands(&mut self, hello: &ClientHello, attempt: Attempt<'_>) -> Met {
        match self {
            Self::Http(peer, framing) => {
                let opened = streamable::open(peer, *framing, hello, attempt).await;
                let opened = opened.map(|(server, http)| (server, Connection::Http(http)));
                opened.map_or_else(Unopened::met, |(server, http)| Met::Open(server, http))
            }
            Self::Pipe(open, start) => {
                let (pipe, owner) = match usable(open, start) {
                    Ok(opened) => opened,
                    Err(kind) => return Met::Failed(kind),
                };
                match pipe.open(hello, attempt.next_id()).await {
                    Ok(server) => Met::Open(server, Connection::Pipe(pipe, owner)),
                    Err(why) => {
                        *open = Some((pipe, owner));
                        why.met()
                    }
                }
            }
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
            Self::Pipe(open, start) => {
                let before = open.is_some();
                let (pipe, owner) = match usable(open, start) {
                    Ok(opened) => opened,
                    Err(kind) => return Met::Failed(kind),
                };
                let asking = pipe.discover(hello, attempt.next_id());
                let asked = match patience {
                    Patience::Whole => asking.await,
                    Patience::Short(patience) => match timeout(patience, asking).await {
                        Ok(asked) => asked,
                        Err(_) => {
                            *open = Some((pipe, owner));
                            return Met::Silent(ConnectErrorKind::Timeout(patience));
                        }
                    },
                };
                match asked {
                    Ok(server) => Met::Open(server, Connection::Pipe(pipe, owner)),
                    // It ended over the handshake that it refused; a new one is asked nothing else before.
                    Err(_) if before && pipe.is_closed() => {
                        Box::pin(self.discover(hello, attempt, patience)).await
                    }
                    // Some end when they are asked something before the handshake; a new one is not asked.
                    Err(kind) if pipe.is_closed() => Met::Refused(kind),
                    Err(kind) => {
                        *open = Some((pipe, owner));
                        Met::of(kind)
                    }
                }
            }
        }
    }
}

/// The connection that is open already, or a new one.
fn usable(
    open: &mut Option<(Arc<Pipe>, Owner)>,
    start: &(dyn Fn() -> Result<(Arc<Pipe>, Owner), ConnectErrorKind> + Send + Sync),
) -> Result<(Arc<Pipe>, Owner), ConnectErrorKind> {
    match open.take() {
        Some(opened) if !opened.0.is_closed() => Ok(opened),
        _ => start(),
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
