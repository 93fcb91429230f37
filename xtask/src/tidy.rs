//! The conventions of the house as checks: what the compiler and clippy cannot see.
//!
//! Every rule reads a [`Tree`] and adds [`Finding`]s; nothing stops at the first. A rule that cannot be
//! obeyed is changed here, with its reason, in the same commit: there is no way to silence one.

mod architecture;
mod configuration;
mod edges;
mod layout;
mod locks;
mod places;
mod proofs;
mod revisions;
mod size;
mod source;
mod testing;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, bail};

use self::source::Source;
use crate::{say, workspace};

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// The files of the repository, and the Rust among them read once.
struct Tree {
    files: BTreeMap<String, String>,
    sources: Vec<Source>,
}

impl Tree {
    fn new(files: BTreeMap<String, String>) -> Self {
        let sources = files
            .iter()
            .filter(|(path, _)| path.ends_with(".rs"))
            .map(|(path, text)| Source::read(path, text))
            .collect();
        Self { files, sources }
    }
}

/// What one crate amounts to, tests left out.
#[derive(Default)]
pub(crate) struct CrateLines {
    /// The files with production code.
    pub files: usize,
    /// Their production lines.
    pub lines: usize,
    /// The longest of them and its production lines.
    pub longest: (String, usize),
}

/// Counts production lines by crate.
pub(crate) fn production_lines(files: BTreeMap<String, String>) -> BTreeMap<String, CrateLines> {
    let mut counts: BTreeMap<String, CrateLines> = BTreeMap::new();
    for source in Tree::new(files).sources.iter().filter(|source| source.is_production()) {
        let name = source.crate_name().unwrap_or("xtask").to_owned();
        let lines = source.production_lines();
        let entry = counts.entry(name).or_default();
        entry.files += 1;
        entry.lines += lines;
        if lines > entry.longest.1 {
            let file =
                source.path.rsplit_once("/src/").map_or(source.path.as_str(), |(_, file)| file);
            entry.longest = (file.to_owned(), lines);
        }
    }
    counts
}

type Rule = fn(&Tree, &mut Vec<Finding>);

/// The rules that need only the files. [`edges::check`] also needs cargo's word.
const RULES: &[Rule] = &[
    layout::check,
    size::check,
    revisions::check,
    places::check,
    testing::check,
    words::check,
    locks::check,
    configuration::check,
    proofs::check,
];

/// Runs every rule over the work tree; all findings are printed before it fails.
pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let tree = Tree::new(workspace::files(&root)?);
    let packages = workspace::metadata(&root)?.packages;
    let mut findings = Vec::new();
    for rule in RULES {
        rule(&tree, &mut findings);
    }
    let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    architecture::check(&tree, &names, &mut findings);
    edges::check(&root, &packages, &mut findings);
    findings.sort();
    findings.dedup();
    for finding in &findings {
        say::line(finding);
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings", findings.len());
    }
    say::line(format_args!("tidy: {} files, no findings", tree.files.len()));
    Ok(())
}
