//! The workspace as cargo and git see it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::shell;

/// The root of the workspace, the folder above this crate.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map(Path::to_path_buf).unwrap_or(here)
}

/// Where `cargo build` puts what it builds, and where installed tools are kept.
pub(crate) struct Places {
    /// The target directory in force, `CARGO_TARGET_DIR` included.
    pub target: PathBuf,
    /// Tools and suites from the registries; ignored by git, safe to delete.
    pub cache: PathBuf,
}

/// Finds the places for `root`.
pub(crate) fn places(root: &Path) -> Result<Places> {
    let metadata = metadata(root)?;
    Ok(Places { target: metadata.target_directory, cache: root.join(".cache") })
}

/// The part of `cargo metadata` that is used here.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    /// The members of the workspace.
    pub packages: Vec<Package>,
    target_directory: PathBuf,
}

/// One member of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    /// The name in its manifest.
    pub name: String,
    /// The absolute path of its manifest.
    pub manifest_path: PathBuf,
    /// Everything it depends on, ours and others'.
    pub dependencies: Vec<Dependency>,
}

/// One entry of a member's dependency tables.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    /// The package it names.
    pub name: String,
    /// `None` for a normal dependency, else `dev` or `build`.
    pub kind: Option<String>,
}

/// Asks cargo for the members of the workspace. Reads manifests only: no registry is asked.
pub(crate) fn metadata(root: &Path) -> Result<Metadata> {
    let text = shell::output(shell::cargo(root).args([
        "metadata",
        "--format-version=1",
        "--no-deps",
        "--offline",
    ]))?;
    serde_json::from_str(&text).context("cargo metadata is not what was expected")
}

/// Every text file that is or could be committed, by its path from the root.
pub(crate) fn files(root: &Path) -> Result<BTreeMap<String, String>> {
    let listed = shell::output(shell::command(root, "git").args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut files = BTreeMap::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        // A file deleted in the work tree is still listed; one that is not UTF-8 has no words.
        if let Ok(text) = std::fs::read_to_string(root.join(path)) {
            files.insert(path.to_owned(), text);
        }
    }
    Ok(files)
}
