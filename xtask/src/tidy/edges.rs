//! Which crate may know which: the layers of the house, against what the manifests say.

use std::path::Path;

use super::Finding;
use crate::workspace::{Dependency, Package};

/// Bottom-up; each crate with the crates of ours that it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("vmcp-wire", &[]),
    ("vmcp-config", &["vmcp-wire"]),
    ("vmcp-net", &[]),
    ("vmcp-auth", &["vmcp-net", "vmcp-config"]),
    ("vmcp-backend", &["vmcp-wire", "vmcp-net", "vmcp-auth", "vmcp-config"]),
    ("vmcp-gateway", &["vmcp-wire", "vmcp-config", "vmcp-auth", "vmcp-backend"]),
    ("vmcp-edge", &["vmcp-wire", "vmcp-config", "vmcp-auth", "vmcp-backend", "vmcp-gateway"]),
    (
        "vmcp",
        &[
            "vmcp-wire",
            "vmcp-config",
            "vmcp-net",
            "vmcp-auth",
            "vmcp-backend",
            "vmcp-gateway",
            "vmcp-edge",
        ],
    ),
    ("vmcp-testkit", &[]),
    ("xtask", &[]),
];

/// What tests of any crate may use on top of the crates below it.
const FOR_TESTS: &str = "vmcp-testkit";

pub(super) fn check(root: &Path, packages: &[Package], findings: &mut Vec<Finding>) {
    for package in packages {
        let manifest = package.manifest_path.strip_prefix(root).unwrap_or(&package.manifest_path);
        let mut add = |message: String| {
            findings.push(Finding { path: manifest.display().to_string(), line: 1, message });
        };
        let folder = manifest.parent().and_then(Path::file_name);
        if folder.is_none_or(|folder| folder != package.name.as_str()) {
            add(format!("the folder of `{}` has another name", package.name));
        }
        let Some(allowed) = allowed(&package.name) else {
            add(format!("`{}` is in no layer: add it to xtask/src/tidy/edges.rs", package.name));
            continue;
        };
        let ours = package
            .dependencies
            .iter()
            .filter(|other| packages.iter().any(|p| p.name == other.name));
        for other in ours {
            if !permitted(&package.name, allowed, other) {
                add(format!("`{}` must not know `{}`", package.name, other.name));
            }
        }
    }
}

fn permitted(name: &str, allowed: &[&str], other: &Dependency) -> bool {
    let direct = allowed.contains(&other.name.as_str());
    match other.kind.as_deref() {
        // Tests wire up what stands below their crate, at any depth, and speak to fake peers.
        Some("dev") => other.name == FOR_TESTS && name != FOR_TESTS || below(name, &other.name),
        _ => direct,
    }
}

/// Whether `other` can be reached from `name` by allowed edges.
fn below(name: &str, other: &str) -> bool {
    allowed(name).is_some_and(|next| next.iter().any(|step| *step == other || below(step, other)))
}

fn allowed(name: &str) -> Option<&'static [&'static str]> {
    ALLOWED.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, allowed)| *allowed)
}
