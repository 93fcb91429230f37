//! What was found out about one target: how it wants to be met, and what its tools want to see in headers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;
use vmcp_wire::Object;
use vmcp_wire::header::ParamHeaders;
use vmcp_wire::revision::Protocol;

/// How long silence counts as a no, and a no to the question what it is: it may be replaced by something newer, and who
/// keeps nothing between requests would never hear of that.
const NO: Duration = Duration::from_secs(5 * 60);
/// How much longer it may take after a handshake was refused: then it is likely that it knows the question.
const LONGER: u32 = 4;
/// Tools remembered at most; more than that, and all are forgotten.
const MAX_TOOLS: usize = 10_000;

/// What was found out about one target.
#[derive(Debug, Default)]
pub(crate) struct Known {
    facts: Mutex<Facts>,
    /// Held by whoever finds out first.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// The tools that want some of their arguments in headers. Held to look one up, or to note a list.
    annotated: Mutex<HashMap<Box<str>, Arc<ParamHeaders>>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Facts {
    handshake: Option<bool>,
    stateless: Option<bool>,
    /// Until when that it is not is believed.
    until: Option<Instant>,
    /// It did not even say so.
    silent: bool,
}

/// A way to meet a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A session, opened by a handshake.
    Handshake,
    /// No session; the backend is asked what it is.
    Stateless,
}

/// How long an answer may take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// As long as opening may.
    Whole,
    /// So long.
    Short(Duration),
}

/// The ways to try, in this order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) first: Way,
    pub(crate) second: Option<Way>,
    /// Nothing is known yet that decides.
    pub(crate) open: bool,
    /// There might be another way, but nobody wants it.
    strict: bool,
}

// === impl Known ===

impl Known {
    /// How to meet it for a client that has a session, or none. Where a backend can do both, the client decides.
    pub(crate) fn plan(&self, protocol: Protocol, stateless_client: bool) -> Plan {
        let only = |first| Plan { first, second: None, open: false, strict: false };
        match (protocol.allows_handshake(), protocol.allows_stateless()) {
            (_, false) => return only(Way::Handshake),
            (false, true) => return only(Way::Stateless),
            (true, true) => {}
        }
        let facts = self.facts();
        let stateless_first = match stateless_client {
            true => facts.stateless != Some(false),
            false => facts.handshake == Some(false),
        };
        match stateless_first {
            true => Plan {
                first: Way::Stateless,
                second: Some(Way::Handshake),
                open: facts.stateless.is_none(),
                strict: false,
            },
            false => Plan {
                first: Way::Handshake,
                second: Some(Way::Stateless),
                open: false,
                strict: false,
            },
        }
    }

    /// How to meet it in the client's own way and in no other; `None` if that is not allowed, or known not to work.
    pub(crate) fn strict_plan(&self, protocol: Protocol, stateless_client: bool) -> Option<Plan> {
        let facts = self.facts();
        let (first, allowed, works) = match stateless_client {
            true => (Way::Stateless, protocol.allows_stateless(), facts.stateless),
            false => (Way::Handshake, protocol.allows_handshake(), facts.handshake),
        };
        let open = stateless_client && works.is_none();
        let strict = protocol.allows_handshake() && protocol.allows_stateless();
        (allowed && works != Some(false)).then_some(Plan { first, second: None, open, strict })
    }

    /// How long the answer of one that is asked what it is may take. Most that do not know the question say so at once;
    /// some never answer, and get no longer than `short`. One that only `starts` now and is offered nothing else gets
    /// longer, since nothing shows whether it heard the question.
    pub(crate) fn patience(&self, plan: &Plan, short: Duration, starts: bool) -> Patience {
        match (plan.first, plan.second) {
            (_, None) if !plan.strict => Patience::Whole,
            _ if self.facts().stateless == Some(true) => Patience::Whole,
            (Way::Stateless, _) if plan.strict && starts => Patience::Short(short * LONGER),
            (Way::Stateless, _) => Patience::Short(short),
            (Way::Handshake, _) => Patience::Short(short * LONGER),
        }
    }

