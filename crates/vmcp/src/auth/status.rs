//! `vmcp auth status`: which logins there are. Tokens are never shown.

use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};
use vmcp_auth::{AuthContext, LoginStatus, logins};

use super::{Subject, about, listed};
use crate::exit::Failure;
use crate::say;

/// Lists the logins of the backends that can have one.
pub(super) async fn run(
    context: &AuthContext,
    subjects: &[Subject],
    json: bool,
) -> Result<ExitCode, Failure> {
    let mut found = Vec::new();
    for subject in subjects {
        let statuses = logins(context, &subject.target, &subject.settings).await;
        let statuses =
            statuses.with_context(|| format!("cannot read the login of {}", subject.name()))?;
        found.push((subject, statuses));
    }
    if json {
        let all: Vec<Value> =
            found.iter().map(|(subject, statuses)| machine(subject, statuses.first())).collect();
        say::out(&Value::Array(all).to_string());
    } else if found.is_empty() {
        say::out("no backend has a login: `outgoingAuth` says `oauth` for none of them");
    } else {
        let rows: Vec<Vec<String>> =
            found.iter().map(|(subject, statuses)| row(subject, statuses.first())).collect();
        say::out(&say::table(&rows));
    }
    Ok(ExitCode::SUCCESS)
}

/// The state in one word: a token that is over and can be renewed is as good as one that holds.
fn state(status: Option<&LoginStatus>) -> &'static str {
    match status {
        None => "none",
        Some(status) if status.lifetime.is_some_and(|time| time.is_zero()) && !status.renewable => {
            "expired"
        }
        Some(_) => "logged in",
    }
}

fn row(subject: &Subject, status: Option<&LoginStatus>) -> Vec<String> {
    let name = subject.name();
    let Some(status) = status else {
        let advice = format!("if it wants one: vmcp auth login {name}");
        return vec![name.to_owned(), "no login".to_owned(), advice];
    };
    let holds = match status.lifetime {
        Some(time) if time.is_zero() && status.renewable => {
            "token over, will be renewed".to_owned()
        }
        Some(time) if time.is_zero() => format!("run: vmcp auth login {name}"),
        Some(time) if status.renewable => format!("token holds {}, then renewed", about(time)),
        Some(time) => format!("token holds {}", about(time)),
        None => "token holds until rejected".to_owned(),
    };
    let scopes = format!("scopes: {}", listed(&status.scopes));
    vec![name.to_owned(), state(Some(status)).to_owned(), status.issuer.clone(), holds, scopes]
}

fn machine(subject: &Subject, status: Option<&LoginStatus>) -> Value {
    json!({
        "backend": subject.name(),
        "state": state(status),
        "issuer": status.map(|one| one.issuer.as_str()),
        "client": status.map(|one| one.client.as_str()),
        "resource": status.map(|one| one.resource.as_str()),
        "scopes": status.map(|one| one.scopes.as_slice()),
        "expiresIn": status.and_then(|one| one.lifetime).map(|time| time.as_secs()),
        "renewable": status.map(|one| one.renewable),
    })
}
