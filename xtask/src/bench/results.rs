//! What is known by now: one section for each case, from whichever run measured it last.
//!
//! The file beside the page is what the page is written from, so that a run of one case leaves the others as they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::spread::Spread;

/// Where the measurements are kept.
const FILE: &str = "docs/performance.json";

/// All sections by the name of their case.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Results {
    /// As measured.
    pub sections: BTreeMap<String, Section>,
}

/// What one case found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Section {
    /// Where and of what it was measured.
    #[serde(default)]
    pub run: Run,
    /// What the numbers mean.
    pub about: String,
    /// Tables in their order.
    pub tables: Vec<Table>,
    /// What was aimed at, and what came out.
    pub targets: Vec<Target>,
}

/// Where, of what and how a section was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    /// The commit, with a mark if the tree differed from it.
    pub commit: String,
    /// How it was run.
    pub command: String,
    /// The processor, cores and memory.
    pub machine: String,
    /// The kernel and the compiler.
    pub system: String,
}

/// One table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Table {
    /// What is said before it, may be empty.
    pub about: String,
    /// The head; the first column is text, the others numbers.
    pub head: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Without rows yet.
    pub(super) fn new(about: &str, head: &[&str]) -> Self {
        let head = head.iter().map(|&word| word.to_owned()).collect();
        Self { about: about.to_owned(), head, rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }
}

/// In which direction a bound holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Direction {
    /// At most so much.
    AtMost,
    /// At least so much.
    AtLeast,
}

/// One thing that is aimed at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Target {
    /// What is measured.
    pub what: String,
    /// How it is compared.
    pub direction: Direction,
    /// What it is compared with.
    pub bound: f64,
    /// What stands behind the number: `x`, ` ms`, ` KiB`.
    pub unit: String,
    /// What came out. `None` if it could not be measured.
    pub value: Option<Spread>,
    /// Why not, or what to know about it; may be empty.
    #[serde(default)]
    pub note: String,
}

impl Target {
    /// At most `bound`.
    pub(super) fn at_most(what: impl Into<String>, bound: f64, unit: &str, value: Spread) -> Self {
        Self::new(what.into(), Direction::AtMost, bound, unit, Some(value))
    }

    /// At least `bound`.
    pub(super) fn at_least(what: impl Into<String>, bound: f64, unit: &str, value: Spread) -> Self {
        Self::new(what.into(), Direction::AtLeast, bound, unit, Some(value))
    }

    /// Something that this build or machine cannot show.
    pub(super) fn open(
        what: &str,
        direction: Direction,
        bound: f64,
        unit: &str,
        why: &str,
    ) -> Self {
        let note = why.to_owned();
        Self { note, ..Self::new(what.to_owned(), direction, bound, unit, None) }
    }

    fn new(
        what: String,
        direction: Direction,
        bound: f64,
        unit: &str,
        value: Option<Spread>,
    ) -> Self {
        // A run without any round that counts has shown nothing.
        let value = value.filter(|value| value.median.is_finite());
        Self { what, direction, bound, unit: unit.to_owned(), value, note: String::new() }
    }

    /// With something to know about it.
    pub(super) fn noted(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Whether the median keeps the bound.
    pub(super) fn verdict(&self) -> &'static str {
        match (self.value, self.direction) {
            (None, _) => "not measured",
            (Some(value), Direction::AtMost) if value.median <= self.bound => "met",
            (Some(value), Direction::AtLeast) if value.median >= self.bound => "met",
            (Some(_), _) => "missed",
        }
    }
}

impl Results {
    /// What stands in the file; nothing if there is none.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let path = path(root);
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).with_context(|| path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Writes the file.
    pub(super) fn write(&self, root: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path(root), text).with_context(|| path(root).display().to_string())
    }
}

fn path(root: &Path) -> PathBuf {
    root.join(FILE)
}

impl Run {
    /// This run on this machine.
    pub(super) fn here(root: &Path, command: String) -> Self {
        let said = |program: &str, arguments: &[&str]| said(root, program, arguments);
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        // The page and its file are written by a run: they do not change what is measured.
        let changed =
            said("git", &["status", "--porcelain", "--", "crates", "xtask", "Cargo.lock"]);
        let mark = if changed.is_empty() { "" } else { " and changes" };
        Self {
            commit: said("git", &["rev-parse", "--short=12", "HEAD"]) + mark,
            command,
            machine: format!("{}, {cores} cores, {}", processor(), memory()),
            system: format!("Linux {}, {}", said("uname", &["-r"]), said("rustc", &["--version"])),
        }
    }
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    field(&text, "model name").unwrap_or("unknown processor").to_owned()
}

fn memory() -> String {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib =
        field(&text, "MemTotal").and_then(|value| value.split(' ').next()?.parse::<u64>().ok());
    kib.map_or("unknown memory".to_owned(), |kib| format!("{} GiB", (kib + (1 << 19)) >> 20))
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then_some(value.trim())
    })
}

/// The first line that a program answers, empty without one.
fn said(root: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root).output().ok();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.and_then(|text| Some(text.lines().next()?.to_owned())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Direction, Spread, Target};

    #[test]
    fn the_median_decides() {
        let value = Spread { least: 1.0, median: 1.3, most: 9.0 };
        assert_eq!(Target::at_most("a", 1.3, "x", value).verdict(), "met");
        assert_eq!(Target::at_most("a", 1.2, "x", value).verdict(), "missed");
        assert_eq!(Target::at_least("a", 1.3, "x", value).verdict(), "met");
        assert_eq!(Target::at_least("a", 1.4, "x", value).verdict(), "missed");
        assert_eq!(Target::open("a", Direction::AtLeast, 1.0, "x", "no").verdict(), "not measured");
        assert_eq!(Target::at_most("a", 1.0, "x", Spread::of([])).verdict(), "not measured");
    }
}
