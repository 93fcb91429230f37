//! `vmcp explain`: whether a caller sees something and may ask for it, and what decides that.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use vmcp_auth::{Decision, Identity};
use vmcp_gateway::{Capability, Explanation};

use crate::cli::{ExplainArgs, ExplainKind, LogFormat};
use crate::exit::Failure;
use crate::wire_up::{Wired, wire_up};
use crate::{logs, say, sources};

/// It may not be asked for.
const DENIED: u8 = 3;
/// How long backends get to answer before the command goes on without them.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks the backends what there is, and tells.
pub(crate) async fn run(
    files: &[PathBuf],
    log_format: LogFormat,
    args: &ExplainArgs,
) -> Result<ExitCode, Failure> {
    let identity = identity(args)?;
    let arguments = args.arguments.as_deref();
    if let Some(text) = arguments
        && !serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object())
    {
        return Err(Failure::usage("--arguments must be a JSON object"));
    }
    let setup = sources::setup(files)?;
    logs::init(log_format, setup.config.log_level.unwrap_or("error"));
    let Wired { config, gateway, .. } = wire_up(setup, None, &[])?;
    if !gateway.settled(PATIENCE).await {
        say::err("warning: not all backends have answered");
    }
    let kind = match args.kind {
        ExplainKind::Tool => Capability::Tool,
        ExplainKind::Resource => Capability::Resource,
        ExplainKind::Prompt => Capability::Prompt,
    };
    let told = gateway.explain(&identity, kind, &args.name, arguments.map(str::as_bytes));
    gateway.close(config.timeouts.drain).await;
    match args.json {
        true => say::out(&machine(&told).to_string()),
        false => say::out(&text(&told)),
    }
    Ok(if told.is_callable() { ExitCode::SUCCESS } else { ExitCode::from(DENIED) })
}

fn identity(args: &ExplainArgs) -> Result<Identity, Failure> {
    let Some(file) = &args.claims else { return Ok(Identity::anonymous()) };
    let read = || -> anyhow::Result<Identity> {
        let text = std::fs::read_to_string(file)?;
        let claims: Value = serde_json::from_str(&text)?;
        let claim = |name: &str| claims.get(name).and_then(Value::as_str);
        let subject = claim("sub").context("the claim `sub` is missing")?;
        Ok(Identity::verified(claim("iss").unwrap_or_default(), subject, text.as_str()))
    };
    let read = read().with_context(|| format!("cannot read claims from {}", file.display()));
    read.map_err(Failure::from)
}

fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn text(told: &Explanation) -> String {
    let mut rows = vec![("visible", yes(told.visible).to_owned())];
    rows.push(("callable", yes(told.is_callable()).to_owned()));
    if let Some(backend) = &told.backend {
        rows.push(("backend", backend.to_string()));
    }
    match told.hidden_by {
        Some(key) => rows.push(("filter", format!("hidden by {key}"))),
        None if !told.advertised => rows.push(("filter", "no backend has it".to_owned())),
        None => {}
    }
    rows.extend(told.conflicts.iter().map(|conflict| ("conflict", conflict.to_string())));
    match (&told.judgement, &told.decision) {
        (None, _) => rows.push(("policy", "none: everything is permitted".to_owned())),
        (Some(by), Decision::Permit) => {
            rows.push(("policy", format!("permitted by {}", by.permits.join(", "))));
        }
        (Some(_), Decision::Deny(why)) => rows.push(("policy", why.to_string())),
    }
    if let Some((strategy, per_caller)) = &told.credentials {
        let whose = if *per_caller { "the caller's" } else { "vmcp's own" };
        rows.push(("credentials", format!("{strategy}, {whose}")));
    }
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|(key, value)| vec![key.to_owned(), value]).collect();
    say::table(&rows)
}

fn machine(told: &Explanation) -> Value {
    let why = match &told.decision {
        Decision::Permit => None,
        Decision::Deny(why) => Some(why.to_string()),
    };
    json!({
        "visible": told.visible,
        "callable": told.is_callable(),
        "backend": told.backend.as_ref().map(ToString::to_string),
        "advertised": told.advertised,
        "hiddenBy": told.hidden_by,
        "conflicts": told.conflicts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "policy": told.judgement.as_ref().map(|by| json!({
            "permitted": told.decision.is_permit(),
            "why": why,
            "permits": by.permits,
            "forbids": by.forbids,
            "errors": by.errors,
        })),
        "credentials": told.credentials.as_ref().map(|(strategy, per_caller)| json!({
            "strategy": strategy,
            "perCaller": per_caller,
        })),
    })
}
