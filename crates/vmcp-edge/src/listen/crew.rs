//! Who serves the connections.

use tokio::runtime::Handle;

use crate::admit::{Gate, Place};

/// The runtimes that connections are served on: one that was given, whoever has the fewest; else the current one.
pub(crate) struct Crew(Vec<Hand>);

struct Hand {
    runtime: Handle,
    connections: Gate,
}

// === impl Crew ===

impl Crew {
    pub(crate) fn new(runtimes: Vec<Handle>) -> Self {
        let hand = |runtime| Hand { runtime, connections: Gate::new(usize::MAX) };
        Self(runtimes.into_iter().map(hand).collect())
    }

    /// Who takes the next connection, and what counts it there.
    pub(crate) fn next(&self) -> Option<(&Handle, Option<Place>)> {
        let hand = self.0.iter().min_by_key(|hand| hand.connections.taken())?;
        Some((&hand.runtime, hand.connections.enter()))
    }
}

#[cfg(test)]
mod tests {
    use super::Crew;

    #[tokio::test]
    async fn whoever_has_the_fewest_takes_the_next() {
        let runtime = tokio::runtime::Handle::current();
        let crew = Crew::new(vec![runtime.clone(), runtime]);
        let taken = || crew.0.iter().map(|hand| hand.connections.taken()).collect::<Vec<_>>();
        let places: Vec<_> = (0..4).map(|_| crew.next().unwrap().1).collect();
        assert_eq!(taken(), [2, 2]);
        drop(places.into_iter().step_by(2).collect::<Vec<_>>());
        assert_eq!(taken().iter().sum::<usize>(), 0);
        assert!(Crew::new(Vec::new()).next().is_none());
    }
}
