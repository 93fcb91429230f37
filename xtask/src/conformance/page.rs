//! The results as a page. Nothing on it depends on the machine or the day, so a run that changes nothing leaves it as
//! it is.

use std::fmt::Write;

use anyhow::Result;

use super::compare::Comparison;
use super::expected::Expected;
use super::gaps::{Gaps, Kind};
use super::matrix::{Cell, Peer};

/// Everything that goes on the page.
pub(super) struct Page<'a> {
    /// The version of the suite.
    pub suite: &'a str,
    /// Every cell of the matrix.
    pub results: &'a [(Cell, Comparison)],
    pub gaps: &'a Gaps,
}

// === impl Page ===

impl Page<'_> {
    /// The page in Markdown.
    pub(super) fn text(&self) -> Result<String> {
        let mut text = String::new();
        writeln!(text, "# Conformance\n")?;
        writeln!(text, "Written by `cargo xtask conformance`; do not edit.\n")?;
        writeln!(
            text,
            "The official suite (`@modelcontextprotocol/conformance` {}) runs against a backend that has every \
             fixture it asks for, and then through vmcp in front of that backend. A check that passes direct and not \
             through vmcp is lost. The suite plays a client of one revision; the backend is pinned to the revisions \
             with a handshake (`legacy`), to the stateless one (`modern`), or speaks both. So two of the three cells \
             of a row have the two sides speak the same, and one has vmcp translate. Each row has one direct run, \
             against the backend that speaks both.\n",
            self.suite
        )?;
        self.cells(&mut text)?;
        writeln!(text, "\n## Without meaning\n")?;
        writeln!(
            text,
            "Checks that ask for what one side of the cell does not have. The list is part of the tree, in \
             `xtask/assets/conformance/server-gaps.txt`; a check that is lost and not listed fails the run, and so \
             does a line of which nothing is lost.\n"
        )?;
        text.push_str(&listed(self.gaps, Kind::Excluded)?);
        writeln!(text, "\n## Known losses\n")?;
        writeln!(text, "Checks that vmcp owes.\n")?;
        text.push_str(&listed(self.gaps, Kind::Lost)?);
        writeln!(text, "\n## As a client\n")?;
        writeln!(
            text,
            "The suite's scenarios for clients run against the session that speaks to backends. All of them pass \
             but these:\n"
        )?;
        text.push_str(&owed(&Expected::read()?)?);
        writeln!(text, "\n## Again\n")?;
        writeln!(
            text,
            "```sh\ncargo xtask conformance                          # the matrix, and this page\n\
             cargo xtask conformance --cell 2026-07-28        # one row\n\
             cargo xtask conformance --cell 2026-07-28:legacy # one cell\n\
             cargo xtask conformance --client                 # the scenarios for clients\n```"
        )?;
        Ok(text)
    }

    fn cells(&self, text: &mut String) -> Result<()> {
        writeln!(
            text,
            "| client | backend | pass direct | pass through vmcp | without meaning | known losses |\n\
             | --- | --- | ---: | ---: | ---: | ---: |"
        )?;
        for (cell, found) in self.results {
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                cell.revision,
                told(cell.peer),
                found.direct(),
                found.passed(),
                found.known(Kind::Excluded),
                found.known(Kind::Lost),
            )?;
        }
        Ok(())
    }
}

/// The gaps of one kind as a table.
fn listed(gaps: &Gaps, kind: Kind) -> Result<String> {
    let mut text = String::new();
    for gap in gaps.all(kind) {
        if text.is_empty() {
            text.push_str("| client | backend | scenario | reason |\n| --- | --- | --- | --- |\n");
        }
        let (revision, peer) = (gap.cell.revision, told(gap.cell.peer));
        writeln!(text, "| {revision} | {peer} | `{}` | {} |", gap.name(), gap.reason)?;
    }
    if text.is_empty() {
        text.push_str("None.\n");
    }
    Ok(text)
}

/// The scenarios for clients that do not pass.
fn owed(expected: &Expected) -> Result<String> {
    let mut text = "| scenario | reason |\n| --- | --- |\n".to_owned();
    for (scenario, reason) in expected.gaps() {
        writeln!(text, "| `{scenario}` | {reason} |")?;
    }
    Ok(text)
}

fn told(peer: Peer) -> &'static str {
    match peer {
        Peer::Legacy => "legacy",
        Peer::Modern => "modern",
        Peer::Both => "legacy and modern",
    }
}

#[cfg(test)]
mod tests {
    use super::super::PAGE;
    use super::super::expected::Expected;
    use super::super::gaps::{Gaps, Kind};
    use super::{listed, owed};
    use crate::workspace;

    #[test]
    fn the_page_in_the_tree_has_the_gaps_of_the_lists() -> anyhow::Result<()> {
        let page = std::fs::read_to_string(workspace::root().join(PAGE))?;
        let gaps = Gaps::read()?;
        let tables = [listed(&gaps, Kind::Excluded)?, listed(&gaps, Kind::Lost)?];
        for table in tables.iter().chain([&owed(&Expected::read()?)?]) {
            assert!(
                page.contains(table.as_str()),
                "run `cargo xtask conformance`; missing:\n{table}"
            );
        }
        Ok(())
    }
}
