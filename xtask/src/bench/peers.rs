//! Other gateways that registries have, in front of the same backend, with the same checks.
//!
//! Who they are, in which version and how they are started stands in one file. One that does not install, start or
//! answer is listed with the reason: it does not fail the run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::client::Endpoint;
use super::load::{self, Destination, Load, Outcome};
use super::results::{Direction, Section, Table, Target};
use super::shape::{Shape, TOOL};
use super::spread::Spread;
use super::stand::{Backend, Stand, one};
use crate::process::{Running, free_address};
use crate::{say, shell};

const FILE: &str = "xtask/assets/peers.json";
/// Enough that nobody waits for one client.
const CLIENTS: usize = 16;
/// How long an installation may take.
const INSTALL: Duration = Duration::from_secs(240);
/// The most rounds: some are slow.
const ROUNDS: usize = 3;
/// What the CPU of the best is divided by.
const WANTED: f64 = 1.0 / 3.0;

/// What a gateway stands in front of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Behind {
    /// A server.
    Http,
    /// A program.
    Pipe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Registry {
    Pip,
    Npm,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Entry {
    LeftOut { name: String, left_out: String },
    Peer(Peer),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Peer {
    name: String,
    /// Its own below that of all; several entries may share one.
    folder: String,
    registry: Registry,
    package: String,
    /// The version of Python that it needs, if the usual one is too old.
    python: Option<String>,
    /// Written before each start, with the same words in them as in the arguments.
    #[serde(default)]
    files: BTreeMap<String, String>,
    program: String,
    /// With `{port}`, `{http}` (the URL of the backend) and `{program}` (that is one on its pipes).
    arguments: Vec<String>,
    /// What it calls the tool, if that is not the backend's own name.
    tool: Option<String>,
    behind: Behind,
    path: String,
}

struct Row {
    name: String,
    behind: Behind,
    rounds: Vec<Outcome>,
}

impl Row {
    fn spread(&self, of: fn(&Outcome) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(of))
    }
}

/// Installs what is not there, and measures one after the other.
pub(super) async fn measure(stand: &Stand) -> Result<Section> {
    let path = stand.root.join(FILE);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let entries: Vec<Entry> = serde_json::from_str(&text).with_context(|| FILE.to_owned())?;
    let backend = stand.backend()?;
    let (mut rows, mut left_out) = (ours(stand, &backend).await?, Vec::new());
    for entry in entries {
        let peer = match entry {
            Entry::LeftOut { name, left_out: why } => {
                left_out.push((name, why));
                continue;
            }
            Entry::Peer(peer) => peer,
        };
        say::line(format_args!("peers: {}", peer.name));
        match measure_one(stand, &peer, &backend).await {
            Ok(rounds) => rows.push(Row { name: peer.name, behind: peer.behind, rounds }),
            Err(error) => {
                say::line(format_args!("{}: {error:#}", peer.name));
                let why = format!("{error:#}").replace(['|', '\n'], " ");
                left_out.push((peer.name, why.chars().take(200).collect()));
            }
        }
    }
    Ok(section(&rows, &left_out))
}

async fn ours(stand: &Stand, backend: &Backend) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, behind) in [("vmcp", Behind::Http), ("vmcp", Behind::Pipe)] {
        let config = match behind {
            Behind::Http => backend.alone(),
            Behind::Pipe => one(&format!(
                "{{name: backend, command: '{}', args: [bench-backend, --pipe]}}",
                std::env::current_exe()?.display()
            )),
        };
        let vmcp = stand.vmcp(&config)?;
        vmcp.warm(1).await?;
        let to = Destination { endpoint: vmcp.endpoint(), middle: Some(vmcp.pid()), backend: None };
        rows.push(Row { name: name.to_owned(), behind, rounds: rounds(stand, &to).await? });
    }
    Ok(rows)
}

async fn measure_one(stand: &Stand, peer: &Peer, backend: &Backend) -> Result<Vec<Outcome>> {
    let folder = stand.folder.join("peers").join(&peer.folder);
    install(stand, peer, &folder)?;
    let address = free_address()?;
    let (port, own) = (address.port().to_string(), std::env::current_exe()?.display().to_string());
    let http = format!("http://{}/mcp", backend.address(1));
    let filled = |text: &String| {
        text.replace("{port}", &port).replace("{http}", &http).replace("{program}", &own)
    };
    for (name, text) in &peer.files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&folder))?;
        fs::write(&path, filled(text)).with_context(|| path.display().to_string())?;
    }
    let mut command = shell::command(&folder, folder.join(&peer.program));
    command.args(peer.arguments.iter().map(filled));
    // Some of them listen on every interface unless they are held back.
    let loopback = stand.root.join("xtask/assets/loopback.cjs");
    command.env("NODE_OPTIONS", format!("--require {}", loopback.display()));
    let log = fs::File::create(folder.join("log"))?;
    command.stdout(log.try_clone()?).stderr(log);
    let mut running = Running::start(&peer.name, &mut command)?;
    running.listening(address)?;
    let endpoint = Endpoint::new(address).calling(peer.tool.as_deref().unwrap_or(TOOL));
    let endpoint = Endpoint { path: peer.path.parse()?, exact: false, ..endpoint };
    let to =
        Destination { endpoint: Arc::new(endpoint), middle: Some(running.pid()), backend: None };
    rounds(stand, &to).await
}

