//! Tests do not wait for the clock, and none is switched off.

use super::{Finding, Tree};

/// What a test must not contain, with what to do instead.
const BANNED: &[(&str, &str)] = &[
    (
        "#[ignore",
        "a test is run or deleted; assert today's behaviour and say what is wrong with it",
    ),
    ("#[should_panic", "assert on a returned error"),
    ("sleep(", "wait for the event, or pause the clock and advance it"),
];

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for source in &tree.sources {
        for (needle, instead) in BANNED {
            for (offset, _) in source.code.match_indices(needle) {
                if source.is_test(offset) && starts_word(&source.code, offset) {
                    findings.push(Finding {
                        path: source.path.clone(),
                        line: source.line(offset),
                        message: format!("`{needle}` in a test: {instead}"),
                    });
                }
            }
        }
    }
}

/// `sleep(` is meant, `no_sleep(` is not.
fn starts_word(code: &str, offset: usize) -> bool {
    let before = code[..offset].bytes().next_back();
    !before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
