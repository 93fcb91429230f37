//! One event stream: what was said on it, and the connection that carries it at the moment, if any.

use std::io;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};

use crate::body::Piece;
use crate::sse;

/// Bytes of a flood that are written at a time.
const FLOOD: usize = 64 * 1024;

/// How the events of a stream are written.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    /// Whether events carry ids, so that a client can resume.
    pub(crate) ids: bool,
    /// Whether events carry `event: message`.
    pub(crate) named: bool,
    /// Whether the stream lives as long as its session rather than as one call.
    pub(crate) lasting: bool,
}

/// One event stream.
pub(crate) struct Stream {
    pub(crate) id: u64,
    style: Style,
    /// Held while an event is written: events of one stream never overtake each other.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    log: Vec<Bytes>,
    outlet: Option<Outlet>,
    finished: bool,
}

/// The connection that carries the stream.
pub(crate) struct Outlet {
    pub(crate) sender: mpsc::Sender<Piece>,
    /// How many bytes may still pass before the connection breaks.
    pub(crate) budget: Option<usize>,
}

// === impl Stream ===

impl Stream {
    pub(crate) fn new(id: u64, style: Style, outlet: Outlet) -> Self {
        let state = State { outlet: Some(outlet), ..State::default() };
        Self { id, style, state: Mutex::new(state) }
    }

    /// Sends a message as one event.
    pub(crate) async fn message(&self, data: Bytes) {
        let mut state = self.state.lock().await;
        let index = state.log.len();
        if self.style.ids {
            state.log.push(data.clone());
        }
        let frame = self.frame(index, &data);
        state.write(frame).await;
    }

    /// Sends an event with an id and no data, so that a client can resume from the very start.
    pub(crate) async fn prime(&self) {
        if self.style.ids {
            self.message(Bytes::new()).await;
        }
    }

    /// Sends bytes that are no event of ours.
    pub(crate) async fn raw(&self, bytes: Bytes) {
        self.state.lock().await.write(bytes).await;
    }

    /// Sends these bytes so many times, or until nobody reads them.
    pub(crate) async fn flood(&self, bytes: &Bytes, times: u64) {
        // Few large writes: what is measured is the reader.
        let batch = (FLOOD / bytes.len().max(1)).max(1) as u64;
        let many = Bytes::from(bytes.repeat(usize::try_from(batch).unwrap_or(1)));
        for _ in 0..times / batch {
            let mut state = self.state.lock().await;
            if state.outlet.is_none() {
                return;
            }
            state.write(many.clone()).await;
        }
        let rest = usize::try_from(times % batch).unwrap_or(0);
        self.raw(bytes.repeat(rest).into()).await;
    }

    /// Sends the lines that stand before the data of a message.
    pub(crate) async fn begin(&self) {
        let named = self.style.named.then_some("message");
        self.raw(sse::head(named, None).into()).await;
    }

    /// Ends the connection but not the stream.
    pub(crate) async fn close(&self, retry: Option<u64>) {
        let mut state = self.state.lock().await;
        if let Some(retry) = retry {
            state.write(format!("retry: {retry}\n\n").into()).await;
        }
        state.outlet = None;
    }

    /// Ends the stream of one call.
    pub(crate) async fn finish(&self) {
        if !self.style.lasting {
            let mut state = self.state.lock().await;
            state.finished = true;
            state.outlet = None;
        }
    }

    /// Breaks the connection.
    pub(crate) async fn break_off(&self) {
        if let Some(outlet) = self.state.lock().await.outlet.take() {
            let _ = outlet.sender.send(Err(io::ErrorKind::ConnectionReset.into())).await;
        }
    }

    /// Lets another connection carry the stream, from the event after `seen` on.
    pub(crate) async fn resume(&self, outlet: Outlet, seen: usize) {
        let mut state = self.state.lock().await;
        state.outlet = Some(outlet);
        for index in seen + 1..state.log.len() {
            let data = state.log[index].clone();
            state.write(self.frame(index, &data)).await;
        }
        if state.finished {
            state.outlet = None;
        }
    }

    /// Waits until the connection that carries the stream is gone.
    pub(crate) async fn gone(&self) {
        let sender = self.state.lock().await.outlet.as_ref().map(|outlet| outlet.sender.clone());
        if let Some(sender) = sender {
            sender.closed().await;
        }
    }

    /// Whether a client listens, or may come back to.
    pub(crate) fn reachable(&self) -> bool {
        self.style.ids || self.carried()
    }

    /// Whether a connection carries the stream right now.
    pub(crate) fn carried(&self) -> bool {
        match self.state.try_lock() {
            Ok(state) => state.outlet.as_ref().is_some_and(|outlet| !outlet.sender.is_closed()),
            // Somebody writes at this moment.
            Err(_) => true,
        }
    }

    fn frame(&self, index: usize, data: &[u8]) -> Bytes {
        let id = self.style.ids.then(|| format!("{}_{index}", self.id));
        sse::encode(self.style.named.then_some("message"), id.as_deref(), data)
    }
}

// === impl State ===

impl State {
    async fn write(&mut self, mut bytes: Bytes) {
        let Some(outlet) = &mut self.outlet else { return };
        let mut breaks = false;
        if let Some(budget) = &mut outlet.budget {
            breaks = bytes.len() >= *budget;
            bytes.truncate(*budget);
            *budget -= bytes.len();
        }
        let mut gone = outlet.sender.send(Ok(bytes)).await.is_err();
        if breaks {
            gone = true;
            let _ = outlet.sender.send(Err(io::ErrorKind::ConnectionReset.into())).await;
        }
        if gone {
            self.outlet = None;
        }
    }
}
