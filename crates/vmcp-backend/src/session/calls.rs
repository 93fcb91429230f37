//! From a call to the first sign of its reply.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use vmcp_auth::Caller;
use vmcp_wire::{Message, Object, RawId, method, rpc};

use crate::call::Behalf;
use crate::dialect::Terms;
use crate::link::{Link, Live, Note};
use crate::peer::OpenRequests;
use crate::reply::{Clock, Running, Ticket, guarded};
use crate::transport::{HttpReply, Request, StartError, Wire};
use crate::{
    BackendTarget, Call, CallContext, CallError, ErrorKind, Executed, Reply, Session, TaskForm,
    dialect,
};

pub(crate) mod meta;

/// Sends a request and waits until the backend begins to answer.
pub(super) async fn forward(link: &Arc<Link>, call: Call) -> Result<Reply, CallError> {
    if call.tasks != TaskForm::Own
        && let Some(reply) = followed(link, &call).await?
    {
        return Ok(reply);
    }
    let in_flight = link.enter()?;
    let target = link.target();
    let soft = call.timeout.unwrap_or_else(|| patience(target, &call));
    let mut clock = Clock::new(soft, target.limits.max_call);
    let sent = AtomicBool::new(false);
    let open = OpenRequests::default();
    let started = {
        let starting = pin!(begin(link, &call, &sent));
        guarded(link.backend(), &call.cancel, &mut clock, &open, starting).await
    };
    let started = started.map_err(|mut error| {
        if !sent.load(Ordering::Relaxed) {
            error.executed = Executed::No;
        } else if clock.doubts(&error, target.limits.ping) {
            link.suspect();
        }
        error
    })?;
    clock.touch();
    match started {
        Started::Kept(reply) => Ok(reply),
        Started::Sent(ticket, wire) => {
            Ok(Reply::running(Running::new(ticket, wire, clock, call, in_flight)))
        }
    }
}

/// The reply to a call that takes several requests, because the backend's tasks are followed in another way.
async fn followed(link: &Arc<Link>, call: &Call) -> Result<Option<Reply>, CallError> {
    tokio::select! {
        biased;
        () = call.cancel.cancelled() => {
            Err(CallError::client(ErrorKind::Cancelled).at(link.backend()))
        }
        reply = dialect::followed(link, call) => reply,
    }
}

/// As [`forward`], for what is itself a part of it.
///
/// Boxed, and of a named type: a call may make others.
pub(crate) fn forward_again(
    link: &Arc<Link>,
    call: Call,
) -> Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send + '_>> {
    Box::pin(forward(link, call))
}

/// How a call began.
enum Started {
    /// It needs no backend.
    Kept(Reply),
    Sent(Ticket, Wire),
}

async fn begin(link: &Arc<Link>, call: &Call, sent: &AtomicBool) -> Result<Started, CallError> {
    // Boxed, since it is rare and large.
    if dialect::is_kept(&call.method)
        && let Some(reply) = Box::pin(kept(link, call)).await?
    {
        return Ok(Started::Kept(reply));
    }
    start(link, call, sent).await.map(|(ticket, wire)| Started::Sent(ticket, wire))
}

/// The reply to a call that is not sent, because the backend keeps nothing.
async fn kept(link: &Arc<Link>, call: &Call) -> Result<Option<Reply>, CallError> {
    let live = link.live(&link.caller_of(call.caller.as_ref())).await?;
    match live.is_stateless() {
        true => dialect::keep(link, &live, call).await.map(Some),
        false => Ok(None),
    }
}

/// How long the backend may be silent: as configured for the tool that is called, or for the backend.
fn patience(target: &BackendTarget, call: &Call) -> Duration {
    let timeouts = &target.timeouts;
    if timeouts.tools.is_empty() || call.method != method::TOOLS_CALL {
        return timeouts.call;
    }
    let members = call.params.as_deref().and_then(|params| Object::parse(params).ok());
    let name = members.and_then(|members| members.get("name")).and_then(|name| name.as_str());
    name.and_then(|name| timeouts.tools.get(name.as_ref())).copied().unwrap_or(timeouts.call)
}

/// Sends the request, a second time if the backend did not know the session: then it provably did not run.
pub(crate) async fn start(
    link: &Arc<Link>,
    call: &Call,
    sent: &AtomicBool,
) -> Result<(Ticket, Wire), CallError> {
    let (mut first, mut relisted) = (true, false);
    let caller = link.caller_of(call.caller.as_ref());
    let behalf = Behalf { caller: &caller, trace: call.trace.as_ref(), sent: Some(sent) };
    loop {
        let live = link.live(&caller).await?;
        // Answers without a state belong to no earlier call: whoever asks in the middle of it asks again.
        let continues = call.input.as_ref().is_some_and(|input| input.state.is_some());
        if continues && !live.is_stateless() {
            let text = "the backend does not know what is answered here any more".to_owned();
            return Err(CallError::client(ErrorKind::InvalidParams(text)).at(link.backend()));
        }
        let id = link.next_id();
        link.uses();
        let (request, token) = written(link, &live, id, call);
        let note = Note::of(&call.method, call.params.as_ref());
        let mut ticket = Ticket::new(link, &live, id, token, note, &call.cancel, &caller);
        if !live.is_stateless() {
            ticket.mark = link.living().mark(call, id, ticket.token.as_ref());
        }
        let started = {
            let _unsent = Unsent { ticket: &mut ticket, sent };
            live.connection.start(request, behalf).await
        };
        match started {
            Ok(wire)
                if !relisted && wire.refusal().is_some_and(|answer| is_stale(call, answer)) =>
            {
                ticket.settle();
                relisted = true;
                sent.store(false, Ordering::Relaxed);
                relist(link, &caller).await;
            }
            Ok(wire) => return Ok((ticket, wire)),
            Err(StartError::Failed(error)) => {
                ticket.settle();
                return Err(error);
            }
            Err(StartError::Foreign(answer)) if !first || !link.may_speak_otherwise() => {
                ticket.settle();
                return Ok((ticket, Wire::Http(HttpReply::Ready(Box::new((*answer)?)))));
            }
            Err(StartError::SessionLost | StartError::Foreign(_)) => {
                ticket.settle();
                sent.store(false, Ordering::Relaxed);
                link.lose(&live);
                if !std::mem::take(&mut first) {
                    return Err(lost(link));
                }
            }
        }
    }
}

