//! A non-deterministic automaton over bytes, simulated without backtracking.

/// Steps in a row, each of which may be skippable or repeatable.
#[derive(Debug, Clone, Default)]
pub(super) struct Automaton {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Exactly this byte.
    Byte(u8),
    /// Any number of bytes that are not in the set.
    Run(Set),
    /// Either the next so many steps, or none of them.
    Optional(usize),
    /// Back by so many steps, or on.
    Again(usize),
}

/// The bytes that end a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set(Option<u8>);

impl Set {
    pub(super) const NOTHING: Self = Self(None);
    pub(super) const SLASH: Self = Self(Some(b'/'));
    pub(super) const HASH: Self = Self(Some(b'#'));

    pub(super) fn has(self, byte: u8) -> bool {
        self.0 == Some(byte)
    }
}

impl Automaton {
    pub(super) fn byte(&mut self, byte: u8) {
        self.steps.push(Step::Byte(byte));
    }

    pub(super) fn run(&mut self, stops: Set) {
        self.steps.push(Step::Run(stops));
    }

    /// `first` and a run, or nothing.
    pub(super) fn optional(&mut self, first: u8, stops: Set) {
        self.steps.extend([Step::Optional(2), Step::Byte(first), Step::Run(stops)]);
    }

    /// `first` and a run, any number of times.
    pub(super) fn repeated(&mut self, first: u8, stops: Set) {
        self.steps.extend([Step::Optional(3), Step::Byte(first), Step::Run(stops), Step::Again(2)]);
    }

    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let mut now = States::new(self.steps.len());
        let mut next = States::new(self.steps.len());
        self.enter(&mut now, 0);
        for &byte in text {
            next.clear();
            for &at in &now.list {
                match self.steps.get(at) {
                    Some(Step::Byte(wanted)) if *wanted == byte => self.enter(&mut next, at + 1),
                    Some(Step::Run(stops)) if !stops.has(byte) => self.enter(&mut next, at),
                    _ => {}
                }
            }
            if next.list.is_empty() {
                return false;
            }
            std::mem::swap(&mut now, &mut next);
        }
        now.seen[self.steps.len()]
    }

    /// Adds a state and all that can be reached from it without a byte.
    fn enter(&self, states: &mut States, at: usize) {
        states.pending.push(at);
        while let Some(at) = states.pending.pop() {
            if std::mem::replace(&mut states.seen[at], true) {
                continue;
            }
            states.list.push(at);
            match self.steps.get(at) {
                Some(Step::Run(_)) => states.pending.push(at + 1),
                Some(Step::Optional(length)) => states.pending.extend([at + 1, at + 1 + length]),
                Some(Step::Again(length)) => states.pending.extend([at - length, at + 1]),
                Some(Step::Byte(_)) | None => {}
            }
        }
    }
}

/// A set of states, in order of arrival.
struct States {
    list: Vec<usize>,
    seen: Vec<bool>,
    /// States that are still to be added; empty between calls.
    pending: Vec<usize>,
}

impl States {
    fn new(steps: usize) -> Self {
        Self {
            list: Vec::with_capacity(steps + 1),
            seen: vec![false; steps + 1],
            pending: Vec::new(),
        }
    }

    fn clear(&mut self) {
        for at in self.list.drain(..) {
            self.seen[at] = false;
        }
    }
}
