//! One request that says all about itself, from its start to the line with its answer.

use std::sync::Arc;

use tokio::sync::mpsc;
use vmcp_auth::{Caller, Identity};
use vmcp_wire::rpc;

use super::say;
use super::writer::{Line, Part};
use crate::front::modern::{Answer, Begun, Listen, Long, Request, Run, Said, begin};
use crate::front::{Hall, Lone};
use crate::respond::Rejection;
use crate::session::Ticket;
use crate::unwind;

/// Parts of a long response that wait for the writer.
const PARTS: usize = 4;

/// Runs a request. A panic in it costs the request, and the client is told so.
pub(super) async fn run(
    hall: Arc<Hall>,
    lone: Box<Lone>,
    ticket: Ticket,
    queue: mpsc::Sender<Line>,
) {
    let work = async {
        if let Err(rejection) = follow(hall, lone, &ticket, &queue).await
            && !ticket.is_cancelled()
        {
            say(&queue, rejection.with_id(Some(ticket.id().clone())).message()).await;
        }
    };
    if unwind::guarded(work).await.is_err() {
        let text = "internal error";
        say(&queue, rpc::failure(Some(ticket.id()), rpc::INTERNAL_ERROR, text, None)).await;
    }
}

async fn follow(
    hall: Arc<Hall>,
    lone: Box<Lone>,
    ticket: &Ticket,
    queue: &mpsc::Sender<Line>,
) -> Result<(), Rejection> {
    let caller = Caller::from(Identity::local());
    let request = async {
        let visit = hall.visit(caller.clone(), &lone).await?;
        begin(Request {
            hall: Arc::clone(&hall),
            visit,
            caller,
            trace: None,
            lone,
            cancel: ticket.cancel().clone(),
            meter: None,
            place: None,
        })
        .await
    };
    let begun = tokio::select! {
        // First, so that nothing is said of a request that was taken back.
        biased;
        () = ticket.cancel().cancelled() => return Ok(()),
        begun = request => begun?,
    };
    if ticket.is_cancelled() {
        return Ok(());
    }
    match begun {
        Begun::Done(_, bytes) => say(queue, bytes).await,
        Begun::Call(run) => call(run, ticket, queue).await,
        Begun::Listen(stream) => listen(stream, ticket, queue).await,
    }
    Ok(())
}

async fn call(mut run: Box<Run>, ticket: &Ticket, queue: &mpsc::Sender<Line>) {
    loop {
        let said = run.next().await;
        if ticket.is_cancelled() {
            return;
        }
        match said {
            Said::Notice(notice) => say(queue, notice).await,
            Said::End(Answer::Whole(_, bytes)) => return say(queue, bytes).await,
            Said::End(Answer::Long(long)) => return pass(long, ticket, queue).await,
        }
    }
}

/// Hands a long answer to the writer, part by part. If it breaks off, its line is closed and an error follows.
async fn pass(mut long: Long, ticket: &Ticket, queue: &mpsc::Sender<Line>) {
    let (line, rest) = mpsc::channel(PARTS);
    if queue.send(Line::Long(rest)).await.is_err() {
        return;
    }
    while let Some(piece) = long.next().await {
        let Ok(bytes) = piece else {
            drop(line);
            let data = br#"{"reason":"protocol","executed":"unknown"}"#;
            let text = "the response broke off";
            let failure = rpc::failure(Some(ticket.id()), rpc::INTERNAL_ERROR, text, Some(data));
            return say(queue, failure).await;
        };
        if line.send(Part::Bytes(bytes)).await.is_err() {
            return;
        }
    }
    line.send(Part::End).await.ok();
}

/// Messages outside calls, until the client does not want them any more or the server stops. Either way the request is
/// answered.
async fn listen(mut stream: Box<Listen>, ticket: &Ticket, queue: &mpsc::Sender<Line>) {
    loop {
        let next = tokio::select! {
            biased;
            () = ticket.cancel().cancelled() => return say(queue, stream.end()).await,
            next = stream.next() => next,
        };
        match next {
            Some(message) => say(queue, message).await,
            None => return,
        }
    }
}
