//! One call on its way: what its client is told, in order, until the one answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::time::{Instant, timeout_at};
use vmcp_auth::Identity;
use vmcp_backend::{
    CallError, ErrorKind, Event, Executed, InputRequired, PeerRequest, Response, Side,
};
use vmcp_gateway::{Level, Reply};
use vmcp_wire::asking::{is_question, may_ask};
use vmcp_wire::revision::REQUEST_STATE;
use vmcp_wire::{Edits, Kind, Message, Object, RawId, method, rpc};

use super::input::{self, Questions};
use super::long::Long;
use super::park::Held;
use super::result;
use super::state::{Binding, State};
use super::{Hall, Lone};
use crate::admit::Place;
use crate::metrics::{Meter, Outcome};
use crate::respond::Rejection;
use crate::session::Visit;

/// How many times the gathering of questions may begin anew because there is one more.
const MORE: u32 = 20;
/// How long telling a backend may take that the client cannot be asked something.
const TELL: Duration = Duration::from_secs(30);

/// What a client is told of its call.
pub(crate) enum Said {
    /// A notification.
    Notice(Bytes),
    /// The answer; nothing comes after it.
    End(Answer),
}

/// The answer to a call.
pub(crate) enum Answer {
    /// In memory, with the HTTP status that belongs to it.
    Whole(StatusCode, Bytes),
    /// Too long to be held.
    Long(Long),
}

/// Who calls, and what is held for the call. Given back when it is dropped.
pub(super) struct Holder {
    pub(super) hall: Arc<Hall>,
    pub(super) visit: Visit,
    pub(super) identity: Arc<Identity>,
    pub(super) meter: Option<Meter>,
    pub(super) _place: Option<Place>,
}

/// One call. Dropped before its end, the call is taken back; a parked one goes on.
pub(crate) struct Run {
    holder: Holder,
    lone: Box<Lone>,
    /// `None` once the call is parked or taken back.
    reply: Option<Reply>,
    streamed: bool,
    /// What is to be told before anything else.
    early: VecDeque<Said>,
    /// What the backend said and nobody looked at.
    kept: Option<Event>,
    questions: Questions,
    /// When the client is asked at the latest, if there is something to ask.
    latest: Option<Instant>,
    /// How often the client was asked.
    round: u32,
    /// The place that the call had while it was parked.
    parking: Option<Place>,
}

// === impl Run ===

impl Run {
    /// A call that was just made.
    pub(super) fn new(holder: Holder, lone: Box<Lone>, reply: Reply) -> Self {
        Self {
            streamed: reply.streamed,
            holder,
            lone,
            reply: Some(reply),
            early: VecDeque::new(),
            kept: None,
            questions: Questions::default(),
            latest: None,
            round: 0,
            parking: None,
        }
    }

    /// A parked call, gone on with by another request. With questions that were not answered, it is parked again.
    pub(super) fn resumed(holder: Holder, lone: Box<Lone>, held: Held, round: u32) -> Self {
        let Held { questions, reply, ended, progress, visit, place } = held;
        // The call's own: the request that goes on with it may have come to another.
        let mut run = Self::new(Holder { visit, ..holder }, lone, reply);
        run.round = round.saturating_add(1);
        run.questions = questions;
        run.parking = place;
        let progress = progress.and_then(|message| run.notice(&message));
        run.early.extend(progress.map(Said::Notice));
        match ended {
            // It ended without its answers.
            Some(ended) => {
                run.questions.clear();
                run.kept = Some(ended);
            }
            None if !run.questions.is_empty() => {
                let asked = run.ask();
                run.early.push_back(asked);
            }
            None => {}
        }
        run
    }

    /// Whether the backend answers with an event stream.
    pub(super) fn streamed(&self) -> bool {
        self.streamed
    }

    /// What the client is told next.
    ///
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Said {
        loop {
            if let Some(said) = self.early.pop_front() {
                return said;
            }
            let Some(event) = self.heard().await else { return self.ask() };
            match event {
                Event::Notification(message) => {
                    self.early.extend(self.notice(&message).map(Said::Notice));
                }
                Event::Request(peer) => self.admit(peer),
                Event::Paused => {}
                last => return Said::End(self.last(last)),
            }
        }
    }

