//! A call whose reply is being read.

use std::fmt;
use std::pin::pin;

use vmcp_wire::{Kind, Message, Piece, method};

use super::rounds::Rounds;
use super::{Clock, InputRequired, Ticket, guarded, wrong_id};
use crate::link::InFlight;
use crate::peer::{self, OpenRequests};
use crate::session::meta;
use crate::transport::{Framing, Item, Wire, is_own};
use crate::{Call, CallError, Cancel, PeerRequest, dialect};

/// One call in flight.
pub(crate) struct Running {
    pub(super) ticket: Ticket,
    pub(super) wire: Wire,
    pub(super) clock: Clock,
    pub(super) cancel: Cancel,
    pub(super) open_requests: OpenRequests,
    pub(super) framing: Framing,
    /// What becomes of answers that ask back, where there are such.
    pub(super) rounds: Option<Box<Rounds>>,
    _in_flight: InFlight,
}

/// What a call's reader is given.
pub(crate) enum Step {
    Notification(Message),
    Request(PeerRequest),
    Paused,
    /// The last one.
    Response(Message),
    /// The response is long: it is read in pieces.
    Stream,
    /// The last one: what the backend has to be told first.
    Asked(InputRequired),
}

// === impl Running ===

impl Running {
    pub(crate) fn new(
        ticket: Ticket,
        wire: Wire,
        clock: Clock,
        call: Call,
        in_flight: InFlight,
    ) -> Self {
        let open_requests = wire.open_requests();
        let framing = Framing::from(&ticket.link.target().limits);
        let cancel = call.cancel.clone();
        let rounds = Rounds::of(&ticket, call).map(Box::new);
        let _in_flight = in_flight;
        Self { ticket, wire, clock, cancel, open_requests, framing, rounds, _in_flight }
    }

    pub(crate) fn streamed(&self) -> bool {
        self.wire.streamed()
    }

    /// Reads on until there is something for the caller. Cancel-safe.
    pub(crate) async fn step(&mut self) -> Result<Step, CallError> {
        loop {
            // Boxed, as everything here that is rare and large: what waits for a reply is moved about.
            if self.rounds.is_some()
                && let Some(step) = Box::pin(self.between()).await?
            {
                return Ok(step);
            }
            if self.rounds.as_ref().is_some_and(|rounds| rounds.looks_ahead()) {
                let Some(message) = Box::pin(self.read_ahead()).await? else {
                    return Ok(Step::Stream);
                };
                if let Some(step) = self.message(message)? {
                    return Ok(step);
                }
                continue;
            }
            match self.item().await? {
                Item::Message(message) => {
                    if let Some(step) = self.message(message)? {
                        return Ok(step);
                    }
                }
                Item::Request(request) => return Ok(Step::Request(request)),
                Item::Paused => return Ok(Step::Paused),
                Item::Head(head) => {
                    if head.id.as_ref().is_some_and(|id| !is_own(id, self.ticket.id)) {
                        return Err(self.fail(wrong_id(self.ticket.link.backend())));
                    }
                    if head.kind == Kind::Success {
                        self.ticket.succeeded();
                    }
                    self.ticket.answered(None);
                    let Some(rounds) = &mut self.rounds else { return Ok(Step::Stream) };
                    rounds.look_ahead();
                }
                Item::Pieces(_) => {}
                Item::End => {
                    let error = super::without_response(self.ticket.link.backend());
                    return Err(self.fail(error));
                }
            }
        }
    }

