//! Words for people and scripts. A reader that went away (`vmcp tools ls | head`) is no error.

use std::io::Write;

use vmcp_config::{Diagnostic, Source};

/// A line on stdout.
pub(crate) fn out(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line on stderr.
pub(crate) fn err(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// All findings, each with its source line.
pub(crate) fn findings(findings: &[Diagnostic], sources: &[Source]) -> String {
    let render = |finding: &Diagnostic| {
        let source = sources.iter().find(|source| source.name == finding.file);
        finding.render(source.map_or("", |source| &source.text))
    };
    findings.iter().map(render).collect::<Vec<_>>().join("\n")
}

/// `1 backend`, `2 backends`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Rows as a table whose columns are as wide as they need to be. The last column is not padded.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["ccc".to_owned(), "d".to_owned()]];
        assert_eq!(super::table(&rows), "a    b\nccc  d");
    }
}
