//! From a call to the first sign of its reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use vmcp_wire::{Object, RawId, method, rpc};

use crate::call::Behalf;
use crate::link::{Link, Live, Note};
use crate::peer::OpenRequests;
use crate::reply::{Clock, Running, Ticket, guarded};
use crate::transport::StartError;
use crate::{BackendTarget, Call, CallContext, CallError, ErrorKind, Executed, Reply};

pub(crate) mod meta;

/// Sends a request and waits until the backend begins to answer.
pub(super) async fn forward(link: &Arc<Link>, call: Call) -> Result<Reply, CallError> {
    let in_flight = link.enter()?;
    let target = link.target();
    let soft = call.timeout.unwrap_or_else(|| patience(target, &call));
    let mut clock = Clock::new(soft, target.limits.max_call);
    let sent = AtomicBool::new(false);
    let started = guarded(
        link.backend(),
        &call.cancel,
        &mut clock,
        &OpenRequests::default(),
        start(link, &call, &sent),
    )
    .await;
    let (ticket, wire) = started.map_err(|mut error| {
        if !sent.load(Ordering::Relaxed) {
            error.executed = Executed::No;
        } else if clock.doubts(&error, target.limits.ping) {
            link.suspect();
        }
        error
    })?;
    clock.touch();
    Ok(Reply::running(Running::new(ticket, wire, clock, call.cancel, in_flight)))
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
async fn start(
    link: &Arc<Link>,
    call: &Call,
    sent: &AtomicBool,
) -> Result<(Ticket, crate::transport::Wire), CallError> {
    let mut first = true;
    let caller = link.caller_of(call.caller.as_ref());
    let behalf = Behalf { caller: &caller, trace: call.trace.as_ref(), sent: Some(sent) };
    loop {
        let live = link.live(&caller).await?;
        let id = link.next_id();
        let (params, token) = meta::outgoing(call.params.as_ref(), id, call.trace.as_ref());
        let request = rpc::request(&RawId::number(id), &call.method, params.as_deref());
        let note = Note::of(&call.method, call.params.as_ref());
        let mut ticket = Ticket::new(link, &live, id, token, note, &call.cancel, &caller);
        let started = {
            let _unsent = Unsent { ticket: &mut ticket, sent };
            live.connection.start(id, request, behalf).await
        };
        match started {
            Ok(wire) => return Ok((ticket, wire)),
            Err(StartError::Failed(error)) => {
                ticket.settle();
                return Err(error);
            }
            Err(StartError::SessionLost) => {
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
    let message = rpc::notification(method, params.as_deref());
    let deadline = link.target().timeouts.call;
    let caller = link.caller_of(context.and_then(|context| context.caller.as_ref()));
    let sending = async {
        for _ in 0..2 {
            let live: Arc<Live> = link.live(&caller).await?;
            match live.connection.answerer(&caller).send(message.clone()).await {
                Ok(()) => return Ok(()),
                Err(StartError::Failed(error)) => return Err(error),
                Err(StartError::SessionLost) => link.lose(&live),
            }
        }
        Err(lost(link))
    };
    tokio::time::timeout(deadline, sending).await.unwrap_or_else(|_| {
        Err(CallError::backend(link.backend(), ErrorKind::Timeout(deadline), Executed::Unknown))
    })
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
