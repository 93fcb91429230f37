//! Files and functions stay small enough to be read at one go.

use super::source::{Source, item_end};
use super::{Finding, Tree};

/// Above this a file must be a declared table: data with one row per case and no control flow.
const FILE_LINES: usize = 400;
/// Above this even a table is split.
const TABLE_LINES: usize = 600;
/// The longest function, signature and closing brace included.
const FUNCTION_LINES: usize = 100;
/// The declaration, followed by the reason.
const TABLE_MARK: &str = "// tidy: table, ";

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for source in &tree.sources {
        file(source, findings);
        functions(source, findings);
    }
}

fn file(source: &Source, findings: &mut Vec<Finding>) {
    let lines = source.production_lines();
    let limit = if source.text.contains(TABLE_MARK) { TABLE_LINES } else { FILE_LINES };
    if lines > limit {
        findings.push(Finding {
            path: source.path.clone(),
            line: limit,
            message: format!("{lines} production lines, {limit} is the limit"),
        });
    }
}

fn functions(source: &Source, findings: &mut Vec<Finding>) {
    for offset in source.production_places("fn ") {
        let before = source.code[..offset].bytes().next_back();
        let starts_word = !before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let named = source.code[offset + 3..].starts_with(|c: char| c.is_alphabetic() || c == '_');
        if !starts_word || !named {
            continue;
        }
        let end = item_end(&source.code, offset);
        let lines = source.line(end - 1) + 1 - source.line(offset);
        if lines > FUNCTION_LINES {
            findings.push(Finding {
                path: source.path.clone(),
                line: source.line(offset),
                message: format!("a function of {lines} lines, {FUNCTION_LINES} is the limit"),
            });
        }
    }
}