async fn rounds(stand: &Stand, to: &Destination) -> Result<Vec<Outcome>> {
    let load = Load { shape: Shape::SMALL, clients: CLIENTS, time: stand.time * 2 };
    let mut outcomes = Vec::new();
    for _ in 0..stand.rounds.min(ROUNDS) {
        outcomes.push(load::run(to, load).await?);
    }
    Ok(outcomes)
}

/// This version of Python, or the usual one. Where several are managed by pyenv, it gives the one that is asked for.
fn python(version: Option<&str>) -> Command {
    let Some(version) = version else { return Command::new("python3") };
    let mut python = Command::new(format!("python{version}"));
    python.env("PYENV_VERSION", version);
    python
}

/// Installs again only when the pin changed.
fn install(stand: &Stand, peer: &Peer, folder: &Path) -> Result<()> {
    let mark = folder.join("installed.txt");
    let pin = format!("{:?}: {}\n", peer.registry, peer.package).to_lowercase();
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == pin) {
        return Ok(());
    }
    ensure!(!stand.quick, "not installed, and nothing is fetched for a glance");
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    let mut command = match peer.registry {
        Registry::Pip => {
            let mut python = python(peer.python.as_deref());
            shell::run(python.args(["-m", "venv"]).arg(folder))?;
            let mut pip = Command::new(folder.join("bin/pip"));
            pip.args(["install", "--quiet", "--disable-pip-version-check", &peer.package]);
            pip
        }
        Registry::Npm => {
            let mut npm = Command::new("npm");
            npm.args(["install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]);
            npm.arg("--prefix").arg(folder).arg(&peer.package);
            npm
        }
    };
    shell::run_within(command.stdin(Stdio::null()), INSTALL)?;
    let mark: PathBuf = mark;
    fs::write(&mark, pin).with_context(|| mark.display().to_string())
}

fn section(rows: &[Row], left_out: &[(String, String)]) -> Section {
    let head = ["gateway", "behind it", "calls/s", "p50 ms", "p99 ms", "CPU", "RSS MiB"];
    let mut table = Table::new("", &head);
    for row in rows {
        table.row([
            row.name.clone(),
            match row.behind {
                Behind::Http => "server".to_owned(),
                Behind::Pipe => "program".to_owned(),
            },
            row.spread(|round| round.rate).show(0),
            row.spread(|round| round.latency_ms(0.5)).show(2),
            row.spread(|round| round.latency_ms(0.99)).show(1),
            row.spread(|round| round.cpu).show(3),
            format!("{:.0}", row.spread(|round| round.rss as f64 / 1_048_576.0).median),
        ]);
    }
    let mut missing = Table::new("Not in the table:", &["gateway", "why"]);
    for (name, why) in left_out {
        missing.row([name.clone(), why.clone()]);
    }
    let (ours, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.name == "vmcp");
    let cpu = |row: &Row| row.spread(|round| round.cpu).median;
    let best = others.iter().min_by(|a, b| cpu(a).total_cmp(&cpu(b)));
    let same = best.and_then(|best| ours.iter().find(|row| row.behind == best.behind));
    let what = "CPU per call, by that of the best other gateway";
    let target = match (best, same) {
        (Some(best), Some(ours)) => {
            Target::at_most(what, WANTED, "x", Spread::one(cpu(ours) / cpu(best))).noted(&best.name)
        }
        _ => Target::open(what, Direction::AtMost, WANTED, "x", "no other gateway ran"),
    };
    Section {
        about: format!(
            "{CLIENTS} clients, replies of 100 B. The backend is the same server, or the same program for those that \
             only take one. A reply need not come back byte for byte here, but must say the same. CPU: seconds of the gateway \
             and of all that it starts, the backend left out, per 10,000 calls."
        ),
        tables: vec![table, missing],
        targets: vec![target],
        ..Section::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, FILE};

    #[test]
    fn the_file_of_peers_is_understood() {
        let text = std::fs::read_to_string(crate::workspace::root().join(FILE)).unwrap();
        let entries: Vec<Entry> = serde_json::from_str(&text).unwrap();
        assert!(entries.iter().any(|entry| matches!(entry, Entry::Peer(_))));
    }
}
