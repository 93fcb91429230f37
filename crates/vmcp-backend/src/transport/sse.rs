//! HTTP with SSE: one GET stream that says where to POST, and carries every reply.
//!
//! The stream is the session. When it ends, the session is lost and calls in flight fail; nothing can be resumed.
//! Where to POST is the backend's word, so it must be of the stream's own origin: anything else would send
//! requests and credentials wherever a backend wishes.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use tokio_util::sync::CancellationToken;
use url::Url;
use vmcp_auth::Caller;
use vmcp_net::Body;

use super::events::{EventItem, Events};
use super::gather::Addressee;
use super::http::{HttpPeer, Outgoing, SendError, SessionNames, drain, is_type};
use super::lines::Hand;
use super::pipe::{Outbox, Owner, Pipe};
use super::status::Refusal;
use super::{Framing, StartError};
use crate::call::Behalf;
use crate::tasks::{Errands, Task};
use crate::{BackendTarget, ConnectErrorKind, Sink};

/// The event that says where to POST.
const ENDPOINT: &str = "endpoint";

/// Sends messages.
pub(crate) struct Poster {
    peer: Arc<HttpPeer>,
    url: Uri,
    /// For whom the stream was opened.
    caller: Caller,
    session: SessionNames,
    errands: Errands,
}

/// Opens the stream and waits until it says where to POST.
pub(crate) async fn open(
    target: &BackendTarget,
    peer: &Arc<HttpPeer>,
    caller: &Caller,
    sink: Option<Sink>,
) -> Result<(Arc<Pipe>, Owner), ConnectErrorKind> {
    let session = SessionNames::default();
    let get = Outgoing {
        method: Method::GET,
        url: &peer.url,
        session: &session,
        after: None,
        repeated: HeaderMap::new(),
        body: Bytes::new(),
        behalf: Behalf::of(caller),
    };
    let response = peer.send(get).await.map_err(SendError::into_connect_error)?;
    let status = response.status();
    if status != StatusCode::OK {
        let refusal = Refusal::read(response).await;
        return Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                ConnectErrorKind::Unauthorized(status.as_u16())
            }
            _ => ConnectErrorKind::Status { status: status.as_u16(), detail: refusal.text() },
        });
    }
    if !is_type(&response, "text/event-stream") {
        let text = "the answer is no event stream".to_owned();
        return Err(ConnectErrorKind::Handshake(text));
    }
    let mut body = response.into_body();
    let mut events = Events::new(Framing::from(&target.limits), Addressee::Unknown);
    let url = endpoint(peer, &mut body, &mut events).await?;
    let poster = Poster {
        peer: Arc::clone(peer),
        url,
        caller: caller.clone(),
        session,
        errands: Errands::here(),
    };
    let pipe = Pipe::new(target.id.clone(), &target.limits, Outbox::Post(poster), sink);
    let reader = Task::start(read(Arc::clone(&pipe), body, events));
    // An orderly end waits for nothing: the stream is dropped with its task.
    let owner = Owner::new(&pipe, CancellationToken::new(), Vec::new());
    owner.keep(reader);
    Ok((pipe, owner))
}

/// Reads until the event that says where to POST.
async fn endpoint(
    peer: &HttpPeer,
    body: &mut Body,
    events: &mut Events,
) -> Result<Uri, ConnectErrorKind> {
    loop {
        let item = events.next();
        match item.map_err(|error| ConnectErrorKind::Handshake(error.to_string()))? {
            Some(EventItem::Named(name, data)) if name == ENDPOINT => {
                return resolve(&peer.url, &data).map_err(ConnectErrorKind::Handshake);
            }
            Some(_) => {}
            None => match body.chunk().await {
                Some(Ok(chunk)) => events.push(chunk),
                Some(Err(error)) => return Err(ConnectErrorKind::Unreachable(error.to_string())),
                None => {
                    let text = "the stream ended before it said where to POST".to_owned();
                    return Err(ConnectErrorKind::Handshake(text));
                }
            },
        }
    }
}

/// Where to POST, if it is of the stream's own origin.
fn resolve(stream: &Uri, said: &[u8]) -> Result<Uri, String> {
    let said = std::str::from_utf8(said).map_err(|_| "the endpoint is not text".to_owned())?;
    let stream = Url::parse(&stream.to_string()).map_err(|error| error.to_string())?;
    let mut endpoint =
        stream.join(said.trim()).map_err(|_| "the endpoint is not a URL".to_owned())?;
    let same = endpoint.scheme() == stream.scheme()
        && endpoint.host() == stream.host()
        && endpoint.port_or_known_default() == stream.port_or_known_default()
        && endpoint.username() == stream.username()
        && endpoint.password() == stream.password();
    if !same {
        return Err("refusing an endpoint of another origin".to_owned());
    }
    endpoint.set_fragment(None);
    endpoint.as_str().parse().map_err(|_| "the endpoint is not a URL".to_owned())
}

/// Hands everything on the stream to the calls it belongs to, until it ends.
async fn read(pipe: Arc<Pipe>, mut body: Body, mut events: Events) {
    let mut hand = Hand { pipe: &pipe, streaming: None };
    loop {
        events.set_addressee(pipe.addressee());
        loop {
            match events.next() {
                Ok(None) => break,
                Ok(Some(EventItem::Gathered(item))) => hand.over(item).await,
                Ok(Some(EventItem::Named(..))) => {}
                Err(error) => return pipe.close(&error.to_string()),
            }
        }
        match body.chunk().await {
            Some(Ok(chunk)) => events.push(chunk),
            Some(Err(error)) => return pipe.close(&error.to_string()),
            None => return pipe.close("the event stream ended"),
        }
    }
}

// === impl Poster ===

impl Poster {
    /// Sends one message.
    pub(crate) async fn post(
        &self,
        message: Bytes,
        behalf: Option<Behalf<'_>>,
    ) -> Result<(), StartError> {
        let outgoing = Outgoing {
            method: Method::POST,
            url: &self.url,
            session: &self.session,
            after: None,
            repeated: HeaderMap::new(),
            body: message,
            behalf: behalf.unwrap_or(Behalf::of(&self.caller)),
        };
        let sent = self.peer.send(outgoing).await;
        let response =
            sent.map_err(|error| StartError::Failed(error.into_call_error(&self.peer.backend)))?;
        if response.status().is_success() {
            drain(&self.errands, response.into_body());
            return Ok(());
        }
        let refusal = Refusal::read(response).await;
        // No message of ours has this id: it can only be a refusal of the session.
        if refusal.is_lost_session(0) {
            return Err(StartError::SessionLost);
        }
        Err(StartError::Failed(refusal.into_error(&self.peer.backend)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &str) -> Result<String, String> {
        resolve(&"http://h:1234/a/sse?x=1".parse().unwrap(), said.as_bytes())
            .map(|uri| uri.to_string())
    }

    #[test]
    fn resolves_against_the_stream() {
        assert_eq!(check("/messages?id=1").unwrap(), "http://h:1234/messages?id=1");
        assert_eq!(check("post").unwrap(), "http://h:1234/a/post");
        assert_eq!(check("http://h:1234/p").unwrap(), "http://h:1234/p");
    }

    #[test]
    fn refuses_another_origin() {
        let others =
            ["http://evil/p", "//evil/p", "https://h:1234/p", "http://h:1/p", "http://u@h:1234/p"];
        for said in others {
            assert_eq!(
                check(said).unwrap_err(),
                "refusing an endpoint of another origin",
                "{said}"
            );
        }
    }
}
