//! A call whose answers may ask back: the client is asked, and the call made again with what it says, until there is an
//! answer that does not ask. Whoever reads the reply sees questions, and one response.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};
use vmcp_wire::{Message, Piece};

use super::running::{Running, Step};
use super::{InputRequired, Ticket, guarded};
use crate::dialect::{self, Answers, Asked, Judge, Outcome, Verdict};
use crate::peer::OpenRequests;
use crate::session::start;
use crate::transport::{Answerer, Item, Wire};
use crate::{Asking, Call, CallError, ErrorKind, Executed, InputGiven, PeerRequest};

/// The first pause before a call is made again although nothing was asked; it doubles.
const PAUSE: Duration = Duration::from_millis(50);

type Again = Pin<Box<dyn Future<Output = Result<(Ticket, Wire), CallError>> + Send>>;

/// What is needed to make a call again, and where that stands.
pub(super) struct Rounds {
    call: Call,
    count: usize,
    empty: usize,
    stage: Stage,
    /// What was read of a long response to see whether it asks.
    ahead: VecDeque<Item>,
    /// Where that stands. Kept here, so that whoever stops waiting for it loses nothing.
    reading: Option<Ahead>,
}

/// A long response that is read to see whether it asks.
#[derive(Default)]
struct Ahead {
    text: BytesMut,
    judge: Judge,
    verdict: Option<Verdict>,
}

enum Stage {
    /// The reply is read.
    Reading,
    /// The client is asked.
    Asking { left: VecDeque<PeerRequest>, answers: Arc<Answers>, state: Option<Bytes> },
    /// Nothing is asked, but the call is to be made again.
    Pausing { until: Instant, state: Option<Bytes> },
    /// It is being made again. The lock is never waited for: it only makes a reply something that can be shared.
    Again(Mutex<Again>),
}

// === impl Rounds ===

impl Rounds {
    /// `None` where no answer asks back.
    pub(super) fn of(ticket: &Ticket, call: Call) -> Option<Self> {
        ticket.live.is_stateless().then(|| Self {
            call,
            count: 0,
            empty: 0,
            stage: Stage::Reading,
            ahead: VecDeque::new(),
            reading: None,
        })
    }

    /// The call as it was made last.
    pub(super) fn call(&self) -> &Call {
        &self.call
    }

    /// A long response has begun.
    pub(super) fn look_ahead(&mut self) {
        self.reading = Some(Ahead::default());
    }

    /// Whether a long response is being read to see what it is.
    pub(super) fn looks_ahead(&self) -> bool {
        self.reading.is_some()
    }

    /// What was read ahead.
    pub(super) fn take_ahead(&mut self) -> Option<Item> {
        self.ahead.pop_front()
    }
}

// === impl Running ===

impl Running {
    /// Does what there is to do until the reply can be read on. Cancel-safe.
    pub(super) async fn between(&mut self) -> Result<Option<Step>, CallError> {
        loop {
            let Self { ticket, clock, cancel, open_requests, rounds, .. } = self;
            let Some(rounds) = rounds else { return Ok(None) };
            let backend = ticket.link.backend();
            let (responses, state) = match &mut rounds.stage {
                Stage::Reading => return Ok(None),
                Stage::Asking { left, answers, state } => {
                    if let Some(question) = left.pop_front() {
                        return Ok(Some(Step::Request(question)));
                    }
                    let complete = pin!(async {
                        answers.complete().await;
                        Ok(())
                    });
                    guarded(backend, cancel, clock, open_requests, complete).await?;
                    match answers.collected() {
                        Ok(responses) => (Some(responses), state.take()),
                        // The client's own words about what it was asked for end its call.
                        Err(error) => return Ok(Some(Step::Response(*error))),
                    }
                }
                Stage::Pausing { until, state } => {
                    let over = pin!(async {
                        sleep_until(*until).await;
                        Ok(())
                    });
                    guarded(backend, cancel, clock, open_requests, over).await?;
                    (None, state.take())
                }
                Stage::Again(again) => {
                    let open = OpenRequests::default();
                    let (ticket, wire) =
                        guarded(backend, cancel, clock, &open, again.get_mut().as_mut()).await?;
                    rounds.stage = Stage::Reading;
                    self.open_requests = wire.open_requests();
                    (self.ticket, self.wire) = (ticket, wire);
                    self.clock.touch();
                    continue;
                }
            };
            rounds.call.input = Some(Box::new(InputGiven { responses, state }));
            let (link, call) = (Arc::clone(&ticket.link), rounds.call.clone());
            rounds.stage = Stage::Again(Mutex::new(Box::pin(async move {
                let sent = AtomicBool::new(false);
                start(&link, &call, &sent).await
            })));
            clock.touch();
        }
    }

