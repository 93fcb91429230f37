//! A revision of the protocol is known in four places only; everything between speaks `Call` and `Reply`.

use super::source::Source;
use super::{Finding, Tree};

/// Where the words may stand. A prefix, so that a file may become a folder of the same name.
const HOMES: &[&str] = &[
    "crates/vmcp-wire/src/revision",
    "crates/vmcp-edge/src/front/legacy",
    "crates/vmcp-edge/src/front/modern",
    "crates/vmcp-edge/src/front/stdio",
    "crates/vmcp-backend/src/dialect/legacy",
    "crates/vmcp-backend/src/dialect/modern",
];

/// The doors of those folders: they name the modules behind them, and choose.
const DOORS: &[&str] = &["crates/vmcp-edge/src/front.rs", "crates/vmcp-backend/src/dialect.rs"];

/// The names of the two families.
const FAMILIES: &[&str] = &["legacy", "modern"];
/// Names of the handshake as they stand in identifiers.
const HANDSHAKE: &[&str] = &["initialize"];
/// Spellings that are looked for as they are.
const SPELLINGS: &[&str] = &[
    "server/discover",
    "notifications/initialized",
    "2024-11-05",
    "2025-03-26",
    "2025-06-18",
    "2025-11-25",
    "2026-07-28",
];
/// Where such a word is somebody else's: a module of the HTTP library, and a key of ToolHive's YAML that
/// is about telemetry.
const FOREIGN: &[&str] = &["crates/vmcp-net/", "crates/vmcp-config/src/toolhive/later.rs"];

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for source in tree.sources.iter().filter(|source| source.is_shipped()) {
        if HOMES.iter().chain(FOREIGN).any(|place| source.path.starts_with(place)) {
            continue;
        }
        let families: &[&str] = if DOORS.contains(&source.path.as_str()) { &[] } else { FAMILIES };
        for (offset, word) in words(source, families) {
            findings.push(Finding {
                path: source.path.clone(),
                line: source.line(offset),
                message: format!("`{word}` is a word of the revisions' own places"),
            });
        }
    }
}

fn words<'a>(source: &'a Source, families: &'a [&str]) -> Vec<(usize, &'a str)> {
    let text = &source.words;
    let spelled = SPELLINGS
        .iter()
        .flat_map(|spelling| text.match_indices(spelling).map(|(offset, _)| (offset, *spelling)));
    let named = pieces(text).filter_map(|(offset, piece)| {
        let listed =
            families.iter().chain(HANDSHAKE).find(|word| piece.eq_ignore_ascii_case(word))?;
        Some((offset, *listed))
    });
    spelled.chain(named).filter(|(offset, _)| !source.is_test(*offset)).collect()
}

/// The words inside names: `LegacyFront` has `Legacy` and `Front`, `is_modern` has `is` and `modern`.
fn pieces(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() && !bytes[at].is_ascii_alphabetic() {
            at += 1;
        }
        let start = at;
        while at < bytes.len() && bytes[at].is_ascii_alphabetic() {
            let hump =
                at > start && bytes[at].is_ascii_uppercase() && bytes[at - 1].is_ascii_lowercase();
            if hump {
                break;
            }
            at += 1;
        }
        (at > start).then(|| (start, &text[start..at]))
    })
}
