//! A reply that takes several requests: code that makes them one after the other, and says what comes of it.

use std::fmt;
use std::pin::Pin;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::Event;

/// Events that wait for the reader. The code waits for it.
const AHEAD: usize = 1;

type Script = Pin<Box<dyn Future<Output = Event> + Send>>;

/// Takes what the code says before its last word.
pub(crate) type Says = mpsc::Sender<Event>;

/// Code that answers, run by whoever reads the reply. Dropped, it stops where it is.
pub(crate) struct Scripted {
    /// `None` when it has ended. The lock is never waited for: it only makes a reply something that can be shared.
    script: Option<Mutex<Script>>,
    said: mpsc::Receiver<Event>,
    end: Option<Event>,
}

// === impl Scripted ===

impl Scripted {
    /// The code's own result is the last event.
    pub(crate) fn new<F>(script: impl FnOnce(Says) -> F) -> Self
    where
        F: Future<Output = Event> + Send + 'static,
    {
        let (says, said) = mpsc::channel(AHEAD);
        let script: Script = Box::pin(script(says));
        Self { script: Some(Mutex::new(script)), said, end: None }
    }

    /// The next event, and whether it is the last one. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<(Event, bool)> {
        if let Some(script) = &mut self.script {
            tokio::select! {
                biased;
                Some(event) = self.said.recv() => return Some((event, false)),
                end = script.get_mut().as_mut() => self.end = Some(end),
            }
            self.script = None;
        }
        // What was said last was said before the end.
        if let Ok(event) = self.said.try_recv() {
            return Some((event, false));
        }
        self.end.take().map(|event| (event, true))
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").field("over", &self.script.is_none()).finish_non_exhaustive()
    }
}
