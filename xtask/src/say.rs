//! What the workshop says to the person who runs it: lines on standard output.

use std::fmt;
use std::io::Write;

/// Writes one line. A closed pipe (`cargo xtask tidy | head`) is no reason to fail.
pub(crate) fn line(text: impl fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Writes the heading of a step, set off so that it is found again in a long log.
pub(crate) fn step(name: &str) {
    line(format_args!("\n== {name}"));
}
