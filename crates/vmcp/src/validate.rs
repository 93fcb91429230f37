//! `vmcp validate`: every finding, and what was understood.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use vmcp_config::{Config, Diagnostic, Severity, Source};

use crate::cli::{LogFormat, ValidateArgs};
use crate::exit::{BAD_CONFIG, Failure};
use crate::{logs, say, sources};

mod live;
mod summary;

use live::Live;

/// Checks; connects too if asked to.
pub(crate) async fn run(
    files: &[PathBuf],
    log_format: LogFormat,
    args: &ValidateArgs,
) -> Result<ExitCode, Failure> {
    if files.is_empty() {
        return Err(Failure::usage("validate needs --config FILE"));
    }
    let texts = sources::read(files)?;
    let (config, findings) = match vmcp_config::load(&texts, sources::SURROUNDINGS) {
        Ok(mut config) => {
            let warnings = std::mem::take(&mut config.warnings);
            (Some(config), warnings)
        }
        Err(findings) => (None, findings.0),
    };
    let live = match &config {
        Some(config) if args.live => {
            // The one place that says in words why a backend fails is the log.
            logs::init(log_format, "warn");
            Some(live::connect(config.clone()).await?)
        }
        _ => None,
    };
    match args.format {
        LogFormat::Text => say::out(&text(config.as_ref(), &findings, &texts, live.as_ref())),
        LogFormat::Json => {
            say::out(&machine(config.as_ref(), &findings, live.as_ref()).to_string())
        }
    }
    Ok(match (&config, &live) {
        (None, _) => ExitCode::from(BAD_CONFIG),
        (Some(_), Some(live)) if !live.is_fine() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

fn text(
    config: Option<&Config>,
    findings: &[Diagnostic],
    texts: &[Source],
    live: Option<&Live>,
) -> String {
    let mut parts = Vec::new();
    if !findings.is_empty() {
        parts.push(say::findings(findings, texts).trim_end().to_owned());
    }
    match config {
        Some(config) => parts.push(summary::text(config)),
        None => {
            let errors = findings.iter().filter(|one| one.severity == Severity::Error).count();
            let warnings = findings.len() - errors;
            parts.push(format!(
                "{}, {}",
                say::count(errors, "error"),
                say::count(warnings, "warning")
            ));
        }
    }
    parts.extend(live.map(Live::text));
    parts.join("\n\n")
}

fn machine(config: Option<&Config>, findings: &[Diagnostic], live: Option<&Live>) -> Value {
    json!({
        "valid": config.is_some(),
        "findings": findings,
        "understood": config.map(summary::machine),
        "live": live.map(Live::machine),
    })
}