/// Whether a call was refused because its headers do not repeat what its tool wants repeated: what was known of the tool
/// is out of date, or nothing was. It did not run.
fn is_stale(call: &Call, answer: &Message) -> bool {
    call.method == method::TOOLS_CALL && dialect::is_mismatch(answer)
}

/// Lists once more, for what is noted of the tools meanwhile.
///
/// Boxed, since listing makes calls.
fn relist<'a>(
    link: &'a Arc<Link>,
    caller: &Caller,
) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
    let session = Session::over(link).with(caller.clone());
    Box::pin(async move {
        if let Err(error) = session.list().await {
            tracing::debug!(%error, "the tools could not be listed again");
        }
    })
}

/// A call as it is sent, and the caller's progress token.
fn written(link: &Link, live: &Live, id: u64, call: &Call) -> (Request, Option<RawId>) {
    let level = link.level();
    let terms = live.is_stateless().then(|| Terms::of(link.client(), call, level.as_deref()));
    let trace = call.trace.as_ref();
    let expressed = dialect::expressed(live.server.revision, &call.method, call.params.as_ref());
    let params = expressed.as_ref().or(call.params.as_ref());
    let (params, token) = meta::outgoing(params, id, trace, terms.as_ref());
    let mut request =
        Request::new(id, rpc::request(&RawId::number(id), &call.method, params.as_deref()));
    if live.is_stateless() && !live.connection.is_shared() {
        let is_tool = call.method == method::TOOLS_CALL;
        let annotated = is_tool.then(|| link.known().annotated(params.as_deref())).flatten();
        request.headers = dialect::headers(&call.method, params.as_deref(), annotated.as_deref());
    }
    (request, token)
}

/// A request that may not be sent yet: dropped before it is, nobody has to be told that it is not wanted.
struct Unsent<'a> {
    ticket: &'a mut Ticket,
    sent: &'a AtomicBool,
}

/// Sends a notification.
pub(super) async fn notify(
    link: &Arc<Link>,
    method: &str,
    params: Option<Bytes>,
    context: Option<&CallContext>,
) -> Result<(), CallError> {
    let _in_flight = link.enter()?;
    let params = params.map(meta::without_reserved);
    let deadline = link.target().timeouts.call;
    let caller = link.caller_of(context.and_then(|context| context.caller.as_ref()));
    let sending = async {
        for _ in 0..2 {
            let live: Arc<Live> = link.live(&caller).await?;
            let sent = match live.is_stateless() {
                // There is nobody to remember what the protocol itself has: each request says all about its client.
                true if is_of_protocol(method) => return Ok(()),
                true => {
                    let call = Call::new(method.to_owned(), params.clone());
                    let terms = Terms::of(link.client(), &call, None);
                    let (params, _) =
                        meta::outgoing(call.params.as_ref(), link.next_id(), None, Some(&terms));
                    let headers = dialect::headers(method, params.as_deref(), None);
                    let message = rpc::notification(method, params.as_deref());
                    live.connection.tell(message, headers, &caller).await
                }
                false => {
                    let message = rpc::notification(method, params.as_deref());
                    live.connection.answerer(&caller).send(message).await
                }
            };
            match sent {
                Ok(()) => return Ok(()),
                Err(StartError::Failed(error)) => return Err(error),
                Err(StartError::SessionLost | StartError::Foreign(_)) => link.lose(&live),
            }
        }
        Err(lost(link))
    };
    tokio::time::timeout(deadline, sending).await.unwrap_or_else(|_| {
        Err(CallError::backend(link.backend(), ErrorKind::Timeout(deadline), Executed::Unknown))
    })
}

/// Whether a client's notification is the protocol's, and not an extension's.
fn is_of_protocol(name: &str) -> bool {
    matches!(name, method::CANCELLED | method::PROGRESS | method::ROOTS_LIST_CHANGED)
}

fn lost(link: &Link) -> CallError {
    CallError::backend(link.backend(), ErrorKind::Unavailable, Executed::No)
        .with_internal("the backend does not keep its sessions")
}

// === impl Unsent ===

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        if !self.sent.load(Ordering::Relaxed) {
            self.ticket.settle();
        }
    }
}
