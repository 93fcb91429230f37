//! Calls that wait for a client's answers: their backend can only ask while the call runs, and the client can only be
//! asked by an answer.
//!
//! A parked call has a task of its own, which keeps the backend's stream read: what is asked meanwhile joins the
//! questions, of progress the last message is kept, and the end of the call is kept for whoever comes back. Whoever
//! comes back takes the whole call out of the table, so each state that a client was given is good for one use.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use vmcp_auth::{Identity, IdentityKind};
use vmcp_backend::{CallError, ErrorKind, Event, Executed, Side};
use vmcp_config::Config;
use vmcp_gateway::Reply;
use vmcp_wire::asking::is_question;
use vmcp_wire::{Message, method};

use super::Hall;
use super::input::Questions;
use super::state::ParkId;
use crate::admit::{Gate, Place};
use crate::session::Visit;

/// All parked calls.
pub(super) struct Parked {
    gate: Gate,
    most_of_one: usize,
    most_questions: usize,
    /// Protects the table; held for a look or a change only.
    table: Mutex<HashMap<ParkId, Entry>>,
}

struct Entry {
    round: u32,
    identity: Arc<Identity>,
    /// Asks the call's task for the call.
    hand: oneshot::Sender<oneshot::Sender<Held>>,
}

/// A call that waits. Dropped, its questions are refused first and the call is taken back then.
pub(super) struct Held {
    pub(super) questions: Questions,
    pub(super) reply: Reply,
    /// How the call ended meanwhile.
    pub(super) ended: Option<Event>,
    /// The last that was said about its progress meanwhile.
    pub(super) progress: Option<Message>,
    /// What is kept for the client must not be closed under the call.
    pub(super) visit: Visit,
    /// Its place among all parked calls, once it has one. It keeps it when it is parked again.
    pub(super) place: Option<Place>,
}

// === impl Parked ===

impl Parked {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            gate: Gate::new(config.seal.max_parked),
            most_of_one: config.seal.max_parked_per_principal,
            most_questions: config.limits.max_questions,
            table: Mutex::default(),
        }
    }

    /// Parks a call; gives its name, or the call back if there is no place for it.
    pub(super) fn put(
        &self,
        hall: &Arc<Hall>,
        identity: &Arc<Identity>,
        mut held: Held,
        round: u32,
    ) -> Result<ParkId, Box<Held>> {
        let mut id = ParkId::default();
        let random = getrandom::fill(&mut id).is_ok();
        if held.place.is_none() && !self.is_full_for(identity) {
            held.place = self.gate.enter();
        }
        if !random || held.place.is_none() {
            return Err(Box::new(held));
        }
        self.enter(hall, identity, (id, round), held);
        Ok(id)
    }

    /// Parks a call again whose answers were none, under the name and for the round it had.
    pub(super) fn put_back(
        &self,
        hall: &Arc<Hall>,
        identity: &Arc<Identity>,
        held: Held,
        name: (ParkId, u32),
    ) {
        self.enter(hall, identity, name, held);
    }

    /// Takes a call out, if it waits for this round.
    pub(super) async fn take(&self, id: &ParkId, round: u32) -> Option<Held> {
        let entry = {
            let mut table = self.table.lock();
            if table.get(id)?.round != round {
                return None;
            }
            table.remove(id)?
        };
        let (back, held) = oneshot::channel();
        entry.hand.send(back).ok()?;
        held.await.ok()
    }

    fn enter(
        &self,
        hall: &Arc<Hall>,
        identity: &Arc<Identity>,
        (id, round): (ParkId, u32),
        held: Held,
    ) {
        let (hand, asked) = oneshot::channel();
        let entry = Entry { round, identity: Arc::clone(identity), hand };
        self.table.lock().insert(id, entry);
        let until = Instant::now() + hall.config.seal.parked_timeout;
        let owner = Arc::clone(hall);
        hall.tasks.run(async move { wait(&owner, id, held, asked, until).await });
    }

    fn is_full_for(&self, identity: &Identity) -> bool {
        // Where nobody is known, one principal is everybody.
        if identity.kind() == IdentityKind::Anonymous {
            return false;
        }
        let table = self.table.lock();
        let own = table.values().filter(|entry| entry.identity.same_principal(identity));
        own.count() >= self.most_of_one
    }
}

/// Keeps a call until somebody asks for it, its time is over or the server stops.
async fn wait(
    hall: &Hall,
    id: ParkId,
    mut held: Held,
    mut asked: oneshot::Receiver<oneshot::Sender<Held>>,
    until: Instant,
) {
    loop {
        let runs = held.ended.is_none();
        tokio::select! {
            biased;
            back = &mut asked => {
                if let Ok(back) = back {
                    // Whoever asked may be gone: then the call goes, too.
                    drop(back.send(held));
                }
                return;
            }
            () = hall.tasks.draining().cancelled() => break,
            () = sleep_until(until) => {
                tracing::debug!("a client did not come back to what it was asked");
                break;
            }
            event = held.reply.next(), if runs => held.note(event, hall.parked.most_questions),
        }
    }
    hall.parked.table.lock().remove(&id);
}

// === impl Held ===

impl Held {
    fn note(&mut self, event: Option<Event>, most: usize) {
        match event {
            Some(Event::Request(peer)) => {
                // Dropped, it is refused.
                if is_question(peer.method()) && self.questions.len() < most {
                    self.questions.add(peer);
                }
            }
            Some(Event::Notification(message)) => {
                if message.method() == method::PROGRESS {
                    self.progress = Some(message);
                }
            }
            Some(Event::Paused) => {}
            Some(last) => self.ended = Some(last),
            None => {
                let error = CallError::new(Side::Gateway, ErrorKind::Closed, Executed::Unknown);
                self.ended = Some(Event::Failed(error));
            }
        }
    }
}

#[cfg(test)]
mod tests;
