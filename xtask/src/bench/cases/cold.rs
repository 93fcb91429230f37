//! A start with many slow backends, with nothing known of them and with what the vmcp before left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::backends::count_tools;
use crate::bench::client::{Connection, Endpoint, Session};
use crate::bench::results::{Direction, Section, Table, Target};
use crate::bench::spread::Spread;
use crate::bench::stand::{Backend, Stand};
use crate::{process, say};

const BACKENDS: u8 = 50;
const TOOLS: usize = 20;
const DELAY_MS: u64 = 300;
const PATIENCE: Duration = Duration::from_secs(20);

/// Milliseconds until the whole list was there.
struct Start {
    /// From the start of the process.
    process: f64,
    /// From the first connection that it took.
    connected: f64,
}

/// Measures.
pub(crate) async fn measure(stand: &Stand) -> Result<Section> {
    let backend = stand.backend()?;
    let path = format!("t{TOOLS}/d{DELAY_MS}/");
    let index = format!("catalogue: {{dir: '{}'}}\n", stand.state().join("index").display());
    let keeps = stand.understands(&backend.many(BACKENDS, &path, &index))?;
    let config = backend.many(BACKENDS, &path, if keeps { &index } else { "" });
    let (mut slowest, mut cold, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..stand.rounds {
        say::line(format_args!("cold: round {} of {}", round + 1, stand.rounds));
        slowest.push(straight(&backend, &path).await?);
        stand.forget();
        cold.push(start(stand, &config).await?);
        if keeps {
            again.push(start(stand, &config).await?);
        }
    }
    Ok(section(&slowest, &cold, &again))
}

/// What one backend takes for the same, without anything before it.
async fn straight(backend: &Backend, path: &str) -> Result<f64> {
    let address = backend.address(1);
    let endpoint = Endpoint { path: format!("/{path}mcp").parse()?, ..Endpoint::new(address) };
    let start = Instant::now();
    let mut connection = Connection::open(address).await?;
    let mut session = Session::open(&mut connection, &Arc::new(endpoint), 0).await?;
    let list = session.list(&mut connection, None).await?;
    ensure!(count_tools(&list) == TOOLS, "the backend lists something else");
    Ok(since(start))
}

/// Starts vmcp, asks until the list is whole, and stops it when it had time to write down what it knows.
async fn start(stand: &Stand, config: &str) -> Result<Start> {
    let tools = usize::from(BACKENDS) * TOOLS;
    let began = Instant::now();
    let vmcp = stand.vmcp_at_once(config)?;
    let mut connection = vmcp.connect().await?;
    let connected = Instant::now();
    let mut session = Session::open(&mut connection, &vmcp.endpoint(), 0).await?;
    loop {
        let list = session.list(&mut connection, None).await?;
        let took = Start { process: since(began), connected: since(connected) };
        if count_tools(&list) == tools {
            vmcp.warm(tools).await?;
            // The backends are asked anew meanwhile, whatever was known: a stop then is one of every day.
            tokio::time::sleep(Duration::from_millis(5 * DELAY_MS)).await;
            tokio::task::spawn_blocking(|| vmcp.stop()).await?;
            return Ok(took);
        }
        if began.elapsed() > PATIENCE {
            bail!("{} tools of {tools} after {} s", count_tools(&list), PATIENCE.as_secs());
        }
        process::pause();
    }
}

fn since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn section(slowest: &[f64], cold: &[Start], again: &[Start]) -> Section {
    let spread = |starts: &[Start], of: fn(&Start) -> f64| Spread::of(starts.iter().map(of));
    let mut table = Table::new("", &["start", "ms since the process", "ms since it listens"]);
    let direct = Spread::of(slowest.iter().copied());
    table.row(["one backend, direct".to_owned(), direct.show(0), "-".to_owned()]);
    for (name, starts) in [("nothing known", cold), ("after a restart", again)] {
        let process = spread(starts, |start| start.process);
        let connected = spread(starts, |start| start.connected);
        table.row([name.to_owned(), process.show(1), connected.show(1)]);
    }
    let ratio = Spread::ratio(cold.iter().map(|start| start.process), slowest.iter().copied());
    let what = format!("{BACKENDS} backends, cold: the whole list, by one backend direct");
    let restart = "the same after a restart: handshake and list of the first client";
    let restarted = if again.is_empty() {
        let why = "this build keeps nothing: no key `catalogue.dir`";
        Target::open(restart, Direction::AtMost, 5.0, " ms", why)
    } else {
        Target::at_most(restart, 5.0, " ms", spread(again, |start| start.connected))
    };
    Section {
        about: format!(
            "{BACKENDS} backends of {TOOLS} tools, each of which takes {DELAY_MS} ms for every request. A client connects as \
             soon as vmcp listens, shakes hands, and lists until all {} tools are there.",
            usize::from(BACKENDS) * TOOLS
        ),
        tables: vec![table],
        targets: vec![Target::at_most(what, 1.2, "x", ratio), restarted],
        ..Section::default()
    }
}
