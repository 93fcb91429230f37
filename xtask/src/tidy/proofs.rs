//! A page that names a test as proof, `crates/…/file.rs::the_test`, names one that is there.

use super::source::Source;
use super::{Finding, Tree};

/// How a test is marked as one.
const MARKS: &[&str] = &["#[test]", "#[tokio::test"];

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.files.iter().filter(|(path, _)| path.ends_with(".md")) {
        for (number, line) in text.lines().enumerate() {
            for (file, name) in references(line) {
                let source = tree.sources.iter().find(|source| source.path == file);
                if !source.is_some_and(|source| has_test(source, name)) {
                    findings.push(Finding {
                        path: path.clone(),
                        line: number + 1,
                        message: format!("there is no test `{file}::{name}`"),
                    });
                }
            }
        }
    }
}

/// Code spans of the form `crates/…/file.rs::name`, as file and name.
fn references(line: &str) -> impl Iterator<Item = (String, &str)> {
    let spans = line.split('`').skip(1).step_by(2).filter(|span| span.starts_with("crates/"));
    spans.filter_map(|span| {
        let (file, name) = span.split_once(".rs::")?;
        Some((format!("{file}.rs"), name))
    })
}

fn has_test(source: &Source, name: &str) -> bool {
    source.code.match_indices(&format!("fn {name}(")).any(|(offset, _)| {
        let above = source.code[..offset].lines().rev();
        // The line of the function itself, then its attributes.
        let mut attributes = above
            .enumerate()
            .take_while(|(index, line)| *index == 0 || line.trim_start().starts_with("#["));
        attributes.any(|(_, line)| MARKS.iter().any(|mark| line.contains(mark)))
    })
}