    /// The next pieces of a long response; `None` at its end. Cancel-safe.
    pub(crate) async fn pieces(&mut self) -> Result<Option<Vec<Piece>>, CallError> {
        loop {
            let ahead = self.rounds.as_mut().and_then(|rounds| rounds.take_ahead());
            let item = match ahead {
                Some(item) => item,
                None => self.item().await?,
            };
            match item {
                Item::Pieces(pieces) => {
                    let backend = self.ticket.link.backend();
                    let checked: Result<Vec<Piece>, CallError> = pieces
                        .into_iter()
                        .map(|piece| super::checked(piece, self.ticket.id, backend))
                        .collect();
                    return checked.map(Some).map_err(|error| self.fail(error));
                }
                Item::End => {
                    self.finish();
                    return Ok(None);
                }
                // Nothing may come between the pieces of one message.
                Item::Message(_) | Item::Request(_) | Item::Head(_) | Item::Paused => {}
            }
        }
    }

    pub(super) async fn item(&mut self) -> Result<Item, CallError> {
        let Self { ticket, wire, clock, cancel, open_requests, .. } = self;
        let item = {
            let next = pin!(wire.next());
            guarded(ticket.link.backend(), cancel, clock, open_requests, next).await
        };
        match item {
            Ok(item) => {
                clock.touch();
                Ok(item)
            }
            // What the wire says is the end of it; what ended early here, the backend must be told.
            Err(error) => {
                if clock.doubts(&error, ticket.link.target().limits.ping) {
                    ticket.live.connection.suspect();
                }
                match error.kind {
                    crate::ErrorKind::Cancelled | crate::ErrorKind::Timeout(_) => Err(error),
                    _ => Err(self.fail(error)),
                }
            }
        }
    }

    fn message(&mut self, message: Message) -> Result<Option<Step>, CallError> {
        match message.kind() {
            Kind::Success | Kind::Failure => self.response(message),
            Kind::Notification => Ok(self.notification(message).map(Step::Notification)),
            // It could not be answered: where nothing is kept, only answers ask.
            Kind::Request if self.rounds.is_some() => Ok(None),
            Kind::Request => {
                let answerer = self.ticket.live.connection.answerer(&self.ticket.caller);
                let errands = self.ticket.link.errands();
                if peer::answer_ping(&message, &answerer, errands) {
                    return Ok(None);
                }
                let open = Some(&self.open_requests);
                Ok(PeerRequest::new(message, &answerer, errands, open).map(Step::Request))
            }
        }
    }

    fn response(&mut self, message: Message) -> Result<Option<Step>, CallError> {
        let own = match message.id() {
            Some(id) => is_own(&id, self.ticket.id),
            // An error without an id came on this call's own exchange: it can only be about it.
            None => message.kind() == Kind::Failure,
        };
        if !own {
            return Err(self.fail(wrong_id(self.ticket.link.backend())));
        }
        if message.kind() == Kind::Success {
            self.ticket.succeeded();
        }
        self.ticket.answered(Some(&message));
        self.finish();
        let live = &self.ticket.live;
        let (client, backend) = (self.ticket.link.client().revision, live.server.revision);
        match &self.rounds {
            Some(rounds) => {
                let limits = &self.framing.limits;
                let message = dialect::translated(message, rounds.call(), client, backend, limits);
                self.judged(message)
            }
            None => Ok(Some(Step::Response(message))),
        }
    }

    /// The notification for the caller, if it is one for the caller.
    fn notification(&self, message: Message) -> Option<Message> {
        if message.method() == method::PROGRESS {
            let Ticket { link, id, token, .. } = &self.ticket;
            let own = token.as_ref();
            let own = own.and_then(|token| meta::restore(&message, *id, token, &self.framing));
            return own.or_else(|| link.living().restore(&message));
        }
        self.ticket.link.living().told(&message);
        if peer::is_about_the_backend(message.method())
            && let Some(sink) = self.ticket.link.sink()
        {
            sink(crate::Outside::Notification(message));
            return None;
        }
        Some(message)
    }

    pub(super) fn finish(&mut self) {
        self.ticket.settle();
        self.wire.finish();
    }

    fn fail(&mut self, error: CallError) -> CallError {
        self.ticket.settle();
        error
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("id", &self.ticket.id).finish_non_exhaustive()
    }
}
