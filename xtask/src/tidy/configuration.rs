//! docs/configuration.md names every key that the configuration is read with.

use std::collections::BTreeSet;

use super::source::Source;
use super::{Finding, Tree};

const PAGE: &str = "docs/configuration.md";
const READERS: &str = "crates/vmcp-config/src/";
/// How a reader asks for a key.
const ASKS: &[&str] = &["get(\"", "only(\"", "require(\"", "(&mut fields, \""];

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let named = named(tree.files.get(PAGE).map_or("", String::as_str));
    for source in tree.sources.iter().filter(|source| source.path.starts_with(READERS)) {
        for (offset, key) in keys(source) {
            if !named.contains(key) {
                findings.push(Finding {
                    path: source.path.clone(),
                    line: source.line(offset),
                    message: format!("the key `{key}` is not in {PAGE}"),
                });
            }
        }
    }
}

/// The words that stand in code spans.
fn named(page: &str) -> BTreeSet<&str> {
    let spans = page.split('`').skip(1).step_by(2);
    spans.flat_map(|span| span.split(|c: char| !c.is_alphanumeric() && c != '_')).collect()
}

fn keys(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    ASKS.iter().flat_map(move |ask| {
        source.words.match_indices(ask).filter_map(move |(offset, _)| {
            let key = source.words[offset + ask.len()..].split('"').next()?;
            // With a dot it is the name of a section in a message, not a key that is read.
            (!source.is_test(offset) && !key.contains('.')).then_some((offset, key))
        })
    })
}