    /// What the backend says next; `None` if there is something to ask and it was quiet for long enough. What it says
    /// meanwhile is told at once: a client that was asked listens to this request no longer.
    async fn heard(&mut self) -> Option<Event> {
        if let Some(kept) = self.kept.take() {
            return Some(kept);
        }
        let Some(latest) = self.latest else { return Some(self.event().await) };
        let quiet = Instant::now() + self.holder.hall.config.timeouts.gather;
        timeout_at(quiet.min(latest), self.event()).await.ok()
    }

    /// The end of the call. If it ends while questions are gathered, there is nothing to ask.
    fn last(&mut self, event: Event) -> Answer {
        self.questions.clear();
        match event {
            Event::InputRequired(asked) => self.relay(&asked),
            Event::Response(response) => self.respond(response),
            Event::Failed(error) => self.fail(&error),
            Event::Notification(_) | Event::Request(_) | Event::Paused => {
                rejected(Rejection::internal(), &self.lone.id)
            }
        }
    }

    async fn event(&mut self) -> Event {
        let next = match &mut self.reply {
            Some(reply) => reply.next().await,
            None => None,
        };
        next.unwrap_or_else(|| {
            Event::Failed(CallError::new(Side::Gateway, ErrorKind::Closed, Executed::Unknown))
        })
    }

    /// A notification as this request gets it, if it does.
    fn notice(&self, message: &Message) -> Option<Bytes> {
        let about = &self.lone.about;
        match message.method() {
            method::LOG_MESSAGE => {
                let level = member(message, "level").and_then(|name| Level::parse(&name));
                let wanted = about.level?;
                level.is_none_or(|level| level >= wanted).then(|| message.bytes().clone())
            }
            method::PROGRESS => {
                let token = about.progress.as_ref()?;
                let params = message.params()?;
                let member = Object::parse(&params).ok()?.get("progressToken")?;
                if member.raw == token.as_bytes() {
                    return Some(message.bytes().clone());
                }
                let mut edits = Edits::new();
                edits.replace(member.span, token.as_bytes().to_vec());
                Some(message.with_params(&edits.apply(&params)))
            }
            // About questions, whose ids this client never saw.
            method::CANCELLED | method::ELICITATION_COMPLETE => None,
            _ => Some(message.bytes().clone()),
        }
    }

    /// Takes a question in, if the client can be asked it here.
    fn admit(&mut self, peer: PeerRequest) {
        let most = self.holder.hall.config.limits.max_questions;
        let known = is_question(peer.method()) && may_ask(self.lone.method());
        let rounds = self.holder.hall.config.limits.max_rounds;
        let asked = usize::try_from(self.round).unwrap_or(usize::MAX);
        if !known || self.questions.len() >= most || asked >= rounds {
            return self.refuse(peer, "the client does not offer this");
        }
        if let Err(rejection) = input::required(&peer.message, &self.lone.about) {
            let is_from_outside = peer.is_from_outside();
            self.refuse(peer, "the client does not offer this");
            // Whether this call needs it, nobody said.
            if is_from_outside {
                return;
            }
            self.end(Outcome::Failed);
            // The call cannot end well: it is taken back.
            self.reply = None;
            self.questions.clear();
            let answer = rejected(rejection, &self.lone.id);
            self.early.push_back(Said::End(answer));
            return;
        }
        self.questions.add(peer);
        let gather = self.holder.hall.config.timeouts.gather;
        self.latest.get_or_insert_with(|| Instant::now() + gather * MORE);
    }

    fn refuse(&self, peer: PeerRequest, text: &'static str) {
        self.holder.hall.tasks.run_for(TELL, async move {
            peer.refuse(rpc::METHOD_NOT_FOUND, text).await;
        });
    }

    /// Parks the call and asks the client.
    fn ask(&mut self) -> Said {
        let questions = std::mem::take(&mut self.questions);
        let requests = questions.requests();
        let Some(reply) = self.reply.take() else { return self.broken() };
        let Holder { hall, visit, identity, .. } = &self.holder;
        let held = Held {
            questions,
            reply,
            ended: None,
            progress: None,
            visit: visit.clone(),
            place: self.parking.take(),
        };
        let Ok(id) = hall.parked.put(hall, identity, held, self.round) else {
            let error = CallError::new(Side::Gateway, ErrorKind::Busy, Executed::Unknown);
            return Said::End(self.fail(&error));
        };
        let binding = Binding::of(identity, &self.lone);
        let Some(state) = hall.states.seal(&State::Parked(id, self.round), &binding) else {
            return self.broken();
        };
        self.end(Outcome::Ok);
        let result = input::input_required(&requests, Some(&state));
        Said::End(Answer::Whole(StatusCode::OK, rpc::success(&self.lone.id, &result)))
    }

