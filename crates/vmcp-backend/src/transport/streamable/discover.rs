//! Asks a backend what it is, before or instead of a handshake.

use std::sync::Arc;

use http::StatusCode;
use tokio::time::timeout;
use vmcp_wire::Message;

use super::super::door::Met;
use super::super::http::{HttpPeer, SendError};
use super::super::known::Patience;
use super::super::status::Refusal;
use super::super::{Attempt, Connection, Framing, Request};
use super::{Exchange, greeting};
use crate::call::Behalf;
use crate::{ClientHello, ConnectErrorKind, ServerHello, dialect};

/// One request and its response; nothing is left open.
pub(crate) async fn discover(
    peer: &Arc<HttpPeer>,
    framing: Framing,
    hello: &ClientHello,
    attempt: Attempt<'_>,
    patience: Patience,
) -> Met {
    let asking = ask(peer, framing, hello, attempt);
    let asked = match patience {
        Patience::Whole => asking.await,
        Patience::Short(patience) => match timeout(patience, asking).await {
            Ok(asked) => asked,
            Err(_) => return Met::Silent(ConnectErrorKind::Timeout(patience)),
        },
    };
    match asked {
        Ok((server, exchange)) => Met::Open(server, Connection::Http(exchange)),
        Err(kind) => Met::of(kind),
    }
}

async fn ask(
    peer: &Arc<HttpPeer>,
    framing: Framing,
    hello: &ClientHello,
    attempt: Attempt<'_>,
) -> Result<(ServerHello, Arc<Exchange>), ConnectErrorKind> {
    let revision = vmcp_wire::revision::Revision::STATELESS;
    // What it says of itself may be long, and is of use only as a whole.
    let whole = Framing { hold: framing.limits.max_bytes, ..framing };
    let stranger = Arc::new(Exchange::new(peer, whole, None, Some(revision))?);
    let mut message = once(&stranger, hello, attempt).await?;
    if dialect::is_offered(&message) {
        message = once(&stranger, hello, attempt).await?;
    }
    let server = dialect::discovered(&message).map_err(ConnectErrorKind::Handshake)?;
    let exchange = Arc::new(Exchange::new(peer, framing, None, Some(revision))?);
    Ok((peer.said.share(server), exchange))
}

async fn once(
    exchange: &Arc<Exchange>,
    hello: &ClientHello,
    attempt: Attempt<'_>,
) -> Result<Message, ConnectErrorKind> {
    let Request { id, body, headers, .. } = dialect::discover(attempt.next_id(), hello);
    let response = exchange.post(body, headers, Behalf::of(attempt.caller)).await;
    let response = response.map_err(SendError::into_connect_error)?;
    if response.status() != StatusCode::BAD_REQUEST {
        return greeting(exchange, id, response, attempt.caller).await;
    }
    let status = response.status().as_u16();
    let refusal = Refusal::read(response).await;
    let detail = refusal.text();
    let offer = refusal.into_error_message().filter(dialect::is_offered);
    offer.ok_or(ConnectErrorKind::Status { status, detail })
}
