//! Two runs of the suite, check by check.
//!
//! A check is named by its scenario, its id, and its rank: ids repeat inside a scenario, so the occurrences
//! of one id are set against each other from the worst to the best, and one that is missing is lost.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::gaps::{Gap, Kind};

/// How a check ended, from best to worst.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Success,
    Skipped,
    Warning,
    Failure,
    /// A remark, not a check.
    Info,
}

/// One entry of a `checks.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check {
    pub id: String,
    pub status: Status,
    pub error_message: Option<String>,
}

/// How often and how a check id ended in one scenario.
#[derive(Default)]
struct Ends {
    statuses: Vec<Status>,
    /// What the suite said about the worst of them.
    message: String,
}

/// The checks of one run by scenario and id.
#[derive(Default)]
pub(super) struct Run(BTreeMap<String, BTreeMap<String, Ends>>);

/// Reads the results that the suite left in `folder`.
pub(super) fn read(folder: &Path) -> Result<Run> {
    let mut run = Run::default();
    let entries =
        fs::read_dir(folder).with_context(|| format!("no results in {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let checks = entry.path().join("checks.json");
        // A scenario that was cut off has none.
        let text = if checks.is_file() { fs::read_to_string(checks)? } else { "[]".to_owned() };
        run.add(scenario(&entry.file_name().to_string_lossy()), &text)?;
    }
    Ok(run)
}

/// `server-NAME-2025-01-02T03-04-05-678Z` is a run of NAME, with or without `server-`.
pub(super) fn scenario(folder: &str) -> &str {
    const STAMP: usize = "-2025-01-02T03-04-05-678Z".len();
    let name = folder.strip_prefix("server-").unwrap_or(folder);
    let cut = name.len().checked_sub(STAMP).filter(|_| name.ends_with('Z'));
    cut.and_then(|cut| name.get(..cut)).unwrap_or(name)
}

impl Run {
    fn add(&mut self, scenario: &str, checks: &str) -> Result<()> {
        let checks: Vec<Check> = serde_json::from_str(checks).context(scenario.to_owned())?;
        let ids = self.0.entry(scenario.to_owned()).or_default();
        for check in checks.into_iter().filter(|check| check.status != Status::Info) {
            let ends = ids.entry(check.id).or_default();
            if ends.statuses.iter().all(|status| *status <= check.status) {
                ends.message = check.error_message.unwrap_or_default();
            }
            ends.statuses.push(check.status);
        }
        for ends in ids.values_mut() {
            ends.statuses.sort_by(|a, b| b.cmp(a));
        }
        Ok(())
    }

    /// Checks that passed.
    pub(super) fn passed(&self) -> usize {
        let statuses = self.0.values().flat_map(BTreeMap::values).flat_map(|ends| &ends.statuses);
        statuses.filter(|status| **status == Status::Success).count()
    }

    /// Checks that did not pass, and were not skipped either.
    pub(super) fn failed(&self) -> Vec<String> {
        let mut failed = Vec::new();
        for (scenario, ids) in &self.0 {
            if ids.is_empty() {
                failed.push(format!("{scenario} (nothing was checked)"));
            }
            let bad = |ends: &Ends| ends.statuses.iter().any(|status| *status > Status::Skipped);
            let ids = ids.iter().filter(|(_, ends)| bad(ends));
            failed.extend(ids.map(|(id, ends)| format!("{scenario}:{id} ({})", ends.message)));
        }
        failed
    }

    fn ends(&self, scenario: &str, id: &str) -> Option<&Ends> {
        self.0.get(scenario)?.get(id)
    }
}

/// One scenario in both runs.
#[derive(Default)]
struct Row {
    scenario: String,
    /// Checks that passed direct.
    direct: usize,
    /// Those of them that pass through vmcp.
    kept: usize,
    /// Checks that did not pass direct.
    other: usize,
    /// The lost ones that no gap names: id, how it ended instead, what was said.
    lost: Vec<String>,
    /// The lost ones that one does.
    known: Vec<(Kind, String)>,
}

/// What became of every check.
pub(super) struct Comparison {
    rows: Vec<Row>,
    /// Gaps of which nothing is lost.
    stale: Vec<String>,
}

impl Comparison {
    /// Sets a run through vmcp against the direct one.
    pub(super) fn new(direct: &Run, through: &Run, gaps: &[&Gap]) -> Self {
        let mut open = vec![false; gaps.len()];
        let mut rows = Vec::new();
        for (scenario, ids) in &direct.0 {
            let mut row = Row { scenario: scenario.clone(), ..Row::default() };
            for (id, ends) in ids {
                let gap = gaps.iter().position(|gap| gap.names(scenario, id));
                let kind = gap.and_then(|at| gaps.get(at)).map(|gap| gap.kind);
                let before = row.known.len();
                row.count(id, ends, through.ends(scenario, id), kind);
                if let Some(open) = gap.and_then(|at| open.get_mut(at)) {
                    *open |= row.known.len() > before;
                }
            }
            rows.push(row);
        }
        let stale = gaps.iter().zip(open).filter(|(_, open)| !open);
        Self { rows, stale: stale.map(|(gap, _)| gap.name()).collect() }
    }

    /// Checks that passed direct.
    pub(super) fn direct(&self) -> usize {
        self.rows.iter().map(|row| row.direct).sum()
    }

    /// Checks that passed in both runs.
    pub(super) fn passed(&self) -> usize {
        self.rows.iter().map(|row| row.kept).sum()
    }

    /// What is not as the list of gaps says: checks that are lost, gaps that are closed.
    pub(super) fn failed(&self) -> usize {
        self.rows.iter().map(|row| row.lost.len()).sum::<usize>() + self.stale.len()
    }

    /// Checks that passed direct only, and that the list names as of this kind.
    pub(super) fn known(&self, kind: Kind) -> usize {
        let known = self.rows.iter().flat_map(|row| &row.known);
        known.filter(|(own, _)| *own == kind).count()
    }

    /// Checks that say nothing about what stands in the middle: they did not pass direct.
    pub(super) fn other(&self) -> usize {
        self.rows.iter().map(|row| row.other).sum()
    }
}

impl Row {
    fn count(&mut self, id: &str, direct: &Ends, through: Option<&Ends>, gap: Option<Kind>) {
        for (rank, status) in direct.statuses.iter().enumerate() {
            let after = through.and_then(|ends| ends.statuses.get(rank));
            if *status != Status::Success {
                self.other += 1;
                continue;
            }
            self.direct += 1;
            let lost = match after {
                Some(Status::Success) => {
                    self.kept += 1;
                    continue;
                }
                Some(status) => {
                    let message = through.map_or("", |ends| ends.message.as_str());
                    format!("{id}: {status:?}: {message}")
                }
                None => format!("{id}: missing"),
            };
            match gap {
                Some(kind) => self.known.push((kind, lost)),
                None => self.lost.push(lost),
            }
        }
    }
}

/// The scenarios of which something is lost, and the gaps that are none.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            if row.lost.is_empty() && row.known.is_empty() {
                continue;
            }
            writeln!(f, "  {}: {} of {}", row.scenario, row.kept, row.direct)?;
            for lost in &row.lost {
                writeln!(f, "    LOST {lost}")?;
            }
            for (kind, lost) in &row.known {
                let kind = match kind {
                    Kind::Excluded => "excluded",
                    Kind::Lost => "known loss",
                };
                writeln!(f, "    {kind} {lost}")?;
            }
        }
        for gap in &self.stale {
            writeln!(f, "  STALE {gap}: nothing of it is lost, so it is no gap")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::gaps::{Gaps, Kind};
    use super::super::matrix::Cell;
    use super::{Comparison, Run, scenario};

    fn run(checks: &[(&str, &str)]) -> Run {
        let mut run = Run::default();
        let checks: Vec<String> = checks
            .iter()
            .map(|(id, status)| {
                format!(r#"{{"id":"{id}","status":"{status}","errorMessage":"why"}}"#)
            })
            .collect();
        run.add("s", &format!("[{}]", checks.join(","))).unwrap();
        run
    }

    fn compare(gaps: &str, direct: &[(&str, &str)], through: &[(&str, &str)]) -> Comparison {
        let gaps = Gaps::parse(gaps).unwrap();
        let gaps = gaps.of(Cell::parse("2025-11-25", "modern").unwrap());
        Comparison::new(&run(direct), &run(through), &gaps)
    }

    /// `expected`: what passed, failed, and did not pass direct.
    #[track_caller]
    fn check(
        direct: &[(&str, &str)],
        through: &[(&str, &str)],
        expected: (usize, usize, usize),
        shown: &str,
    ) {
        let found = compare("", direct, through);
        assert_eq!((found.passed(), found.failed(), found.other()), expected, "{found}");
        assert_eq!(found.to_string(), shown);
    }

    #[test]
    fn a_folder_is_named_by_scenario_and_time() {
        assert_eq!(
            scenario("server-server-initialize-2026-11-24T06-03-25-061Z"),
            "server-initialize"
        );
        assert_eq!(scenario("ping"), "ping");
    }

    #[test]
    fn what_passes_twice_is_kept() {
        check(&[("a", "SUCCESS"), ("b", "INFO")], &[("a", "SUCCESS")], (1, 0, 0), "");
    }

    #[test]
    fn what_passes_direct_only_is_lost_and_so_is_what_is_missing() {
        check(
            &[("a", "SUCCESS"), ("b", "SUCCESS"), ("c", "SUCCESS")],
            &[("a", "FAILURE"), ("b", "SKIPPED")],
            (0, 3, 0),
            "  s: 0 of 3\n    LOST a: Failure: why\n    LOST b: Skipped: why\n    LOST c: missing\n",
        );
    }

    #[test]
    fn what_fails_direct_does_not_count() {
        check(&[("a", "FAILURE"), ("b", "WARNING")], &[("b", "FAILURE")], (0, 0, 2), "");
    }

    #[test]
    fn occurrences_of_an_id_are_compared_from_the_worst() {
        let (good, bad) = (("a", "SUCCESS"), ("a", "FAILURE"));
        check(&[good, bad], &[bad, good], (1, 0, 1), "");
        check(&[good, good], &[good, bad], (1, 1, 0), "  s: 1 of 2\n    LOST a: Failure: why\n");
    }

    #[test]
    fn a_loss_that_the_list_names_is_shown_and_does_not_fail() {
        let list = "lost 2025-11-25 modern s:b: owed\nexcluded 2025-11-25 modern s:c: no meaning\n";
        let good = [("a", "SUCCESS"), ("b", "SUCCESS"), ("c", "SUCCESS")];
        let found = compare(list, &good, &[("a", "SUCCESS"), ("b", "FAILURE")]);
        assert_eq!((found.direct(), found.passed(), found.failed()), (3, 1, 0));
        assert_eq!((found.known(Kind::Lost), found.known(Kind::Excluded)), (1, 1));
        let shown = found.to_string();
        assert!(shown.contains("known loss b: Failure: why"), "{shown}");
        assert!(shown.contains("excluded c: missing"), "{shown}");
    }

    #[test]
    fn a_gap_of_which_nothing_is_lost_fails() {
        let list = "lost 2025-11-25 modern s: owed\nexcluded 2025-11-25 modern t: no meaning\n\
                    lost 2025-11-25 legacy s: another cell\n";
        let found = compare(list, &[("a", "SUCCESS")], &[("a", "SUCCESS")]);
        assert_eq!((found.passed(), found.failed()), (1, 2));
        let shown = found.to_string();
        assert!(shown.contains("STALE s:") && shown.contains("STALE t:"), "{shown}");
    }
}