    /// Something of ours broke.
    fn broken(&mut self) -> Said {
        self.end(Outcome::Failed);
        Said::End(rejected(Rejection::internal(), &self.lone.id))
    }

    /// What a backend asks by its answer, with its state sealed.
    fn relay(&mut self, asked: &InputRequired) -> Answer {
        self.end(Outcome::Ok);
        let edited = (|| {
            let envelope = Object::parse(asked.raw.bytes()).ok()?;
            let mut edits = Edits::new();
            edits.replace(envelope.get("id")?.span, self.lone.id.as_bytes().to_vec());
            if let Some(state) = &asked.state {
                let member = envelope.get("result")?.as_object()?.get(REQUEST_STATE)?;
                let Holder { hall, visit, identity, .. } = &self.holder;
                let binding = Binding::of(identity, &self.lone);
                // One that is too long to be carried.
                let owner = visit.multi().owner(self.lone.method(), &self.lone.params())?;
                let state = State::Backend(owner.as_str().into(), state.clone());
                let sealed = hall.states.seal(&state, &binding)?;
                edits.replace(member.span, vmcp_wire::quote(&sealed).to_vec());
            }
            Some(edits.apply(asked.raw.bytes()))
        })();
        match edited {
            Some(bytes) => Answer::Whole(StatusCode::OK, bytes),
            None => rejected(Rejection::internal(), &self.lone.id),
        }
    }

    fn respond(&mut self, response: Response) -> Answer {
        let id = self.lone.id.clone();
        match response {
            Response::Made(result) => {
                let multi = self.holder.visit.multi();
                let freshness = multi.list_freshness(self.lone.method());
                let info = multi.server_info();
                let result = result::made(&result, freshness, Some(&info));
                let answer = Answer::Whole(StatusCode::OK, rpc::success(&id, &result));
                self.end(Outcome::Ok);
                answer
            }
            Response::Whole(message) => {
                if let Some(asked) = self.elsewhere(&message) {
                    return asked;
                }
                let (status, bytes) = result::whole(&message, &id, self.lone.method());
                let failed = message.kind() == Kind::Failure;
                self.end(if failed { Outcome::Error } else { Outcome::Ok });
                Answer::Whole(status, bytes)
            }
            Response::Parts(parts) => {
                let long = Long::new(parts, id, result::needed(self.lone.method()));
                self.end(Outcome::Ok);
                Answer::Long(long)
            }
        }
    }

    /// What the client is asked instead of an error that this revision does not have.
    fn elsewhere(&mut self, message: &Message) -> Option<Answer> {
        let error = message.error().filter(|_| may_ask(self.lone.method()))?;
        let answer = match input::of_error(&error, &self.lone.about)? {
            Ok(requests) => {
                let result = input::input_required(&requests, None);
                Answer::Whole(StatusCode::OK, rpc::success(&self.lone.id, &result))
            }
            Err(rejection) => rejected(rejection, &self.lone.id),
        };
        self.end(Outcome::Ok);
        Some(answer)
    }

    fn fail(&mut self, error: &CallError) -> Answer {
        self.end(Outcome::Failed);
        let (status, bytes) = result::failure(&self.lone.id, error, self.lone.method());
        Answer::Whole(status, bytes)
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(meter) = &mut self.holder.meter {
            meter.end(outcome);
        }
    }
}

/// A refusal as the answer to a call.
pub(super) fn rejected(rejection: Rejection, id: &RawId) -> Answer {
    let rejection = rejection.with_id(Some(id.clone()));
    Answer::Whole(rejection.status(), rejection.message())
}

fn member(message: &Message, key: &str) -> Option<String> {
    let params = message.params()?;
    let object = Object::parse(&params).ok()?;
    Some(object.get(key)?.as_str()?.into_owned())
}
