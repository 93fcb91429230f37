//! The stages of a request, in the order in which it meets them.
//!
//! `listen -> guard -> identify -> front -> admit -> session -> route -> relay -> respond`
//!
//! A stage is a module, a tracing span and a label of the refusals metric, all of the same name. The order
//! is the security model; it stands in [`stages`] alone, so that it can be reviewed on one page.

use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming as Body;
use tracing::{Instrument, Span};

use crate::edge::Edge;
use crate::front::sse::{self, Entrance};
use crate::front::{self, Arrival, Head, Incoming};
use crate::guard::head::Verb;
use crate::guard::origin::Door;
use crate::identify::Asker;
use crate::listen::link::{Hold, Link};
use crate::respond::body::ReplyBody;
use crate::respond::{Rejection, page};
use crate::{admit, guard, metadata, probe, route, session, unwind};

/// A stage that can refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Guard,
    Identify,
    Front,
    Admit,
    Session,
    Route,
}

/// Answers one request. Never fails, and never panics: whatever goes wrong is one response.
pub(crate) async fn serve(
    edge: Arc<Edge>,
    link: Arc<Link>,
    door: Door,
    request: Request<Body>,
) -> Response<ReplyBody> {
    let (exchange, mut hold) = (link.begin(), Some(link.hold()));
    let answered = unwind::guarded(stages(&edge, door, request, &mut hold)).await;
    let retry_after = edge.config.timeouts.retry_after;
    let mut response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err((stage, rejection))) => {
            edge.metrics.refused(stage);
            page::rejection(&rejection, retry_after)
        }
        Err(unwind::Panicked) => page::rejection(&Rejection::internal(), retry_after),
    };
    response.body_mut().tie(exchange, hold);
    response
}

/// All stages of one request. What stands behind *relay* happens in the body of the response.
async fn stages(
    edge: &Arc<Edge>,
    door: Door,
    request: Request<Body>,
    hold: &mut Option<Hold>,
) -> Result<Response<ReplyBody>, (Stage, Rejection)> {
    let (parts, body) = request.into_parts();

    // guard, the place: a web page that was tricked into calling us must not reach anything, not even the
    // operators' pages; so this comes before the path is looked at.
    at(Stage::Guard, || edge.places.check(door, &parts))?;

    // guard, the size of the head: hyper reads somewhat more than it is told to before it refuses.
    let most = edge.config.limits.max_header_bytes;
    at(Stage::Guard, || guard::head::bounded(&parts.headers, most))?;

    // Sessions with one stream for everything have two paths of their own.
    if let Some(entrance) = edge.channels.entrance(parts.uri.path()) {
        return one_stream(edge, entrance, &parts, body).await;
    }
    // The operators' pages hold no one's data. The endpoint has one spelling; there are no aliases that a
    // rule in front of us could miss.
    if parts.uri.path() != edge.config.listen.path {
        return at(Stage::Route, || aside(edge, &parts));
    }

    // guard, the form: verb and media types, before a byte of the body is read.
    let verb = at(Stage::Guard, || guard::head::check(&parts))?;

    // identify: before the parser and the session table, so that nobody unknown reaches either.
    let asker = during(Stage::Identify, edge.doorman.identify(&parts)).await?;

    // front, the head: protocol state in headers, each at most once.
    let head = at(Stage::Front, || Head::read(&parts))?;

    match verb {
        Verb::Post => {
            // admit: a place before the body, so that the bodies in memory are bounded in number.
            let place = at(Stage::Admit, || admit::request(edge))?;

            // guard, the body: bounded in size and time while it is read.
            let read = edge.bodies.read(body);
            let (bytes, _charge) = during(Stage::Guard, read).await?.split();

            // front, the body: bytes become messages, or are refused before they can mean anything.
            let incoming = at(Stage::Front, || Incoming::read(&bytes, &edge.limits))?;
            let named = |rejection: Rejection| rejection.with_id(incoming.id());

            // front: a message that says all about itself belongs to no session, whatever ids come with it. Its
            // headers must repeat what it says, so that whoever routed it by them did not take it for another.
            let claim = || front::claim(&head, &parts.headers, &incoming).map_err(named);
            if let Some(arrival) = at(Stage::Front, claim)? {
                // Its client takes the call back by going away.
                *hold = None;
                let (lone, is_notice) = match arrival {
                    Arrival::Request(lone) => (lone, false),
                    Arrival::Notice(Some(lone)) => (lone, true),
                    Arrival::Notice(None) => return Ok(page::empty(StatusCode::ACCEPTED)),
                };
                // session: what is kept for callers who are the same and can do the same.
                let visit = edge.hall.visit(asker.caller(), &lone);
                let visit = during(Stage::Session, async { visit.await.map_err(named) }).await?;
                if is_notice {
                    lone.tell(&visit);
                    return Ok(page::empty(StatusCode::ACCEPTED));
                }
                // front, again: the headers that a tool's schema asks for.
                at(Stage::Front, || lone.fits(&visit, &parts.headers).map_err(named))?;
                // route: calls go on to the gateway and come back by relay.
                let answer = front::answer(edge, visit, &asker, lone, place);
                return during(Stage::Route, async { answer.await.map_err(named) }).await;
            }

            // session: the handshake makes one; an id that the client brings along is never taken over.
            if let Some(opening) = incoming.opening() {
                let open = route::open(edge, &head, &asker, opening);
                return during(Stage::Session, open).await;
            }
            // session: whose it is, is checked in the same look that finds it.
            let find = || session::find(edge, &head, &asker.identity).map_err(named);
            let session = at(Stage::Session, find)?;

            // front, again: what the session's revision allows.
            let fits = || head.fits(&session).and_then(|()| incoming.fits(session.revision()));
            at(Stage::Front, || fits().map_err(named))?;

            // route: each message to whoever takes it; calls go on to the gateway and come back by relay.
            let post = route::post(edge, session, &asker, incoming, place);
            Ok(post.instrument(Stage::Route.span()).await)
        }
        Verb::Get => {
            let session = standing(edge, &head, &asker)?;
            at(Stage::Route, || route::stream(edge, &session, &head))
        }
        Verb::Delete => {
            let session = standing(edge, &head, &asker)?;
            Ok(route::end(edge, &session))
        }
    }
}