    /// What a response means: it is the last step, or there is another round.
    pub(super) fn judged(&mut self, message: Message) -> Result<Option<Step>, CallError> {
        let Some(rounds) = &mut self.rounds else { return Ok(Some(Step::Response(message))) };
        let wrong = |text: String| {
            let backend = self.ticket.link.backend();
            CallError::backend(backend, ErrorKind::Protocol(text), Executed::Unknown)
        };
        if dialect::is_foreign(&message) {
            // Not what was agreed on; the next call finds out what is.
            self.ticket.link.lose(&self.ticket.live);
        }
        let asked = match dialect::outcome(&rounds.call.method, &message) {
            Outcome::Complete => return Ok(Some(Step::Response(message))),
            Outcome::Wrong(text) => return Err(wrong(text)),
            Outcome::Asks(asked) => asked,
        };
        let limits = self.framing.limits;
        let client = self.ticket.link.client();
        let questions = dialect::questions(&asked, client, &limits).map_err(wrong)?;
        let Asked { requests, state } = asked;
        if rounds.call.asking == Asking::Return {
            return Ok(Some(Step::Asked(InputRequired { requests, state, raw: message })));
        }
        rounds.count += 1;
        rounds.empty = if questions.is_empty() { rounds.empty + 1 } else { 0 };
        let bounds = &self.ticket.link.target().limits;
        if rounds.count > bounds.max_rounds || rounds.empty > bounds.max_empty_rounds {
            return Err(wrong("the backend asks again and again".to_owned()));
        }
        if questions.is_empty() {
            let pause = PAUSE * (1 << rounds.empty.min(6));
            rounds.stage = Stage::Pausing { until: Instant::now() + pause, state };
            return Ok(None);
        }
        let answers = Answers::to(&questions);
        // The wire is done with; its own count of open requests goes with it.
        self.open_requests = OpenRequests::default();
        let errands = self.ticket.link.errands();
        let left = questions.into_iter().enumerate().filter_map(|(at, question)| {
            let answerer = Answerer::Collected(Arc::clone(&answers), at, limits);
            PeerRequest::new(question.message, &answerer, errands, Some(&self.open_requests))
        });
        rounds.stage = Stage::Asking { left: left.collect(), answers: Arc::clone(&answers), state };
        Ok(None)
    }

    /// A long response is passed on as it comes as soon as it is known to be an answer. One that asks back is held, and
    /// read as any other. Of one that says neither for long, that it is an answer: whoever asks says what, not how much.
    /// Cancel-safe.
    pub(super) async fn read_ahead(&mut self) -> Result<Option<Message>, CallError> {
        loop {
            let item = self.item().await?;
            let (hold, limits) = (self.framing.hold, self.framing.limits);
            let Some(rounds) = self.rounds.as_deref_mut() else { return Ok(None) };
            let Some(reading) = &mut rounds.reading else { return Ok(None) };
            let over = matches!(item, Item::End);
            if let Item::Pieces(pieces) = &item {
                reading.read(pieces);
            }
            rounds.ahead.push_back(item);
            let undecided = reading.verdict.is_none() && !over;
            let is_long = reading.text.len() > hold.saturating_mul(2);
            if reading.verdict == Some(Verdict::Answers) || undecided && is_long {
                rounds.reading = None;
                return Ok(None);
            }
            if reading.text.len() > limits.max_bytes {
                let kind = ErrorKind::TooLarge { limit: limits.max_bytes };
                return Err(CallError::backend(
                    self.ticket.link.backend(),
                    kind,
                    Executed::Unknown,
                ));
            }
            if over {
                rounds.ahead.clear();
                let text = rounds.reading.take().unwrap_or_default().text.freeze();
                let message = Message::parse(text, &limits);
                return message
                    .map(Some)
                    .map_err(|error| CallError::wire(self.ticket.link.backend(), &error));
            }
        }
    }
}

// === impl Ahead ===

impl Ahead {
    fn read(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            let bytes = match piece {
                Piece::Bytes(bytes) => bytes,
                Piece::Id(id) => id.as_bytes(),
            };
            self.verdict = self.judge.read(bytes);
            self.text.extend_from_slice(bytes);
        }
    }
}
