//! Words that have no business in the repository: where a package came from, who typed a line, where
//! the tree once stood on somebody's disk. Names of programs that are MCP clients stand where vmcp reads
//! their files or tells their users what to paste, and nowhere else.
//!
//! The list is kept in rot13, so that this file passes its own check.

use super::{Finding, Tree};

/// Hosts, found anywhere and in any case.
const HOSTS: &[&str] =
    &["pengrf.vb", "clcv.bet", "clgubaubfgrq", "ertvfgel.acz", "aczwf.bet", "qro.qrovna.bet"];

/// Names, found in any case where vmcp does not deal with the programs themselves.
const NAMES: &[&str] = &["naguebcvp", "pynhqr", "punggcg", "bcranv", "pbcvybg", "trzvav", "pbqrk"];

/// Where vmcp deals with those programs: what it imports, what it prints, what its pages explain.
const NAMES_HOMES: &[&str] =
    &["crates/vmcp-config/", "crates/vmcp/src/clients.rs", "README.md", "docs/"];

/// Folders of one machine, found only at the start of a path.
const FOLDERS: &[&str] = &["/jbex/", "/ebbg/", "/hfe/ybpny/pnetb"];

/// The lock file names its registry by a fixed address that cargo writes.
const LOCK: &str = "Cargo.lock";

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.files.iter().filter(|(path, _)| !path.ends_with(LOCK)) {
        let at_home = NAMES_HOMES.iter().any(|home| path.starts_with(home));
        for (number, line) in text.lines().enumerate() {
            for word in banned(line, at_home) {
                findings.push(Finding {
                    path: path.clone(),
                    line: number + 1,
                    message: format!("`{word}` does not belong into the repository"),
                });
            }
        }
    }
}

fn banned(line: &str, at_home: bool) -> Vec<String> {
    let line = line.to_ascii_lowercase();
    let names: &[&str] = if at_home { &[] } else { NAMES };
    let anywhere = HOSTS
        .iter()
        .chain(names)
        .map(|word| rot13(word))
        .filter(|word| line.contains(word.as_str()));
    let folders = FOLDERS.iter().map(|folder| rot13(folder)).filter(|folder| {
        line.match_indices(folder.as_str()).any(|(offset, _)| {
            let before = line[..offset].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '}' | '_' | '-'))
        })
    });
    anywhere.chain(folders).collect()
}

/// Letters turned by half the alphabet; its own inverse.
pub(super) fn rot13(text: &str) -> String {
    let turn = |c: char, first: u8| char::from((c as u8 - first + 13) % 26 + first);
    text.chars()
        .map(|c| match c {
            'a'..='z' => turn(c, b'a'),
            'A'..='Z' => turn(c, b'A'),
            _ => c,
        })
        .collect()
}
