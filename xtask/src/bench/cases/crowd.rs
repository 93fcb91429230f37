//! Ten thousand open sessions that call at random, beside a few that call as often all together.

use std::fs;
use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::bench::client::{Client, Endpoint};
use crate::bench::load::{Pace, at_random};
use crate::bench::results::{Section, Table, Target};
use crate::bench::shape::Shape;
use crate::bench::spread::Spread;
use crate::bench::stand::{Stand, Vmcp};
use crate::bench::usage;
use crate::say;

const BACKENDS: u8 = 10;
const SESSIONS: usize = 10_000;
const FEW: usize = 64;
/// Calls per second of all sessions: a load that leaves both cores time.
const RATE: f64 = 3000.0;
/// What the load generator and vmcp need besides sessions, of the files that a process may have open.
const SPARE: usize = 1000;

/// One round with so many sessions.
struct Round {
    p50: f64,
    p99: f64,
    calls: u64,
    failures: u64,
    cpu: f64,
}

/// Measures many and few in turns, each at a vmcp of their own.
pub(crate) async fn measure(stand: &Stand) -> Result<Section> {
    let backend = stand.backend()?;
    let sessions = stand.count(500, SESSIONS.min(open_files().saturating_sub(SPARE)));
    let bounds = "session: {maxSessions: 20000}\nlimits: {maxConnections: 20000}\n";
    let config = backend.many(BACKENDS, "t1/", bounds);
    let many = stand.vmcp(&config)?;
    let few = stand.vmcp(&config)?;
    say::line(format_args!("crowd: opening {sessions} sessions"));
    let mut all = [(many, Vec::new(), Vec::new()), (few, Vec::new(), Vec::new())];
    for ((vmcp, clients, _), count) in all.iter_mut().zip([sessions, FEW]) {
        vmcp.warm(usize::from(BACKENDS)).await?;
        *clients = open(vmcp, count).await?;
    }
    for round in 0..stand.rounds {
        say::line(format_args!("crowd: round {} of {}", round + 1, stand.rounds));
        for (vmcp, clients, rounds) in &mut all {
            let (back, outcome) = turn(stand, vmcp, std::mem::take(clients)).await?;
            *clients = back;
            rounds.push(outcome);
        }
    }
    let [(many, _, crowd), (few, _, quiet)] = all;
    let rss = [&many, &few].map(|vmcp| usage::read(vmcp.pid()).rss as f64 / 1_048_576.0);
    Ok(section(sessions, &crowd, &quiet, rss))
}

/// Each session has made one call to the backend that it will call.
async fn open(vmcp: &Vmcp, count: usize) -> Result<Vec<Client>> {
    let endpoints: Vec<Arc<Endpoint>> = (1..=BACKENDS)
        .map(|backend| Arc::new(Endpoint::new(vmcp.address).calling(&format!("b{backend}_tool_0"))))
        .collect();
    let filler = Shape::SMALL.filler();
    let mut clients = Vec::with_capacity(count);
    for number in 0..count {
        let endpoint = &endpoints[number % endpoints.len()];
        let mut client = Client::open(endpoint, number).await?;
        client.call(Shape::SMALL, &filler).await?;
        clients.push(client);
    }
    Ok(clients)
}

async fn turn(stand: &Stand, vmcp: &Vmcp, clients: Vec<Client>) -> Result<(Vec<Client>, Round)> {
    let pace = Pace { rate: RATE, callers: FEW, time: stand.time * 3 };
    let before = usage::read(vmcp.pid()).cpu;
    let (clients, latency, failures) = at_random(clients, &pace).await?;
    let cpu = (usage::read(vmcp.pid()).cpu - before) * 10_000.0 / latency.len().max(1) as f64;
    ensure!(!latency.is_empty(), "nobody called");
    let ms = |quantile| latency.value_at_quantile(quantile) as f64 / 1e6;
    let round = Round { p50: ms(0.5), p99: ms(0.99), calls: latency.len(), failures, cpu };
    Ok((clients, round))
}

fn section(sessions: usize, crowd: &[Round], quiet: &[Round], rss: [f64; 2]) -> Section {
    let head = ["sessions", "calls", "failures", "p50 ms", "p99 ms", "CPU", "RSS MiB"];
    let mut table = Table::new("", &head);
    for ((count, rounds), rss) in [(sessions, crowd), (FEW, quiet)].into_iter().zip(rss) {
        let spread = |of: fn(&Round) -> f64| Spread::of(rounds.iter().map(of));
        table.row([
            count.to_string(),
            rounds.iter().map(|round| round.calls).sum::<u64>().to_string(),
            rounds.iter().map(|round| round.failures).sum::<u64>().to_string(),
            spread(|round| round.p50).show(3),
            spread(|round| round.p99).show(2),
            spread(|round| round.cpu).show(3),
            format!("{rss:.0}"),
        ]);
    }
    let failures: u64 = crowd.iter().map(|round| round.failures).sum();
    let p99 =
        Spread::ratio(crowd.iter().map(|round| round.p99), quiet.iter().map(|round| round.p99));
    let what = format!("p99 of {sessions} sessions at random, by that of {FEW} at the same rate");
    Section {
        about: format!(
            "{BACKENDS} backends. Each session has its own connection, and has called one of them before. {FEW} callers keep \
             {RATE} calls per second between them, each on a session of its share taken at random. CPU: seconds of vmcp per \
             10,000 calls."
        ),
        tables: vec![table],
        targets: vec![
            Target::at_most(
                format!("failures of {sessions} sessions at random"),
                0.0,
                "",
                Spread::one(failures as f64),
            ),
            Target::at_most(what, 3.0, "x", p99),
        ],
        ..Section::default()
    }
}

/// How many files a process may have open here.
fn open_files() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(1024)
}
