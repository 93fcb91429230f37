//! What older revisions set once at the backend, and a session keeps here instead.

use std::sync::Arc;

use vmcp_wire::{Message, Object, RawId, method, rpc};

use super::listen::Stream;
use crate::link::{Link, Live, Note};
use crate::transport::Framing;
use crate::{Call, CallError, ErrorKind, Reply};

/// From the least to the most severe.
const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// Whether a call is answered here.
pub(crate) fn is_kept(name: &str) -> bool {
    matches!(
        name,
        method::RESOURCES_SUBSCRIBE
            | method::RESOURCES_UNSUBSCRIBE
            | method::LOGGING_SET_LEVEL
            | method::PING
    )
}

/// Answers such a call.
pub(crate) async fn keep(
    link: &Arc<Link>,
    live: &Arc<Live>,
    call: &Call,
) -> Result<Reply, CallError> {
    let note = Note::of(&call.method, call.params.as_ref());
    match (&*call.method, note) {
        (method::PING, _) => {}
        (method::LOGGING_SET_LEVEL, Some(Note::Level(params))) => {
            let level = Object::parse(&params).ok().and_then(|params| params.get("level"));
            let level = level.and_then(|level| level.as_str());
            if !level.is_some_and(|level| LEVELS.contains(&level.as_ref())) {
                return refused(link, "level is not one of the protocol's");
            }
            link.note(Note::Level(params));
        }
        (_, Some(Note::Subscribed(uri, params))) => {
            // One change at a time: each builds on the one before.
            let _turn = link.changing().await;
            let mut uris = link.subscriptions();
            if !uris.contains(&uri) {
                uris.push(uri.clone());
            }
            let stream = match Stream::open(link, live, uris).await? {
                Ok(stream) => stream,
                Err(refusal) => return Ok(Reply::ready(refusal)),
            };
            if !stream.honours(&uri) {
                return refused(link, "the backend does not tell about changes of this resource");
            }
            link.note(Note::Subscribed(uri, params));
            link.listen_on(stream);
        }
        (_, Some(Note::Unsubscribed(uri))) => {
            let _turn = link.changing().await;
            let known = link.subscriptions();
            link.note(Note::Unsubscribed(uri.clone()));
            if known.contains(&uri) {
                let left = known.into_iter().filter(|other| *other != uri).collect();
                // If there is no new stream the old one says too much at most, and what it says is not passed on.
                if let Ok(Ok(stream)) = Stream::open(link, live, left).await {
                    link.listen_on(stream);
                }
            }
        }
        _ => {
            let text = format!("{} without what it is about", call.method);
            return Err(CallError::client(ErrorKind::InvalidParams(text)).at(link.backend()));
        }
    }
    Ok(Reply::made("{}".into()))
}

fn refused(link: &Link, text: &str) -> Result<Reply, CallError> {
    let limits = Framing::from(&link.target().limits).limits;
    let message = rpc::failure(Some(&RawId::number(0)), rpc::INVALID_PARAMS, text, None);
    let message = Message::parse(message, &limits);
    message.map(Reply::ready).map_err(|error| CallError::wire(link.backend(), &error))
}
