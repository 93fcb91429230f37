//! Texts in which `§` marks where a finding is expected.

use crate::load;

/// What is said about every strategy for callers as long as callers have no token.
const NO_TOKEN: &str = "needs a token of the caller";

/// The findings of a text must stand at its marks, in their order: `severity: message (hint)`.
#[track_caller]
pub(crate) fn check(marked: &str, wanted: &[&str]) {
    check_but(marked, wanted, |_| true);
}

#[track_caller]
fn check_but(marked: &str, wanted: &[&str], counts: fn(&str) -> bool) {
    let mut places = Vec::new();
    let (mut line, mut column) = (1, 1);
    for c in marked.chars() {
        match c {
            '§' => places.push((line, column)),
            '\n' => (line, column) = (line + 1, 1),
            _ => column += 1,
        }
    }
    assert_eq!(places.len(), wanted.len(), "as many marks as findings");
    let text = marked.replace('§', "");
    let found = match load(&text) {
        Ok(config) => config.warnings,
        Err(found) => found.0,
    };
    let found: Vec<String> =
        found.iter().map(ToString::to_string).filter(|one| counts(one)).collect();
    let wanted: Vec<String> = places
        .iter()
        .zip(wanted)
        .map(|((line, column), text)| format!("f:{line}:{column}: {text}"))
        .collect();
    assert_eq!(found, wanted, "\n{text}");
}

/// The findings about the strategy of an HTTP backend, given in flow style without its braces.
#[track_caller]
pub(crate) fn strategy(marked: &str, wanted: &[&str]) {
    let text = format!(
        "backends: [{{name: git, url: 'https://git/mcp'}}]\noutgoingAuth: {{backends: {{git: {{{marked}}}}}}}\n"
    );
    check_but(&text, wanted, |finding| !finding.contains(NO_TOKEN));
}
