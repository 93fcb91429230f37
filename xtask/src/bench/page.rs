//! The page: what was aimed at first, then one section for each case.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::case::{Case, EVERY};
use super::results::{Direction, Results, Run, Section, Table, Target};

/// Where the measurements stand.
const PAGE: &str = "docs/performance.md";

const ABOUT: &str = "\
Written by `cargo xtask bench` from `docs/performance.json`; do not edit either.

One backend, the same for all: a minimal MCP server in its own process that echoes. `direct` has nothing in the middle, \
`nginx` passes the bytes on (two workers, kept connections to the backend), `vmcp` is the release build. A client is one \
session on one kept connection: one handshake, then calls, one after the other. Every reply is compared with the expected \
one to its last byte. Rounds alternate between the targets; numbers are medians, with the smallest and the largest round \
in brackets; a ratio is taken in each round by itself. Load, backend and the process in the middle share the machine: read \
the ratios, not the rates.
";

/// Writes the page.
pub(super) fn write(root: &Path, results: &Results) -> Result<()> {
    let page = root.join(PAGE);
    std::fs::write(&page, text(results)?).with_context(|| page.display().to_string())
}

fn text(results: &Results) -> Result<String> {
    let mut text = format!("# Performance\n\n{ABOUT}\n");
    targets(&mut text, results)?;
    for (case, section) in found(results) {
        write!(text, "\n## {}\n\n", case.title())?;
        text += &section_text(section)?;
    }
    Ok(text)
}

/// The sections in the order of the cases.
fn found(results: &Results) -> impl Iterator<Item = (Case, &Section)> {
    EVERY.iter().filter_map(|case| Some((*case, results.sections.get(case.name())?)))
}

fn targets(text: &mut String, results: &Results) -> Result<()> {
    text.push_str("## Targets\n\n| what | target | measured | |\n| --- | ---: | ---: | --- |\n");
    let mut counts = [0; 2];
    for target in found(results).flat_map(|(_, section)| &section.targets) {
        counts[0] += usize::from(target.verdict() == "met");
        counts[1] += 1;
        let note =
            if target.note.is_empty() { String::new() } else { format!(" ({})", target.note) };
        let verdict = match target.verdict() {
            "met" => "met",
            other => &format!("**{other}**"),
        };
        writeln!(
            text,
            "| {}{note} | {} | {} | {verdict} |",
            target.what,
            goal(target),
            measured(target)
        )?;
    }
    writeln!(text, "\n{} of {} met.", counts[0], counts[1])?;
    Ok(())
}

/// Enough digits for three that count.
fn digits(value: f64) -> usize {
    match value.abs() {
        value if value >= 99.5 || value == 0.0 => 0,
        value if value >= 9.95 => 1,
        value if value >= 0.1 => 2,
        _ => 3,
    }
}

/// `<= 1.3x`.
pub(super) fn goal(target: &Target) -> String {
    let sign = if target.direction == Direction::AtMost { "≤" } else { "≥" };
    let bound = format!("{:.*}", digits(target.bound), target.bound);
    let bound = if bound.contains('.') {
        bound.trim_end_matches('0').trim_end_matches('.')
    } else {
        &bound
    };
    format!("{sign} {bound}{}", target.unit)
}

/// `1.21 (1.15-1.30)x`.
pub(super) fn measured(target: &Target) -> String {
    target.value.map_or("-".to_owned(), |value| {
        format!("{}{}", value.show(digits(value.median)), target.unit)
    })
}

/// A section without its heading.
pub(super) fn section_text(section: &Section) -> Result<String> {
    let mut text = format!("{}\n", section.about);
    for table in &section.tables {
        text.push('\n');
        table_text(&mut text, table)?;
    }
    let Run { commit, command, machine, system } = &section.run;
    if !commit.is_empty() {
        writeln!(text, "\n`{command}` at commit {commit}; {machine}; {system}.")?;
    }
    Ok(text)
}

fn table_text(text: &mut String, table: &Table) -> Result<()> {
    if !table.about.is_empty() {
        writeln!(text, "{}\n", table.about)?;
    }
    let lines: Vec<&str> =
        (0..table.head.len()).map(|column| if column == 0 { "---" } else { "---:" }).collect();
    writeln!(text, "| {} |", table.head.join(" | "))?;
    writeln!(text, "| {} |", lines.join(" | "))?;
    for row in &table.rows {
        writeln!(text, "| {} |", row.join(" | "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{goal, measured, section_text, text};
    use crate::bench::results::{Results, Section, Table, Target};
    use crate::bench::spread::Spread;

    fn section() -> Section {
        let mut table = Table::new("Of calls:", &["what", "much"]);
        table.row(["this".to_owned(), "7".to_owned()]);
        let value = Spread { least: 1.15, median: 1.21, most: 1.3 };
        Section {
            about: "About.".to_owned(),
            tables: vec![table],
            targets: vec![
                Target::at_most("CPU", 1.3, "x", value),
                Target::at_least("calls", 15_000.0, "/s", Spread::one(14_000.0)).noted("slow"),
            ],
            ..Section::default()
        }
    }

    #[test]
    fn targets_stand_first_with_their_verdict() {
        let mut results = Results::default();
        results.sections.insert("calls".to_owned(), section());
        let text = text(&results).unwrap();
        assert!(text.contains("| CPU | ≤ 1.3x | 1.21 (1.15-1.30)x | met |"), "{text}");
        assert!(text.contains("| calls (slow) | ≥ 15000/s | 14000/s | **missed** |"), "{text}");
        assert!(text.contains("\n1 of 2 met.\n"), "{text}");
        assert!(text.find("## Targets") < text.find("## Calls"), "{text}");
    }

    #[test]
    fn a_section_is_text_and_tables() {
        let text = section_text(&section()).unwrap();
        assert_eq!(text, "About.\n\nOf calls:\n\n| what | much |\n| --- | ---: |\n| this | 7 |\n");
    }

    #[test]
    fn numbers_have_the_digits_that_count() {
        let target = |bound, value| Target::at_most("a", bound, " ms", Spread::one(value));
        assert_eq!(goal(&target(256.0, 1.0)), "≤ 256 ms");
        assert_eq!(goal(&target(10.0, 1.0)), "≤ 10 ms");
        assert_eq!(goal(&target(0.25, 1.0)), "≤ 0.25 ms");
        assert_eq!(measured(&target(1.0, 0.01234)), "0.012 ms");
        assert_eq!(measured(&target(1.0, 123.4)), "123 ms");
        assert_eq!(measured(&target(1.0, 0.0)), "0 ms");
    }
}
