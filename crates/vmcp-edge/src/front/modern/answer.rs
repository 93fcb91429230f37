//! What becomes of a request, and the shape of its answer over HTTP.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::time::timeout;
use vmcp_auth::Caller;
use vmcp_backend::{Asking, Call, Cancel, InputGiven, TraceContext};
use vmcp_wire::revision::{DISCOVER, LISTEN};
use vmcp_wire::sse::EventHead;
use vmcp_wire::{Object, method, rpc};

use super::body::LoneBody;
use super::claim::no_such_method;
use super::discover::discover;
use super::input::{Answered, Given};
use super::listen::Listen;
use super::result;
use super::run::{Answer, Holder, Run, Said};
use super::state::{Binding, State, not_open};
use super::{Hall, Lone};
use crate::admit::Place;
use crate::edge::Edge;
use crate::identify::Asker;
use crate::metrics::{Meter, MethodKind, Outcome};
use crate::respond::body::ReplyBody;
use crate::respond::{Rejection, page};
use crate::session::Visit;

/// What became of a request.
pub(crate) enum Begun {
    /// It is answered.
    Done(StatusCode, Bytes),
    /// It is a call.
    Call(Box<Run>),
    /// It is a stream of messages outside calls.
    Listen(Box<Listen>),
}

/// Who makes a request, and what is held for it.
pub(crate) struct Request {
    pub(crate) hall: Arc<Hall>,
    pub(crate) visit: Visit,
    pub(crate) caller: Caller,
    pub(crate) trace: Option<TraceContext>,
    pub(crate) lone: Box<Lone>,
    pub(crate) cancel: Cancel,
    pub(crate) meter: Option<Meter>,
    pub(crate) place: Option<Place>,
}

/// Answers a request over HTTP.
///
/// Dropped, the call is taken back.
pub(crate) fn answer<'a>(
    edge: &'a Arc<Edge>,
    visit: Visit,
    asker: &'a Asker,
    lone: Box<Lone>,
    place: Place,
) -> Answering<'a> {
    // Boxed: it is large, and rare among what the stack holds.
    Box::pin(respond(edge, visit, asker, lone, place))
}

type Answering<'a> =
    Pin<Box<dyn Future<Output = Result<Response<ReplyBody>, Rejection>> + Send + 'a>>;

async fn respond(
    edge: &Arc<Edge>,
    visit: Visit,
    asker: &Asker,
    lone: Box<Lone>,
    place: Place,
) -> Result<Response<ReplyBody>, Rejection> {
    let begun = begin(Request {
        hall: Arc::clone(&edge.hall),
        visit,
        caller: asker.caller(),
        trace: asker.trace.clone(),
        meter: Some(edge.metrics.call(MethodKind::of(lone.method()))),
        lone,
        cancel: Cancel::new(),
        place: Some(place),
    });
    match begun.await? {
        Begun::Done(status, bytes) => Ok(page::json_with(status, bytes)),
        Begun::Listen(listen) => Ok(page::events(ReplyBody::lone(LoneBody::listen(edge, listen)))),
        Begun::Call(run) => Ok(shaped(edge, run).await),
    }
}

/// The first thing said decides: an event stream stays one, and JSON becomes one if something comes before the answer.
/// An error has a status of its own, which an event stream that has begun cannot have any more; so a stream begins as
/// late as the connection can do without a sign of life.
async fn shaped(edge: &Arc<Edge>, run: Box<Run>) -> Response<ReplyBody> {
    let streamed = run.streamed();
    let mut first = Box::pin(step(run));
    let (run, said) = if streamed {
        match timeout(edge.config.timeouts.keep_alive, first.as_mut()).await {
            Ok(said) => said,
            Err(_) => return page::events(ReplyBody::lone(LoneBody::pending(edge, first))),
        }
    } else {
        first.await
    };
    match said {
        Said::End(Answer::Whole(StatusCode::OK, bytes)) if streamed => {
            page::events(ReplyBody::whole(EventHead::default().whole(&bytes)))
        }
        Said::End(Answer::Whole(status, bytes)) => page::json_with(status, bytes),
        Said::End(Answer::Long(long)) => {
            let body = ReplyBody::lone(LoneBody::long(edge, run, long, streamed));
            if streamed { page::events(body) } else { page::content(page::JSON, body) }
        }
        Said::Notice(notice) => page::events(ReplyBody::lone(LoneBody::run(edge, run, &notice))),
    }
}

