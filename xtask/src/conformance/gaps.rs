//! What does not come through vmcp, each with its reason: nothing is lost in silence, and nothing stays on the list
//! that comes through by now.

use anyhow::{Context, Result, bail};

use super::matrix::Cell;

/// One gap in a line; the file says how.
const LIST: &str = include_str!("../../assets/conformance/server-gaps.txt");

/// Whose matter a gap is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody's: the check has no meaning between this client and this backend.
    Excluded,
    /// Vmcp's.
    Lost,
}

/// A scenario, or one check of it, that is lost in one cell.
#[derive(Debug)]
pub(super) struct Gap {
    pub kind: Kind,
    pub cell: Cell,
    pub scenario: String,
    /// `None`: every check of the scenario.
    pub check: Option<String>,
    pub reason: String,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Gaps(Vec<Gap>);

// === impl Gap ===

impl Gap {
    fn parse(line: &str) -> Result<Self> {
        let (head, reason) = line.split_once(": ").unwrap_or((line, ""));
        let reason = reason.trim();
        if reason.is_empty() {
            bail!("it has no reason");
        }
        let words: Vec<&str> = head.split_whitespace().collect();
        let [kind, revision, peer, name] = words[..] else { bail!("it has not four words") };
        let kind = match kind {
            "excluded" => Kind::Excluded,
            "lost" => Kind::Lost,
            other => bail!("`{other}` is neither `excluded` nor `lost`"),
        };
        let cell = Cell::parse(revision, peer)?;
        let (scenario, check) = match name.split_once(':') {
            Some((scenario, check)) => (scenario, Some(check.to_owned())),
            None => (name, None),
        };
        Ok(Self { kind, cell, scenario: scenario.to_owned(), check, reason: reason.to_owned() })
    }

    /// Whether this is about the check.
    pub(super) fn names(&self, scenario: &str, check: &str) -> bool {
        self.scenario == scenario && self.check.as_deref().is_none_or(|own| own == check)
    }

    /// How the list spells what this is about.
    pub(super) fn name(&self) -> String {
        match &self.check {
            Some(check) => format!("{}:{check}", self.scenario),
            None => self.scenario.clone(),
        }
    }
}

// === impl Gaps ===

impl Gaps {
    /// Reads the list that is part of the tree.
    pub(super) fn read() -> Result<Self> {
        Self::parse(LIST)
    }

    pub(super) fn parse(list: &str) -> Result<Self> {
        let lines = list.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let gaps = lines.map(|line| {
            Gap::parse(line).with_context(|| format!("`{line}` in the list of gaps is no gap"))
        });
        gaps.collect::<Result<_>>().map(Self)
    }

    /// The gaps of one cell.
    pub(super) fn of(&self, cell: Cell) -> Vec<&Gap> {
        self.0.iter().filter(|gap| gap.cell == cell).collect()
    }

    /// The gaps of one kind, in the order of the list.
    pub(super) fn all(&self, kind: Kind) -> impl Iterator<Item = &Gap> {
        self.0.iter().filter(move |gap| gap.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::{Gaps, Kind};

    #[test]
    fn a_gap_says_where_what_and_why() -> anyhow::Result<()> {
        let list = "# why\nexcluded 2025-11-25 modern a: no streams: none\nlost 2026-07-28 legacy a:b: owed\n";
        let gaps = Gaps::parse(list)?;
        let [first, second] = &gaps.0[..] else { anyhow::bail!("{gaps:?}") };
        assert_eq!(
            (first.kind, first.name(), &*first.reason),
            (Kind::Excluded, "a".into(), "no streams: none")
        );
        assert!(first.names("a", "b") && first.names("a", "c") && !first.names("aa", "b"));
        assert_eq!(
            (second.kind, second.name(), &*second.reason),
            (Kind::Lost, "a:b".into(), "owed")
        );
        assert!(second.names("a", "b") && !second.names("a", "c"));
        assert_eq!(gaps.of(first.cell).len(), 1);
        assert_eq!(gaps.all(Kind::Lost).count(), 1);
        Ok(())
    }

    #[test]
    fn a_line_that_is_no_gap_is_an_error() {
        let lines = [
            "lost 2025-11-25 modern a",
            "lost 2025-11-25 modern a: ",
            "lost 2025-11-25 a: why",
            "ignored 2025-11-25 modern a: why",
            "lost 2025-11-26 modern a: why",
            "lost 2025-11-25 none a: why",
        ];
        for line in lines {
            assert!(Gaps::parse(line).is_err(), "{line}");
        }
        assert!(Gaps::read().is_ok());
    }
}
