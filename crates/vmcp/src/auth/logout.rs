//! `vmcp auth logout`: forgets a login, and tells its issuer.

use std::process::ExitCode;

use anyhow::Context;
use vmcp_auth::{AuthContext, Revocation, logout};

use super::Subject;
use crate::exit::Failure;
use crate::say;

/// Logs out.
pub(super) async fn run(context: &AuthContext, subject: &Subject) -> Result<ExitCode, Failure> {
    let name = subject.name();
    let done = logout(context, &subject.target, &subject.settings).await;
    let done = done.with_context(|| format!("cannot log out of {name}"))?;
    if done.forgotten == 0 {
        say::out(&format!("nobody is logged in to {name}"));
        return Ok(ExitCode::SUCCESS);
    }
    say::out(&format!("logged out of {name}"));
    for revocation in done.revocations {
        match revocation {
            Revocation::Done { issuer } => say::out(&format!("  revoked at {issuer}")),
            Revocation::NotOffered { issuer } => {
                let why = "takes no tokens back: what it issued holds until it ends by itself";
                say::err(&format!("warning: {issuer} {why}"));
            }
            Revocation::Failed { issuer, reason } => {
                say::err(&format!("warning: not revoked at {issuer}: {reason}"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
