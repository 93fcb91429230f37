//! One run of load: so many clients, so long, against one target.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::client::{Client, Counters, Endpoint, counters};
use super::shape::Shape;
use super::usage::{self, Usage};

/// What a run adds to its own time at most: handshakes, the last calls, the end of the sessions.
const AROUND: Duration = Duration::from_secs(60);
/// Latencies are kept in nanoseconds with this many digits.
const DIGITS: u8 = 3;

/// Where the load goes, and who stands in the middle.
#[derive(Clone)]
pub(super) struct Destination {
    /// Where the endpoint is.
    pub endpoint: Arc<Endpoint>,
    /// The process whose cost is measured, if there is one between client and backend.
    pub middle: Option<u32>,
    /// Where the backend counts, if it does.
    pub backend: Option<SocketAddr>,
}

/// What kind of load.
#[derive(Clone, Copy)]
pub(super) struct Load {
    /// What each call asks for.
    pub shape: Shape,
    /// How many clients call at the same time, each on its own session.
    pub clients: usize,
    /// For how long.
    pub time: Duration,
}

/// What came out of a run.
pub(super) struct Outcome {
    /// Calls that were answered rightly; a wrong answer fails the run.
    pub calls: u64,
    /// Calls per second.
    pub rate: f64,
    /// Latencies in nanoseconds.
    pub latency: Histogram<u64>,
    /// Processor seconds of the middle process per 10,000 calls.
    pub cpu: f64,
    /// Resident bytes of the middle process at the end.
    pub rss: u64,
    /// What the middle process grew by at most for each call in flight, in bytes.
    pub growth: f64,
    /// Requests at the backend per call, handshakes left out: they are before the clock.
    pub exchanges: f64,
    /// Connections that were opened to the backend meanwhile.
    pub connections: u64,
}

impl Outcome {
    /// A quantile of the latencies in milliseconds.
    pub(super) fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// Runs the load. Fails on the first reply that is not the expected one.
pub(super) async fn run(to: &Destination, load: Load) -> Result<Outcome> {
    timeout(load.time + AROUND, measure(to, load)).await.context("the run does not end")?
}

async fn measure(to: &Destination, load: Load) -> Result<Outcome> {
    let barrier = Arc::new(Barrier::new(load.clients + 1));
    let mut clients = JoinSet::new();
    for number in 0..load.clients {
        let mut client = Client::open(&to.endpoint, number).await?;
        // The first call opens what is opened lazily: it belongs to the handshake.
        client.call(Shape::SMALL, &Shape::SMALL.filler()).await?;
        clients.spawn(call_until(client, load, Arc::clone(&barrier)));
    }
    if let Some(middle) = to.middle {
        usage::forget_peak(middle);
    }
    let before = (usage(to.middle), count(to).await?);
    barrier.wait().await;
    let start = Instant::now();
    let mut latency = Histogram::new(DIGITS)?;
    let mut sessions = Vec::new();
    while let Some(done) = clients.join_next().await {
        let (client, own) = done??;
        latency.add(own)?;
        sessions.push(client);
    }
    let seconds = start.elapsed().as_secs_f64();
    let after = (usage(to.middle), count(to).await?);
    for client in sessions {
        client.close().await?;
    }
    Ok(outcome(load, latency, seconds, before, after))
}

fn outcome(
    load: Load,
    latency: Histogram<u64>,
    seconds: f64,
    before: (Usage, Counters),
    after: (Usage, Counters),
) -> Outcome {
    let calls = latency.len();
    let per_call = |amount: f64| amount / calls.max(1) as f64;
    let growth = after.0.peak.saturating_sub(before.0.rss) as f64 / load.clients as f64;
    Outcome {
        calls,
        rate: calls as f64 / seconds,
        latency,
        cpu: per_call(after.0.cpu - before.0.cpu) * 10_000.0,
        rss: after.0.rss,
        growth,
        exchanges: per_call((after.1.exchanges - before.1.exchanges) as f64),
        // The second look at the counters is a connection too.
        connections: (after.1.connections - before.1.connections).saturating_sub(1),
    }
}

async fn call_until(
    mut client: Client,
    load: Load,
    barrier: Arc<Barrier>,
) -> Result<(Client, Histogram<u64>)> {
    let filler = load.shape.filler();
    let mut latency = Histogram::new(DIGITS)?;
    barrier.wait().await;
    let end = Instant::now() + load.time;
    let mut start = Instant::now();
    while start < end {
        client.call(load.shape, &filler).await?;
        let now = Instant::now();
        latency.record((now - start).as_nanos() as u64)?;
        start = now;
    }
    Ok((client, latency))
}

/// Clients that call at a fixed rate all together, however long each call takes.
pub(super) struct Pace {
    /// Calls per second of all.
    pub rate: f64,
    /// How many callers share it; each has its part of the clients and picks among them at random.
    pub callers: usize,
    /// For how long.
    pub time: Duration,
}

/// Calls at random on these clients; gives them back with the latencies and the number of failures.
pub(super) async fn at_random(
    clients: Vec<Client>,
    pace: &Pace,
) -> Result<(Vec<Client>, Histogram<u64>, u64)> {
    let mut parts: Vec<Vec<Client>> = (0..pace.callers).map(|_| Vec::new()).collect();
    for (number, client) in clients.into_iter().enumerate() {
        parts[number % pace.callers].push(client);
    }
    let between = Duration::from_secs_f64(pace.callers as f64 / pace.rate);
    let start = Instant::now() + Duration::from_millis(50);
    let mut callers = JoinSet::new();
    for (number, part) in parts.into_iter().enumerate() {
        let first = start + between.mul_f64(number as f64 / pace.callers as f64);
        callers.spawn(call_paced(part, first, between, start + pace.time, number as u64 + 1));
    }
    let mut all = Vec::new();
    let mut latency = Histogram::new(DIGITS)?;
    let mut failures = 0;
    while let Some(done) = callers.join_next().await {
        let (part, own, failed) = done??;
        all.extend(part);
        latency.add(own)?;
        failures += failed;
    }
    Ok((all, latency, failures))
}

async fn call_paced(
    mut part: Vec<Client>,
    mut due: Instant,
    between: Duration,
    end: Instant,
    mut random: u64,
) -> Result<(Vec<Client>, Histogram<u64>, u64)> {
    let filler = Shape::SMALL.filler();
    let mut latency = Histogram::new(DIGITS)?;
    let mut failures = 0;
    while due < end {
        tokio::time::sleep_until(due).await;
        due += between;
        random = next_random(random);
        let index = (random % part.len().max(1) as u64) as usize;
        let Some(client) = part.get_mut(index) else { break };
        let start = Instant::now();
        match client.call(Shape::SMALL, &filler).await {
            Ok(()) => latency.record(start.elapsed().as_nanos() as u64)?,
            Err(_) => failures += 1,
        }
    }
    Ok((part, latency, failures))
}

/// Marsaglia's xorshift: the same in every run.
pub(super) fn next_random(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^ (state << 17)
}

fn usage(middle: Option<u32>) -> Usage {
    middle.map(usage::read).unwrap_or_default()
}

async fn count(to: &Destination) -> Result<Counters> {
    match to.backend {
        Some(backend) => counters(backend).await,
        None => Ok(Counters::default()),
    }
}
