//! How long what the catalogue tells is fresh, and for whom.
//!
//! Each backend says of each of its lists for how long it is; of a joined list that is the least of what is left. A backend
//! that says nothing bounds nothing while vmcp hears of its changes, since clients are told then; where it would not hear of
//! them, nothing is fresh. Where nobody says anything, nobody promises anything.

use std::time::Duration;

use tokio::time::Instant;
use vmcp_backend::{CapabilityList, Freshness, ServerHello, Session};
use vmcp_wire::Object;

use super::{Scope, Slot};
use crate::naming::conflict::Capability;

/// What a backend said of how long its lists are fresh, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    /// When it was asked for them.
    at: Instant,
    tools: Part,
    prompts: Part,
    resources: Part,
    templates: Part,
    /// What it said of itself, and when it was asked for that.
    hello: Option<(Instant, Freshness)>,
}

/// One list of one backend.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// The backend does not have it.
    Absent,
    /// It is fresh for so long.
    Said(Freshness),
    /// Nothing is said; a change is told.
    Told,
    /// Nothing is said, not even that it changes.
    Unsaid,
}

/// The stamps of one backend.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Stamps {
    /// Of what the catalogue's own session listed.
    pub own: Option<Stamp>,
    /// Of what clients without a session are offered, where that was asked for.
    pub apart: Option<Stamp>,
}

/// The least of what is left of several parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Least {
    now: Instant,
    time: Duration,
    /// Somebody said for how long.
    promised: bool,
    private: bool,
}

// === impl Stamp ===

impl Stamp {
    /// What `session` listed when it was asked at `at`; `hello` is when it was asked what it is, if that is known.
    pub(crate) fn new(
        slot: &Slot,
        session: &Session,
        list: &CapabilityList,
        at: Instant,
        hello: Option<Instant>,
    ) -> Self {
        let introduced = session.hello();
        let hears = slot.scope != Scope::PerSessionClosed && session.hears();
        let part = |kind, said: Option<Freshness>| match (said, announces(&introduced, kind)) {
            (_, None) => Part::Absent,
            (Some(said), _) => Part::Said(said),
            (None, Some(true)) if hears => Part::Told,
            (None, _) => Part::Unsaid,
        };
        Self {
            at,
            tools: part("tools", list.freshness.tools),
            prompts: part("prompts", list.freshness.prompts),
            resources: part("resources", list.freshness.resources),
            templates: part("resources", list.freshness.templates),
            hello: hello.zip(introduced.freshness),
        }
    }

    /// The same lists were there at `at`, too.
    pub(crate) fn again(mut self, at: Instant) -> Self {
        self.at = at;
        self
    }

    /// The backend said the same of itself when it was asked at `at`.
    pub(crate) fn introduced(mut self, at: Instant) -> Self {
        self.hello = self.hello.map(|(_, said)| (at, said));
        self
    }

    /// When it was asked what it is.
    pub(crate) fn introduced_at(&self) -> Option<Instant> {
        self.hello.map(|(at, _)| at)
    }

    /// Counts what is left of a list, or of what the backend says of itself.
    pub(crate) fn count(&self, list: Option<Capability>, least: &mut Least) {
        let part = match list {
            Some(Capability::Tool) => self.tools,
            Some(Capability::Prompt) => self.prompts,
            Some(Capability::Resource) => self.resources,
            Some(Capability::Template) => self.templates,
            None => match self.hello {
                Some((at, said)) => return least.said(said, at),
                // Nobody is told when it changes.
                None => Part::Unsaid,
            },
        };
        match part {
            Part::Absent | Part::Told => {}
            Part::Said(said) => least.said(said, self.at),
            Part::Unsaid => least.bound(Duration::ZERO),
        }
    }

    /// When the first of its lists is fresh no more. What is said to be fresh for no time at all says nothing about when
    /// it changes.
    pub(super) fn due(&self) -> Option<Instant> {
        let said = |part| match part {
            Part::Said(said) if !said.time.is_zero() => Some(said.time),
            _ => None,
        };
        let parts = [self.tools, self.prompts, self.resources, self.templates];
        self.at.checked_add(parts.into_iter().filter_map(said).min()?)
    }
}

/// Whether a backend tells when a list of this kind changes; `None` if it has none.
fn announces(hello: &ServerHello, kind: &str) -> Option<bool> {
    let root = Object::parse(&hello.capabilities).ok()?;
    let member = root.get(kind).filter(|member| !member.is_null())?;
    let says = member.as_object().and_then(|kind| kind.get("listChanged")?.as_bool());
    Some(says == Some(true))
}

// === impl Least ===

impl Least {
    /// Of no part yet. `private`: it depends on who asks.
    pub(crate) fn new(private: bool) -> Self {
        Self { now: Instant::now(), time: Duration::MAX, promised: false, private }
    }

    /// It is no longer than this.
    pub(crate) fn bound(&mut self, time: Duration) {
        self.time = self.time.min(time);
    }

    /// Nothing is learnt before this; at any moment, if that is not known.
    pub(crate) fn until(&mut self, at: Option<Instant>) {
        let left = at.map(|at| at.saturating_duration_since(self.now));
        self.bound(left.unwrap_or_default());
    }

    fn said(&mut self, said: Freshness, at: Instant) {
        self.promised = true;
        self.private |= said.private;
        let age = self.now.saturating_duration_since(at);
        self.bound(said.time.saturating_sub(age));
    }

    /// What is promised.
    pub(crate) fn finish(self) -> Freshness {
        let time = if self.promised { self.time } else { Duration::ZERO };
        Freshness { time, private: self.private }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;
    use vmcp_backend::Freshness;

    use super::Least;

    fn said(seconds: u64, private: bool) -> Freshness {
        Freshness { time: Duration::from_secs(seconds), private }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_of_the_shortest_is_promised() {
        let at = Instant::now();
        tokio::time::advance(Duration::from_secs(4)).await;
        let mut least = Least::new(false);
        assert_eq!(least.finish(), said(0, false), "nobody said anything");
        least.said(said(10, false), at);
        assert_eq!(least.finish(), said(6, false));
        least.said(said(7, true), at);
        assert_eq!(least.finish(), said(3, true));
        least.until(Some(Instant::now() + Duration::from_secs(2)));
        assert_eq!(least.finish(), said(2, true));
        least.said(said(3, false), at);
        assert_eq!(least.finish(), said(0, true), "it ran out a second ago");
        let mut least = Least::new(true);
        least.said(said(10, false), at);
        assert_eq!(least.finish(), said(6, true), "it depends on who asks");
        least.until(None);
        assert_eq!(least.finish(), said(0, true));
    }
}
