//! `vmcp auth`: logging in to backends that have a login of their own.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use vmcp_auth::{AuthContext, AuthTarget, OAuth, OutgoingAuth};
use vmcp_backend::{BackendTarget, CaBundle, Endpoint};
use vmcp_config::Config;

use crate::cli::{AuthCommand, LogFormat};
use crate::exit::Failure;
use crate::state::{self, Place};
use crate::{logs, say, sources};

mod browser;
mod listener;
mod login;
mod logout;
mod page;
mod status;

/// A backend with a login, and what a login needs to know of it.
struct Subject {
    backend: Arc<BackendTarget>,
    target: AuthTarget,
    settings: OAuth,
}

/// Does what was asked for.
pub(crate) async fn run(
    files: &[PathBuf],
    log_format: LogFormat,
    command: AuthCommand,
) -> Result<ExitCode, Failure> {
    if files.is_empty() {
        return Err(Failure::usage("auth needs --config FILE: the backends stand there"));
    }
    let setup = sources::setup(files)?;
    logs::init(log_format, setup.config.log_level.unwrap_or("error"));
    let context =
        AuthContext { store: state::credentials(Place::Needed)?, ..AuthContext::default() };
    match command {
        AuthCommand::Login(args) => {
            let subject = Subject::find(&setup.config, &setup.targets, &args.name)?;
            login::run(context, &subject, &args).await
        }
        AuthCommand::Logout { name } => {
            let subject = Subject::find(&setup.config, &setup.targets, &name)?;
            logout::run(&context, &subject).await
        }
        AuthCommand::Status { name, json } => {
            let subjects = match name {
                Some(name) => vec![Subject::find(&setup.config, &setup.targets, &name)?],
                None => Subject::all(&setup.targets)?,
            };
            status::run(&context, &subjects, json).await
        }
    }
}

// === impl Subject ===

impl Subject {
    /// The backend called `name`.
    fn find(config: &Config, targets: &[Arc<BackendTarget>], name: &str) -> Result<Self, Failure> {
        let Some(backend) = targets.iter().find(|target| target.id.as_str() == name) else {
            let known: Vec<&str> = config.backends.iter().map(|one| one.id.as_str()).collect();
            let known = known.join(", ");
            return Err(Failure::usage(format!("there is no backend \"{name}\", but: {known}")));
        };
        Self::of(backend)?.ok_or_else(|| {
            Failure::usage(match backend.endpoint {
                Endpoint::Stdio(_) | Endpoint::InProcess(_) => format!(
                    "backend \"{name}\" is a process: there is nothing to log in to. \
                     What it needs stands in its \"env\""
                ),
                _ => format!(
                    "backend \"{name}\" has the strategy \"{}\": only \"oauth\" has logins. Set \
                     outgoingAuth.backends.{name}.type to oauth; in an editor's file, leave out its Authorization header",
                    backend.auth.strategy()
                ),
            })
        })
    }

    fn all(targets: &[Arc<BackendTarget>]) -> Result<Vec<Self>, Failure> {
        targets.iter().filter_map(|backend| Self::of(backend).transpose()).collect()
    }

    fn of(backend: &Arc<BackendTarget>) -> Result<Option<Self>, Failure> {
        let OutgoingAuth::OAuth(settings) = &backend.auth else { return Ok(None) };
        let mut target = AuthTarget::new(backend.id.as_str());
        target.url = match &backend.endpoint {
            Endpoint::Http { url } | Endpoint::StreamableHttp { url } | Endpoint::Sse { url } => {
                Some(url.clone())
            }
            Endpoint::Stdio(_) | Endpoint::InProcess(_) => None,
        };
        target.network = backend.network.clone();
        target.trust = match &backend.ca_bundle {
            Some(CaBundle::Pem(pem)) => Some(pem.clone()),
            Some(CaBundle::Path(path)) => {
                let pem = std::fs::read(path);
                Some(pem.with_context(|| format!("cannot read {}", path.display()))?.into())
            }
            None => None,
        };
        Ok(Some(Self { backend: Arc::clone(backend), target, settings: settings.clone() }))
    }

    fn name(&self) -> &str {
        self.backend.id.as_str()
    }
}

/// A span of time for people.
fn about(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => say::count(usize::try_from(seconds).unwrap_or_default(), "second"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A list of scopes for people.
fn listed(scopes: &[String]) -> String {
    if scopes.is_empty() { "none named".to_owned() } else { scopes.join(" ") }
}
