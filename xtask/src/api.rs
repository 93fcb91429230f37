//! `cargo xtask api`: the public API of the libraries, compared with what was agreed on.
//!
//! A snapshot is what `cargo public-api` prints of a crate with all its features. What every type has without
//! anybody's doing (blanket implementations, most auto traits) is left out; `Send` and `Sync` stay, since losing
//! them by a new field breaks users and nothing else shows it.
//!
//! The compiler describes a crate in JSON only as an unstable feature, so rustdoc alone is told to be the
//! unstable one: nothing else is compiled again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{say, shell, workspace};

/// The crates that others may build on.
const CRATES: &[&str] = &["vmcp-wire", "vmcp-config", "vmcp-net", "vmcp-auth", "vmcp-backend"];
/// Auto traits whose loss nobody would notice; `Send` and `Sync` are not among them.
const UNREMARKABLE: &[&str] = &[
    "core::marker::Freeze",
    "core::marker::StructuralPartialEq",
    "core::marker::Unpin",
    "core::marker::UnsafeUnpin",
    "core::panic::unwind_safe::RefUnwindSafe",
    "core::panic::unwind_safe::UnwindSafe",
];

/// Options of the comparison.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Write the snapshots anew: the change is wanted.
    #[arg(long)]
    accept: bool,
}

/// Compares every crate with its snapshot; all differences are shown before it fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = workspace::root();
    describe(&root)?;
    let target = workspace::places(&root)?.target;
    let mut changed = Vec::new();
    for name in CRATES {
        let file = target.join("doc").join(name.replace('-', "_")).with_extension("json");
        let now = text(&file)?;
        let snapshot = snapshot(&root, name);
        if options.accept {
            fs::write(&snapshot, &now).with_context(|| snapshot.display().to_string())?;
            continue;
        }
        let before = fs::read_to_string(&snapshot).with_context(|| {
            format!("{name} has no snapshot; `cargo xtask api --accept` takes one")
        })?;
        let difference = difference(&before, &now);
        if !difference.is_empty() {
            say::line(format_args!("{name}:"));
            difference.iter().for_each(say::line);
            changed.push(*name);
        }
    }
    ensure!(
        changed.is_empty(),
        "the public API of {} changed; when that is wanted, run `cargo xtask api --accept` and commit",
        changed.join(", ")
    );
    say::line(format_args!("api: {} crates, {}", CRATES.len(), verdict(options)));
    Ok(())
}

fn verdict(options: &Options) -> &'static str {
    if options.accept { "snapshots written" } else { "as agreed" }
}

fn snapshot(root: &Path, name: &str) -> PathBuf {
    root.join("crates").join(name).join("public-api.txt")
}

/// Lets rustdoc describe the crates. The whole workspace is asked, so that features are the ones that
/// everything else was built with.
fn describe(root: &Path) -> Result<()> {
    let mut cargo = shell::cargo(root);
    cargo.args(["doc", "--quiet", "--workspace", "--no-deps", "--all-features", "--locked"]);
    cargo.env("RUSTDOC", root.join("xtask/assets/rustdoc-unstable"));
    cargo.env("RUSTDOCFLAGS", "-Zunstable-options --output-format=json");
    shell::run(&mut cargo)
}

/// The API as text, one item in each line.
fn text(described: &Path) -> Result<String> {
    let api = public_api::Builder::from_rustdoc_json(described)
        .omit_blanket_impls(true)
        .build()
        .with_context(|| described.display().to_string())?;
    let lines = api.items().map(ToString::to_string);
    let kept = lines.filter(|line| !UNREMARKABLE.iter().any(|name| is_impl(line, name)));
    Ok(kept.map(|line| line + "\n").collect())
}

/// Whether a line says that some type has the trait `name`.
fn is_impl(line: &str, name: &str) -> bool {
    line.starts_with("impl") && line.contains(&format!("{name} for "))
}

/// What went and what came, in the order of the API.
fn difference(before: &str, now: &str) -> Vec<String> {
    let count = |text: &str| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for line in text.lines() {
            *counts.entry(line.to_owned()).or_default() += 1;
        }
        counts
    };
    let only = |one: &str, other: &str, sign: char| -> Vec<String> {
        let mut others = count(other);
        one.lines()
            .filter(|line| match others.get_mut(*line) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    false
                }
                _ => true,
            })
            .map(|line| format!("  {sign} {line}"))
            .collect()
    };
    let mut all = only(before, now, '-');
    all.extend(only(now, before, '+'));
    all
}

#[cfg(test)]
mod tests {
    use super::{UNREMARKABLE, difference, is_impl};

    #[test]
    fn what_went_and_what_came_is_shown() {
        let shown = difference(
            "pub fn a()\npub fn b()\nimpl X\nimpl X\n",
            "impl X\npub fn b()\npub fn c()\n",
        );
        assert_eq!(shown, ["  - pub fn a()", "  - impl X", "  + pub fn c()"]);
        assert!(difference("a\nb\n", "a\nb\n").is_empty());
    }

    #[test]
    fn send_and_sync_are_kept() {
        let left_out = |line: &str| UNREMARKABLE.iter().any(|name| is_impl(line, name));
        assert!(left_out("impl core::marker::Unpin for a::B"));
        assert!(left_out("impl<T> !core::panic::unwind_safe::UnwindSafe for a::B<T>"));
        assert!(!left_out("impl core::marker::Send for a::B"));
        assert!(!left_out("impl !core::marker::Sync for a::B"));
        assert!(!left_out("pub fn a::b() -> core::marker::Unpin for "));
    }
}
