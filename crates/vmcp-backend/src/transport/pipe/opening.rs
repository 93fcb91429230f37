//! The first words on a shared connection.

use std::sync::Arc;

use vmcp_wire::{Message, RawId};

use super::super::door::Unopened;
use super::super::{Request, StartError};
use super::Pipe;
use crate::{CallError, ClientHello, ConnectErrorKind, ErrorKind, Executed, ServerHello, dialect};

impl Pipe {
    /// Opens the session: one request, its response, one notification.
    pub(crate) async fn open(
        self: &Arc<Self>,
        hello: &ClientHello,
        id: u64,
    ) -> Result<ServerHello, Unopened> {
        let request = Request::new(id, dialect::opening(&RawId::number(id), hello));
        let response = self.first(request).await?;
        let server = dialect::greeting(&response, None).map_err(Unopened::Refused)?;
        let told = self.tell(dialect::confirmation(), None).await;
        told.map_err(|error| self.not_started(error))?;
        self.agreed.get_or_init(|| server.revision);
        Ok(server)
    }

    /// Asks what the backend is, instead.
    pub(crate) async fn discover(
        self: &Arc<Self>,
        hello: &ClientHello,
        id: u64,
    ) -> Result<ServerHello, ConnectErrorKind> {
        let response = self.first(dialect::discover(id, hello)).await?;
        let server = dialect::discovered(&response).map_err(ConnectErrorKind::Handshake)?;
        self.agreed.get_or_init(|| server.revision);
        Ok(server)
    }

    async fn first(self: &Arc<Self>, request: Request) -> Result<Message, ConnectErrorKind> {
        let started = self.call(request, None).await;
        let mut reply = started.map_err(|error| self.not_started(error))?;
        reply.only_response().await.map_err(|error| ConnectErrorKind::of_call(&error))
    }

    fn not_started(&self, error: StartError) -> ConnectErrorKind {
        ConnectErrorKind::of_call(&error.into_error(|| {
            CallError::backend(&self.backend, ErrorKind::Unavailable, Executed::No)
                .with_internal("it went away")
        }))
    }
}
