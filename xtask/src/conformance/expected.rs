//! The scenarios for clients that do not pass, each with its reason: nothing fails in silence, and nothing stays
//! on the list that passes by now.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::client::Outcome;

/// One scenario in a line, with the reason behind a colon.
const LIST: &str = include_str!("../../assets/conformance/client-gaps.txt");

/// The list.
#[derive(Debug)]
pub(super) struct Expected(BTreeMap<String, String>);

/// What came of a run.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// One line for each scenario.
    pub lines: Vec<String>,
    /// Scenarios that passed.
    pub passed: usize,
    /// Scenarios that are not as the list says.
    pub failed: usize,
}

impl Expected {
    /// Reads the list that is part of the tree.
    pub(super) fn read() -> Result<Self> {
        Self::parse(LIST)
    }

    fn parse(list: &str) -> Result<Self> {
        let mut gaps = BTreeMap::new();
        let lines = list.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.split_once(": ") {
                Some((scenario, reason)) if !reason.trim().is_empty() => {
                    gaps.insert(scenario.to_owned(), reason.trim().to_owned());
                }
                _ => bail!("`{line}` in the list of gaps has no reason"),
            }
        }
        Ok(Self(gaps))
    }

    /// Every scenario of the list with its reason.
    pub(super) fn gaps(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(scenario, reason)| (scenario.as_str(), reason.as_str()))
    }

    /// Holds what happened against the list.
    pub(super) fn judge(&self, outcomes: &BTreeMap<String, Outcome>) -> Verdict {
        let mut verdict = Verdict::default();
        for (scenario, outcome) in outcomes {
            let line = match (outcome.is_passed(), self.0.get(scenario)) {
                (true, None) => {
                    verdict.passed += 1;
                    format!("passed  {scenario} ({} checks)", outcome.passed)
                }
                (true, Some(_)) => {
                    verdict.failed += 1;
                    format!("FAILED  {scenario}: passes, so it is no gap any more")
                }
                (false, Some(reason)) => format!("gap     {scenario}: {reason}"),
                (false, None) => {
                    verdict.failed += 1;
                    let failed = match &outcome.failed[..] {
                        [] => "nothing was checked".to_owned(),
                        failed => failed.join("; "),
                    };
                    format!("FAILED  {scenario}: {failed}")
                }
            };
            verdict.lines.push(line);
        }
        for scenario in self.0.keys().filter(|scenario| !outcomes.contains_key(*scenario)) {
            verdict.failed += 1;
            verdict.lines.push(format!("FAILED  {scenario}: a gap that did not run"));
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::client::Outcome;
    use super::Expected;

    #[test]
    fn only_what_is_as_the_list_says_is_good() -> anyhow::Result<()> {
        let list = "# why\na/gap: not built\na/stale: not built\na/gone: not built\n";
        let outcome = |passed, failed: &[&str]| Outcome {
            passed,
            failed: failed.iter().map(|id| (*id).to_owned()).collect(),
        };
        let outcomes = BTreeMap::from([
            ("a/fine".to_owned(), outcome(3, &[])),
            ("a/gap".to_owned(), outcome(1, &["token-request"])),
            ("a/stale".to_owned(), outcome(1, &[])),
            ("a/new".to_owned(), outcome(1, &["pkce"])),
            ("a/nobody-came".to_owned(), outcome(0, &[])),
        ]);
        let verdict = Expected::parse(list)?.judge(&outcomes);
        assert_eq!((verdict.passed, verdict.failed), (1, 4));
        let failed: Vec<&String> =
            verdict.lines.iter().filter(|line| line.starts_with("FAILED")).collect();
        for (line, part) in failed.iter().zip(["a/new: pkce", "nobody-came", "a/stale", "a/gone"]) {
            assert!(line.contains(part), "{failed:#?}");
        }
        Ok(())
    }

    #[test]
    fn a_gap_has_a_reason() {
        assert!(Expected::parse("a/gap").is_err());
        assert!(Expected::parse("a/gap: ").is_err());
        assert!(Expected::read().is_ok());
    }
}
