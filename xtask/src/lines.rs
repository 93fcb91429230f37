//! `cargo xtask lines`: production lines and files per crate.

use anyhow::Result;

use crate::{say, tidy, workspace};

/// Prints the table.
pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let counts = tidy::production_lines(workspace::files(&root)?);
    say::line("crate            files  lines  longest file");
    for (name, crate_lines) in &counts {
        say::line(format_args!(
            "{name:<15} {:>6} {:>6}  {} ({})",
            crate_lines.files, crate_lines.lines, crate_lines.longest.0, crate_lines.longest.1
        ));
    }
    let total: usize = counts.values().map(|crate_lines| crate_lines.lines).sum();
    say::line(format_args!("total of {total} production lines"));
    Ok(())
}
