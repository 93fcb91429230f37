//! Findings as a compiler shows them: place, line, caret, hint.

use std::fmt::Write;

use super::Diagnostic;

/// One finding with the line it is about. `text` is the source that it names.
pub(super) fn render(diagnostic: &Diagnostic, text: &str) -> String {
    let Diagnostic { file, line, column, len, severity, message, hint } = diagnostic;
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let mut out = format!("{severity}: {message}\n{margin}--> {file}:{line}:{column}\n");
    if let Some(source) = text.lines().nth(line.saturating_sub(1)).filter(|line| !line.is_empty()) {
        let (source, before) = shown(source, *column);
        let len = (*len).clamp(1, source.chars().count().saturating_sub(before).max(1));
        let carets = "^".repeat(len);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{margin} |\n{number} | {source}");
        let _ = writeln!(out, "{margin} | {}{carets}", " ".repeat(before));
    }
    if let Some(hint) = hint {
        let _ = writeln!(out, "{margin} = hint: {hint}");
    }
    out
}

/// A line without tabs, cut to a window around the column if it is very long.
fn shown(line: &str, column: usize) -> (String, usize) {
    const WIDTH: usize = 160;
    let before = column.saturating_sub(1).min(line.chars().count());
    let start = before.saturating_sub(WIDTH / 2);
    let window = line.chars().skip(start).take(WIDTH);
    // A control character must not reach a terminal, and a tab is one column to us.
    let clean = window.map(|c| if c.is_control() { ' ' } else { c }).collect();
    (clean, before - start)
}

#[cfg(test)]
mod tests {
    use crate::{Diagnostic, Severity};

    #[test]
    fn points_at_the_place() {
        let diagnostic = Diagnostic {
            file: "a.yaml".to_owned(),
            line: 2,
            column: 3,
            len: 4,
            severity: Severity::Error,
            message: "unknown key `nmae`".to_owned(),
            hint: Some("did you mean `name`?".to_owned()),
        };
        let wanted = "\
error: unknown key `nmae`
 --> a.yaml:2:3
  |
2 | \u{20} nmae: x
  |   ^^^^
  = hint: did you mean `name`?
";
        assert_eq!(diagnostic.render("a:\n  nmae: x\n"), wanted);
    }

    #[test]
    fn a_place_outside_of_the_text_shows_no_line() {
        let diagnostic = Diagnostic {
            file: "a".to_owned(),
            line: 9,
            column: 9,
            len: 1,
            severity: Severity::Warning,
            message: "m".to_owned(),
            hint: None,
        };
        assert_eq!(diagnostic.render(""), "warning: m\n --> a:9:9\n");
    }
}
