//! From `--config FILE…` to what is to be run.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use vmcp_auth::{Policy, PolicyErrors, PolicyProblem};
use vmcp_backend::{BackendTarget, TaskLimits};
use vmcp_config::{Config, Diagnostic, Diagnostics, Format, Severity, Source, Surroundings};

use crate::exit::Failure;
use crate::{demo, say};

/// No token or key is longer.
const MAX_SECRET: u64 = 64 << 10;

/// What is to be run.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) targets: Vec<Arc<BackendTarget>>,
    pub(crate) is_demo: bool,
}

/// Reads the files, or takes the demo if there are none. Warnings are told on stderr.
pub(crate) fn setup(files: &[PathBuf]) -> Result<Setup, Failure> {
    if files.is_empty() {
        return Ok(Setup { config: vmcp_config::demo(), targets: demo::targets(), is_demo: true });
    }
    let sources = read(files)?;
    let config = vmcp_config::load(&sources, SURROUNDINGS)
        .and_then(check)
        .map_err(|findings| Failure::config(&findings, &sources))?;
    if !config.warnings.is_empty() {
        say::err(&say::findings(&config.warnings, &sources));
    }
    Ok(Setup { targets: targets(&config), config, is_demo: false })
}

/// The configuration, if its policies can be followed: they are read where they are decided by.
pub(crate) fn check(config: Config) -> Result<Config, Diagnostics> {
    let policies = config.authz.as_ref().map(|authz| Policy::compile(&config.name, authz));
    let Some(Err(PolicyErrors(problems))) = policies else { return Ok(config) };
    let finding = |problem: PolicyProblem| Diagnostic {
        file: problem.file,
        line: problem.line,
        column: problem.column,
        len: 1,
        severity: Severity::Error,
        message: problem.message,
        hint: None,
    };
    Err(Diagnostics(problems.into_iter().map(finding).collect()))
}

/// The backends of a configuration.
pub(crate) fn targets(config: &Config) -> Vec<Arc<BackendTarget>> {
    let target = |backend| {
        let mut target = BackendTarget::from_config(backend, &config.limits);
        bound(&mut target, config);
        Arc::new(target)
    };
    config.backends.iter().map(target).collect()
}

/// The configured bounds that are not a backend's own.
fn bound(target: &mut BackendTarget, config: &Config) {
    target.limits.max_reply_bytes = config.limits.max_reply_bytes;
    target.limits.max_list_bytes = config.limits.max_list_bytes;
    target.limits.max_call = config.timeouts.max_call;
    target.limits.stall = config.timeouts.stall;
    target.limits.write = config.timeouts.pipe;
    target.limits.ping = config.timeouts.ping;
    target.limits.drain = config.timeouts.close;
    target.limits.reconnect = config.timeouts.reconnect;
    target.limits.max_reconnect = config.timeouts.max_reconnect;
    target.limits.probe = config.timeouts.probe;
    target.limits.tasks = TaskLimits::from(&config.tasks);
}

/// Reads the texts.
pub(crate) fn read(files: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    files.iter().map(|file| read_one(file)).collect()
}

/// What the files may refer to.
pub(crate) const SURROUNDINGS: Surroundings<'static> =
    Surroundings { env: &variable, file: &secret };

pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A file with a secret in it. What is longer is none, and a device might never end.
fn secret(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?.take(MAX_SECRET + 1).read_to_string(&mut text)?;
    if length as u64 > MAX_SECRET {
        return Err(io::Error::other(format!("longer than {} KiB", MAX_SECRET >> 10)));
    }
    Ok(text)
}

fn read_one(file: &Path) -> Result<Source, Failure> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read {}", file.display()))
        .map_err(|error| Failure::Config(format!("error: {error:#}")))?;
    Ok(Source { name: file.display().to_string(), text, format: Format::Auto })
}
