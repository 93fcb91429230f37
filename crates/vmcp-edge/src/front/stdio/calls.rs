//! One call, from its start to the line with its answer.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use vmcp_backend::{Call, CallError, ErrorKind, Event, Executed, Parts, Response, Side};
use vmcp_gateway::MultiSession;
use vmcp_wire::{Piece, RawId, rpc};

use super::say;
use super::writer::{Line, Part};
use crate::front::Older;
use crate::metrics::Outcome;
use crate::relay::Leg;
use crate::session::Questions;
use crate::session::questions::{self, Way};
use crate::unwind;

/// Parts of a long response that wait for the writer.
const PARTS: usize = 4;

/// What a call needs of its client.
pub(super) struct Client {
    pub(super) multi: Arc<MultiSession>,
    pub(super) questions: Arc<Questions>,
    pub(super) older: Older,
}

/// Runs a call. A panic in it costs the call, and the client is told so.
pub(super) async fn run(client: Client, mut leg: Leg, call: Call, queue: mpsc::Sender<Line>) {
    let work = follow(&client, &mut leg, call, &queue);
    if unwind::guarded(work).await.is_err() {
        let text = "internal error";
        say(&queue, rpc::failure(Some(leg.id()), rpc::INTERNAL_ERROR, text, None)).await;
    }
}

async fn follow(client: &Client, leg: &mut Leg, call: Call, queue: &mpsc::Sender<Line>) {
    let Client { multi, questions, older } = client;
    let method = call.method.clone();
    let mut reply = match multi.call(call).await {
        Ok(reply) => older.reply(&method, reply),
        Err(error) => return fail(leg, &error, queue).await,
    };
    // All calls share the pipe, so where a question came is known only as "on a call".
    let way = Way::Call(0);
    loop {
        let event = reply.next().await;
        if leg.is_cancelled() {
            return leg.ended(Outcome::Cancelled);
        }
        match event {
            Some(Event::Notification(message)) if questions::is_withdrawal(&message) => {
                if let Some(message) = questions.withdraw(&message, way) {
                    say(queue, message).await;
                }
            }
            Some(Event::Notification(message)) => say(queue, message.bytes().clone()).await,
            Some(Event::Request(peer)) => {
                if let Some(message) = questions.ask(peer, way) {
                    say(queue, message).await;
                }
            }
            // A pipe stays open.
            Some(Event::Paused) => {}
            Some(Event::InputRequired(_)) => {
                let kind = ErrorKind::Protocol("the backend asks by an answer".to_owned());
                let error = CallError::new(Side::Backend, kind, Executed::Unknown);
                return fail(leg, &error, queue).await;
            }
            Some(Event::Response(response)) => return respond(leg, response, queue).await,
            Some(Event::Failed(error)) => return fail(leg, &error, queue).await,
            None => {
                let error = CallError::new(Side::Gateway, ErrorKind::Closed, Executed::Unknown);
                return fail(leg, &error, queue).await;
            }
        }
    }
}

async fn fail(leg: &mut Leg, error: &CallError, queue: &mpsc::Sender<Line>) {
    if let Some(answer) = leg.fail(error) {
        say(queue, answer).await;
    }
}

async fn respond(leg: &mut Leg, response: Response, queue: &mpsc::Sender<Line>) {
    match leg.respond(response) {
        Ok(Some(answer)) => say(queue, answer).await,
        Ok(None) => {}
        Err(parts) => {
            let id = leg.id().clone();
            if let Err(error) = pass(&id, parts, queue).await {
                fail(leg, &error, queue).await;
            }
        }
    }
}

/// Hands a long response to the writer, part by part, under the client's id.
async fn pass(id: &RawId, mut parts: Parts, queue: &mpsc::Sender<Line>) -> Result<(), CallError> {
    let (line, rest) = mpsc::channel(PARTS);
    if queue.send(Line::Long(rest)).await.is_err() {
        return Ok(());
    }
    let mut holes = 0;
    while let Some(piece) = parts.next().await {
        let bytes = match piece? {
            Piece::Bytes(bytes) => bytes,
            Piece::Id(_) => {
                holes += 1;
                Bytes::copy_from_slice(id.as_bytes())
            }
        };
        if line.send(Part::Bytes(bytes)).await.is_err() {
            return Ok(());
        }
    }
    if holes != 1 {
        let kind = ErrorKind::Protocol("the response has no place for its id".to_owned());
        return Err(CallError::new(Side::Backend, kind, Executed::Unknown));
    }
    line.send(Part::End).await.ok();
    Ok(())
}