    /// This way worked, or was refused.
    pub(crate) fn note(&self, way: Way, works: bool) {
        let mut facts = self.facts.lock();
        match way {
            Way::Handshake => facts.handshake = Some(works),
            Way::Stateless => {
                let until = (!works).then(|| Instant::now() + NO);
                (facts.stateless, facts.until, facts.silent) = (Some(works), until, false);
            }
        }
    }

    /// It did not say in time what it is.
    pub(crate) fn note_silence(&self) {
        let mut facts = self.facts.lock();
        facts.until = Some(Instant::now() + NO);
        (facts.stateless, facts.silent) = (Some(false), true);
    }

    /// It may be another by now: what it refused is worth another try. Its silence still counts as long as ever.
    pub(crate) fn forget_refusals(&self) {
        let mut facts = self.facts.lock();
        if facts.handshake == Some(false) {
            facts.handshake = None;
        }
        if facts.stateless == Some(false) && !facts.silent {
            (facts.stateless, facts.until) = (None, None);
        }
    }

    /// Notes which arguments a listed tool wants in headers.
    pub(crate) fn note_tool(&self, tool: &Bytes, headers: ParamHeaders) {
        let mut annotated = self.annotated.lock();
        // Most backends have no such tool at all.
        if headers.is_empty() && annotated.is_empty() {
            return;
        }
        let name = Object::parse(tool).ok().and_then(|tool| tool.get("name"));
        let Some(name) = name.and_then(|name| name.as_str()) else { return };
        if headers.is_empty() {
            annotated.remove(name.as_ref());
            return;
        }
        if annotated.len() >= MAX_TOOLS {
            annotated.clear();
        }
        annotated.insert(name.into(), Arc::new(headers));
    }

    /// Which arguments of a call with these params its tool wants in headers.
    pub(crate) fn annotated(&self, params: Option<&[u8]>) -> Option<Arc<ParamHeaders>> {
        if self.annotated.lock().is_empty() {
            return None;
        }
        let params = Object::parse(params?).ok()?;
        let name = params.get("name")?.as_str()?;
        self.annotated.lock().get(name.as_ref()).cloned()
    }

    fn facts(&self) -> Facts {
        let mut facts = self.facts.lock();
        if facts.until.is_some_and(|until| until <= Instant::now()) {
            (facts.stateless, facts.until, facts.silent) = (None, None, false);
        }
        *facts
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vmcp_wire::revision::Protocol;

    use super::{Known, NO, Way};

    fn asks(known: &Known) -> bool {
        known.plan(Protocol::Auto, true).first == Way::Stateless
    }

    #[tokio::test(start_paused = true)]
    async fn a_no_and_silence_are_believed_for_a_while() {
        for silent in [false, true] {
            let known = Known::default();
            assert!(asks(&known) && known.strict_plan(Protocol::Auto, true).is_some());
            match silent {
                true => known.note_silence(),
                false => known.note(Way::Stateless, false),
            }
            tokio::time::advance(NO - Duration::from_millis(1)).await;
            assert!(!asks(&known) && known.strict_plan(Protocol::Auto, true).is_none());
            // That it may be another is no reason to wait for silence again.
            known.forget_refusals();
            assert_eq!(asks(&known), !silent);
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(asks(&known), "{silent}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_works_is_not_forgotten() {
        let known = Known::default();
        known.note(Way::Stateless, true);
        known.note(Way::Handshake, false);
        tokio::time::advance(10 * NO).await;
        let plan = known.plan(Protocol::Auto, false);
        assert_eq!((plan.first, plan.open), (Way::Stateless, false));
        known.forget_refusals();
        assert_eq!(known.plan(Protocol::Auto, false).first, Way::Handshake);
        assert!(asks(&known));
    }
}
