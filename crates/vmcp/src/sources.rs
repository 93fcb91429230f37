//! From `--config FILE…` to what is to be run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use vmcp_backend::BackendTarget;
use vmcp_config::{Config, Format, Source};

use crate::exit::Failure;
use crate::{demo, say};

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
    let config = vmcp_config::load(&sources, &variable)
        .map_err(|findings| Failure::config(&findings, &sources))?;
    if !config.warnings.is_empty() {
        say::err(&say::findings(&config.warnings, &sources));
    }
    Ok(Setup { targets: targets(&config), config, is_demo: false })
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
    target.limits.drain = config.timeouts.close;
}

/// Reads the texts.
pub(crate) fn read(files: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    files.iter().map(|file| read_one(file)).collect()
}

/// One environment variable.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn read_one(file: &Path) -> Result<Source, Failure> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read {}", file.display()))
        .map_err(|error| Failure::Config(format!("error: {error:#}")))?;
    Ok(Source { name: file.display().to_string(), text, format: Format::Auto })
}
