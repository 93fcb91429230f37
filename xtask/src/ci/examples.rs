//! The examples: those that need nobody are run, and every one is either run or says whom it needs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::{say, shell, workspace};

/// How long one may take. They take a second; one that waits for somebody is none of these.
const TIME: Duration = Duration::from_secs(60);
/// Stands for the folder with the built examples.
const FOLDER: &str = "{examples}";

/// Each with its arguments.
const RUN: &[(&str, &[&str])] = &[
    ("call_one_tool", &["{examples}/conformance-backend --stdio", "test_simple_text", "{}"]),
    ("check", &[]),
    ("custom_strategy", &[]),
    ("inject_header", &[]),
    ("list_everything", &[]),
    ("many_users", &[]),
    ("many_users", &[]),
    ("read_and_answer", &["1000"]),
    ("serve_in_process", &["--once"]),
    ("splice", &[]),
    ("two_backends", &[]),
];

/// Each with what it needs.
const NOT_RUN: &[(&str, &str)] = &[
    ("conformance-backend", "serves until it is ended; the conformance suite runs it"),
    ("conformance-client", "connects as a scenario wants; the conformance suite runs it"),
    ("get", "fetches a URL, and none is promised to be there"),
    ("guarded", "waits to be killed; a test of its crate does that"),
    (
        "interop-client",
        "asks a server what a check is about; the matrix of official clients runs it",
    ),
    ("log_in", "asks a user"),
    ("log_in", "asks a user to go to an authorization server"),
];

/// Builds all examples, and runs those that can be.
pub(super) fn run(root: &Path) -> Result<()> {
    listed(root)?;
    let mut cargo = shell::cargo(root);
    cargo.args(["build", "--workspace", "--all-features", "--bins", "--examples", "--locked"]);
    shell::run(&mut cargo)?;
    let folder = workspace::places(root)?.target.join("debug/examples");
    let shown = folder.to_str().context("the target folder is not text")?;
    for (name, arguments) in RUN {
        let mut command = shell::command(root, folder.join(name));
        command.args(arguments.iter().map(|argument| argument.replace(FOLDER, shown)));
        shell::run_within(&mut command, TIME)?;
    }
    say::line(format_args!("{} examples ran", RUN.len()));
    Ok(())
}

/// A new example is put into one of the lists, and one that is gone is taken out.
fn listed(root: &Path) -> Result<()> {
    let mut found = Vec::new();
    for package in workspace::metadata(root)?.packages {
        let Some(folder) = package.manifest_path.parent() else { continue };
        let Ok(entries) = fs::read_dir(folder.join("examples")) else { continue };
        for entry in entries {
            let path = entry?.path();
            found.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    let lists = RUN.iter().map(|(name, _)| *name).chain(NOT_RUN.iter().map(|(name, _)| *name));
    let lists: Vec<&str> = lists.collect();
    if let Some(name) = found.iter().find(|name| !lists.contains(&name.as_str())) {
        bail!("the example `{name}` is in no list of xtask/src/ci/examples.rs");
    }
    let gone = lists.iter().find(|name| !found.iter().any(|found| found == *name));
    ensure!(
        gone.is_none(),
        "xtask/src/ci/examples.rs lists `{}`, which is gone",
        gone.unwrap_or(&"")
    );
    Ok(())
}
