//! What is on record: `CASE STAGE INSTRUCTIONS`, one of each in a line, so that a diff tells which stage changed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Counts;

const FILE: &str = "xtask/assets/instructions.txt";
const HEAD: &str = "\
# Instructions of vmcp for one call, by case and stage. Counted by `cargo xtask bench --instructions --accept`;
# `cargo xtask bench --instructions` fails if a case takes more.
";

/// The record.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Record(Counts);

impl Record {
    /// What was counted, to the instruction.
    pub(super) fn of(counts: &Counts) -> Self {
        let round = |stages: &BTreeMap<String, f64>| {
            let rounded = stages.iter().map(|(stage, cost)| (stage.clone(), cost.round()));
            rounded.filter(|(_, cost)| *cost > 0.0).collect()
        };
        Self(counts.iter().map(|(case, stages)| (case.clone(), round(stages))).collect())
    }

    /// Reads the file.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let path = root.join(FILE);
        Self::parse(&fs::read_to_string(&path).with_context(|| path.display().to_string())?)
    }

    /// Writes the file.
    pub(super) fn write(&self, root: &Path) -> Result<()> {
        let path = root.join(FILE);
        fs::write(&path, self.text()?).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let mut counts = Counts::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let parts = line.split_once('\t').and_then(|(case, rest)| {
                let (stage, cost) = rest.split_once('\t')?;
                Some((case, stage, cost.parse().ok()?))
            });
            let (case, stage, cost) = parts.with_context(|| format!("{FILE}: {line}"))?;
            counts.entry(case.to_owned()).or_default().insert(stage.to_owned(), cost);
        }
        Ok(Self(counts))
    }

    fn text(&self) -> Result<String> {
        let mut text = HEAD.to_owned();
        for (case, stages) in &self.0 {
            for (stage, cost) in stages {
                writeln!(text, "{case}\t{stage}\t{cost:.0}")?;
            }
        }
        Ok(text)
    }

    /// All of a case; `None` if it is not there.
    pub(super) fn total(&self, case: &str) -> Option<f64> {
        self.0.get(case).map(|stages| stages.values().sum())
    }

    /// The stages of a case that changed, those that changed most first: name, before, now.
    pub(super) fn changes(
        &self,
        case: &str,
        now: &BTreeMap<String, f64>,
    ) -> Vec<(String, f64, f64)> {
        let none = BTreeMap::new();
        let before = self.0.get(case).unwrap_or(&none);
        let cost = |of: &BTreeMap<String, f64>, stage| of.get(stage).copied().unwrap_or_default();
        let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
        names.sort();
        names.dedup();
        let mut changes: Vec<(String, f64, f64)> = names
            .into_iter()
            .map(|stage| (stage.clone(), cost(before, stage), cost(now, stage)))
            .filter(|(_, before, now)| (before - now).abs() >= 1.0)
            .collect();
        changes.sort_by(|a, b| (b.1 - b.2).abs().total_cmp(&(a.1 - a.2).abs()));
        changes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Counts, Record};

    fn counts() -> Counts {
        let stages = [("edge: front".to_owned(), 10.4), ("lib: hyper".to_owned(), 20.0)];
        Counts::from([("json-call".to_owned(), BTreeMap::from(stages))])
    }

    #[test]
    fn what_is_written_is_read() {
        let record = Record::of(&counts());
        assert_eq!(Record::parse(&record.text().unwrap()).unwrap(), record);
        assert_eq!(record.total("json-call"), Some(30.0));
        assert_eq!(record.total("other"), None);
        assert!(Record::parse("json-call hyper 5").is_err());
    }

    #[test]
    fn the_largest_change_stands_first() {
        let now = BTreeMap::from([("lib: hyper".to_owned(), 21.0), ("wire: scan".to_owned(), 7.0)]);
        let changes = Record::of(&counts()).changes("json-call", &now);
        let expected =
            [("edge: front", 10.0, 0.0), ("wire: scan", 0.0, 7.0), ("lib: hyper", 20.0, 21.0)];
        let found: Vec<(&str, f64, f64)> =
            changes.iter().map(|(stage, before, now)| (stage.as_str(), *before, *now)).collect();
        assert_eq!(found, expected);
    }
}