/// What is served beside the endpoint.
fn aside(edge: &Arc<Edge>, parts: &Parts) -> Result<Response<ReplyBody>, Rejection> {
    metadata::answer(edge, parts).unwrap_or_else(|| probe::answer(edge, parts))
}

/// The session that a request without a message is about.
fn standing(
    edge: &Arc<Edge>,
    head: &Head,
    asker: &Asker,
) -> Result<Arc<session::Session>, (Stage, Rejection)> {
    at(Stage::Front, || head.session_verb())?;
    let session = at(Stage::Session, || session::find(edge, head, &asker.identity))?;
    at(Stage::Front, || head.fits(&session))?;
    Ok(session)
}

/// All stages of one request to a session that has one stream for everything, after the check of the place.
async fn one_stream(
    edge: &Arc<Edge>,
    entrance: Entrance,
    parts: &Parts,
    body: Body,
) -> Result<Response<ReplyBody>, (Stage, Rejection)> {
    if entrance == Entrance::Stream {
        at(Stage::Guard, || guard::head::check_stream(parts))?;
        let asker = during(Stage::Identify, edge.doorman.identify(parts)).await?;
        // session: the stream is one, from its beginning to its end; the handshake comes on it.
        return at(Stage::Session, || sse::open(edge, &asker));
    }
    // The same order as for the endpoint, for the same reasons.
    at(Stage::Guard, || guard::head::check_message(parts))?;
    let asker = during(Stage::Identify, edge.doorman.identify(parts)).await?;
    let id = at(Stage::Front, || sse::named(parts))?;
    let place = at(Stage::Admit, || admit::request(edge))?;
    let held = during(Stage::Guard, edge.bodies.read(body)).await?;
    let posted = at(Stage::Front, || sse::Posted::read(edge, held, &asker, place))?;
    let inbox = at(Stage::Session, || edge.channels.find(id, &asker.identity, &posted))?;
    at(Stage::Front, || inbox.fits(&posted))?;
    // route: in the session's own task, which takes messages in the order in which they came.
    at(Stage::Route, || inbox.put(posted))?;
    Ok(page::empty(StatusCode::ACCEPTED))
}

fn at<T>(
    stage: Stage,
    work: impl FnOnce() -> Result<T, Rejection>,
) -> Result<T, (Stage, Rejection)> {
    stage.span().in_scope(work).map_err(|rejection| (stage, rejection))
}

async fn during<T>(
    stage: Stage,
    work: impl Future<Output = Result<T, Rejection>>,
) -> Result<T, (Stage, Rejection)> {
    work.instrument(stage.span()).await.map_err(|rejection| (stage, rejection))
}

// === impl Stage ===

impl Stage {
    /// Its name.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Identify => "identify",
            Self::Front => "front",
            Self::Admit => "admit",
            Self::Session => "session",
            Self::Route => "route",
        }
    }

    fn span(self) -> Span {
        match self {
            Self::Guard => tracing::trace_span!("guard"),
            Self::Identify => tracing::trace_span!("identify"),
            Self::Front => tracing::trace_span!("front"),
            Self::Admit => tracing::trace_span!("admit"),
            Self::Session => tracing::trace_span!("session"),
            Self::Route => tracing::trace_span!("route"),
        }
    }
}
