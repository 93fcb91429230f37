//! One call on its way: how it is taken back, counted, and answered under the client's id.

use bytes::Bytes;
use vmcp_backend::{CallError, Response};
use vmcp_wire::{Kind, RawId, rpc};

use crate::metrics::{Meter, Outcome};
use crate::respond;
use crate::session::Ticket;

/// One call of a client, from its admission to its answer.
pub(crate) struct Leg {
    ticket: Ticket,
    /// `None` where nobody counts.
    meter: Option<Meter>,
}

// === impl Leg ===

impl Leg {
    pub(crate) fn new(ticket: Ticket, meter: impl Into<Option<Meter>>) -> Self {
        Self { ticket, meter: meter.into() }
    }

    /// The client's id.
    pub(crate) fn id(&self) -> &RawId {
        self.ticket.id()
    }

    /// Whether the client took the call back: nothing more may be said about it then.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.ticket.is_cancelled()
    }

    /// Counts how the call ended.
    pub(crate) fn ended(&mut self, outcome: Outcome) {
        if let Some(meter) = &mut self.meter {
            meter.end(outcome);
        }
    }

    /// The answer in memory; `None` if the call was taken back. A response in parts comes back as it is.
    pub(crate) fn respond(
        &mut self,
        response: Response,
    ) -> Result<Option<Bytes>, vmcp_backend::Parts> {
        if self.is_cancelled() {
            self.ended(Outcome::Cancelled);
            return Ok(None);
        }
        let bytes = match response {
            Response::Parts(parts) => {
                self.ended(Outcome::Ok);
                return Err(parts);
            }
            Response::Whole(message) => {
                let failed = message.kind() == Kind::Failure;
                self.ended(if failed { Outcome::Error } else { Outcome::Ok });
                message.with_id(self.id())
            }
            Response::Made(result) => {
                self.ended(Outcome::Ok);
                rpc::success(self.id(), &result)
            }
        };
        Ok(Some(bytes))
    }

    /// The answer to a call that has no response; `None` if it was taken back.
    pub(crate) fn fail(&mut self, error: &CallError) -> Option<Bytes> {
        if self.is_cancelled() {
            self.ended(Outcome::Cancelled);
            return None;
        }
        self.ended(Outcome::Failed);
        tracing::debug!(%error, "a call failed");
        Some(respond::failure(self.id(), error))
    }
}