/// The next thing said, and who said it.
pub(super) async fn step(mut run: Box<Run>) -> (Box<Run>, Said) {
    let said = run.next().await;
    (run, said)
}

/// Begins to answer a request, whichever way it came.
///
/// # Errors
/// With a refusal that does not name the request's id yet.
pub(crate) async fn begin(mut request: Request) -> Result<Begun, Rejection> {
    let done = |request: &mut Request, result: &[u8]| {
        if let Some(meter) = &mut request.meter {
            meter.end(Outcome::Ok);
        }
        Ok(Begun::Done(StatusCode::OK, rpc::success(&request.lone.id, result)))
    };
    match request.lone.method() {
        DISCOVER => {
            let result = discover(request.visit.multi());
            done(&mut request, &result)
        }
        LISTEN => Ok(Begun::Listen(Box::new(Listen::open(request)?))),
        asked => {
            if !is_offered(&request.visit.multi().capabilities(), asked) {
                return Err(no_such_method());
            }
            call(request).await
        }
    }
}

/// Whether lists of this kind are among what was told to exist.
fn is_offered(capabilities: &[u8], asked: &str) -> bool {
    let kind = match asked {
        method::TOOLS_LIST => "tools",
        method::PROMPTS_LIST => "prompts",
        method::RESOURCES_LIST | method::RESOURCES_TEMPLATES_LIST => "resources",
        _ => return true,
    };
    Object::parse(capabilities).is_ok_and(|object| object.get(kind).is_some())
}

async fn call(request: Request) -> Result<Begun, Rejection> {
    let Request { hall, visit, caller, trace, lone, cancel, meter, place } = request;
    let identity = caller.identity.clone().ok_or_else(Rejection::internal)?;
    let (given, params) = Given::take(&lone.params())?;
    let holder = Holder { hall: Arc::clone(&hall), visit, identity, meter, _place: place };
    let mut input = None;
    if given.state.is_some() {
        let binding = Binding::of(&holder.identity, &lone);
        let text = given.state_text().ok_or_else(not_open)?;
        match hall.states.open(&text, &binding).ok_or_else(not_open)? {
            State::Parked(id, round) => return resume(holder, lone, &given, (id, round)).await,
            State::Backend(backend, state) => {
                // The name may lead to another by now, which must not get what is not its own.
                let owner = holder.visit.multi().owner(lone.method(), &params);
                if owner.is_none_or(|owner| owner.as_str() != &*backend) {
                    return Err(not_open());
                }
                input = Some(InputGiven { responses: given.responses, state: Some(state) });
            }
        }
    } else if given.responses.is_some() {
        input = Some(InputGiven { responses: given.responses, state: None });
    }
    let kind = MethodKind::of(lone.method());
    let params = (!params.is_empty()).then_some(params);
    let mut call =
        Call::new(kind.name(lone.method()), params).with_cancel(cancel).with_caller(caller);
    call.trace = trace;
    call.asking = Asking::Return;
    call.log_level = lone.about.level.map(|level| level.as_str().into());
    call.input = input.map(Box::new);
    match holder.visit.multi().call(call).await {
        Ok(reply) => Ok(Begun::Call(Box::new(Run::new(holder, lone, reply)))),
        Err(error) => {
            let mut holder = holder;
            if let Some(meter) = &mut holder.meter {
                meter.end(Outcome::Failed);
            }
            let (status, bytes) = result::failure(&lone.id, &error, lone.method());
            Ok(Begun::Done(status, bytes))
        }
    }
}

/// Goes on with a parked call.
async fn resume(
    holder: Holder,
    lone: Box<Lone>,
    given: &Given,
    name: (super::state::ParkId, u32),
) -> Result<Begun, Rejection> {
    let hall = Arc::clone(&holder.hall);
    let mut held = hall.parked.take(&name.0, name.1).await.ok_or_else(not_open)?;
    let answers: Vec<Answered> = match held.questions.answer(given.responses.as_ref()) {
        Ok(answers) => answers,
        Err(rejection) => {
            // The state stays good: nothing was answered.
            hall.parked.put_back(&hall, &holder.identity, held, name);
            return Err(rejection);
        }
    };
    if let Some(level) = lone.about.level {
        held.visit.multi().raise(level).await;
    }
    for (peer, answer) in answers {
        peer.answer(&answer).await;
    }
    Ok(Begun::Call(Box::new(Run::resumed(holder, lone, held, name.1))))
}
