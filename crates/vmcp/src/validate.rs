//! `vmcp validate`: every finding, and what was understood.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use vmcp_config::{Config, Diagnostic, Severity, Source};
use vmcp_edge::Tls;

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
    let (config, findings) =
        match vmcp_config::load(&texts, sources::SURROUNDINGS).and_then(sources::check) {
            Ok(mut config) => {
                let mut findings = std::mem::take(&mut config.warnings);
                match certificates(&config, &texts) {
                    None => (Some(config), findings),
                    Some(error) => {
                        findings.push(error);
                        (None, findings)
                    }
                }
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

/// What is wrong with the files of `listen.tls`; said at the line that names the one.
fn certificates(config: &Config, texts: &[Source]) -> Option<Diagnostic> {
    let error = Tls::load(config.listen.tls.as_ref()?).err()?;
    let path = error.file().to_string_lossy();
    let places = texts.iter().flat_map(|text| {
        let lines = text.text.lines().enumerate();
        lines.map(move |(number, line)| (&text.name, number + 1, line))
    });
    // Its own key stands before it, unless the path came out of a variable.
    let found =
        places.filter(|(.., line)| line.contains(error.key())).find_map(|(name, number, line)| {
            let (before, _) = line.split_once(&*path)?;
            Some((name.clone(), number, before.chars().count() + 1, path.chars().count()))
        });
    let first = texts.first().map(|text| text.name.clone()).unwrap_or_default();
    let (file, line, column, len) = found.unwrap_or((first, 1, 1, 1));
    let message = error.to_string();
    Some(Diagnostic { file, line, column, len, severity: Severity::Error, message, hint: None })
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
