//! `vmcp validate --live`: which backends answer, and which of their names collide.

use std::time::Duration;

use serde_json::{Value, json};
use vmcp_config::Config;
use vmcp_gateway::{BackendStatus, Cause, Status};

use crate::exit::Failure;
use crate::say;
use crate::sources::{self, Setup};
use crate::wire_up::{Wired, wire_up};

/// How long backends get to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the backends said.
pub(super) struct Live(Status);

/// Connects to all backends, and leaves them again.
pub(super) async fn connect(config: Config) -> Result<Live, Failure> {
    let setup = Setup { targets: sources::targets(&config), config, is_demo: false };
    let Wired { config, gateway, .. } = wire_up(setup, None, &[])?;
    gateway.settled(PATIENCE).await;
    let status = gateway.status();
    gateway.close(config.timeouts.drain).await;
    Ok(Live(status))
}

// === impl Live ===

impl Live {
    /// Whether every backend answers and every tool has a name.
    pub(super) fn is_fine(&self) -> bool {
        self.0.backends.iter().all(|backend| backend.state.is_fine())
            && self.0.conflicts.iter().all(|conflict| conflict.cause == Cause::Taken)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let rows: Vec<Vec<String>> = self.0.backends.iter().map(row).collect();
        let mut lines = vec!["asked the backends:".to_owned(), say::table(&rows)];
        for conflict in &self.0.conflicts {
            lines.push(format!("warning: {conflict}"));
        }
        if self.0.conflicts.is_empty() {
            lines.push("no names collide".to_owned());
        }
        lines.join("\n")
    }

    /// For programs.
    pub(super) fn machine(&self) -> Value {
        let backend = |backend: &BackendStatus| {
            json!({
                "id": backend.id.as_str(),
                "state": backend.state.as_str(),
                "reason": backend.reason.map(|reason| reason.as_str()),
                "advice": backend.advice(),
                "tools": backend.offers.tools,
                "resources": backend.offers.resources,
                "templates": backend.offers.templates,
                "prompts": backend.offers.prompts,
            })
        };
        json!({
            "fine": self.is_fine(),
            "backends": self.0.backends.iter().map(backend).collect::<Vec<_>>(),
            "conflicts": self.0.conflicts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

fn row(backend: &BackendStatus) -> Vec<String> {
    let offers = &backend.offers;
    let offers = format!(
        "{}, {}, {}",
        say::count(offers.tools, "tool"),
        say::count(offers.resources + offers.templates, "resource"),
        say::count(offers.prompts, "prompt")
    );
    let reason = backend.reason.map(|reason| reason.as_str().to_owned());
    let told = match (reason, backend.advice()) {
        (Some(reason), Some(advice)) => format!("{reason}: {advice}"),
        (reason, advice) => reason.or(advice).unwrap_or(offers),
    };
    vec![format!("  {}", backend.id), backend.state.as_str().to_owned(), told]
}
