//! One run of load: so many clients, so long, against one target.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::client::{Client, Counters, counters};
use super::shape::Shape;
use super::usage::{self, Usage};

/// What a run adds to its own time at most: handshakes, the last calls, the end of the sessions.
const AROUND: Duration = Duration::from_secs(60);
/// Latencies are kept in microseconds with this many digits.
const DIGITS: u8 = 3;

/// Where the load goes, and who stands in the middle.
#[derive(Clone, Copy)]
pub(super) struct Destination {
    /// Where the endpoint listens.
    pub address: SocketAddr,
    /// The process whose cost is measured, if there is one between client and backend.
    pub middle: Option<u32>,
    /// Where the backend counts.
    pub backend: SocketAddr,
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
    /// Latencies in microseconds.
    pub latency: Histogram<u64>,
    /// Processor seconds of the middle process per 10,000 calls.
    pub cpu: f64,
    /// Resident bytes of the middle process at the end.
    pub rss: u64,
    /// Requests at the backend per call, handshakes left out: they are before the clock.
    pub exchanges: f64,
    /// Connections that were opened to the backend meanwhile.
    pub connections: u64,
}

/// Runs the load. Fails on the first reply that is not the expected one.
pub(super) async fn run(to: Destination, load: Load) -> Result<Outcome> {
    timeout(load.time + AROUND, measure(to, load)).await.context("the run does not end")?
}

async fn measure(to: Destination, load: Load) -> Result<Outcome> {
    let barrier = Arc::new(Barrier::new(load.clients + 1));
    let mut clients = JoinSet::new();
    for number in 0..load.clients {
        let mut client = Client::open(to.address, number).await?;
        // The first call opens what is opened lazily: it belongs to the handshake.
        client.call(load.shape, &load.shape.filler()).await?;
        clients.spawn(call_until(client, load, Arc::clone(&barrier)));
    }
    let before = (usage(to.middle), counters(to.backend).await?);
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
    let after = (usage(to.middle), counters(to.backend).await?);
    for client in sessions {
        client.close().await?;
    }
    Ok(outcome(latency, seconds, before, after))
}

fn outcome(
    latency: Histogram<u64>,
    seconds: f64,
    before: (Usage, Counters),
    after: (Usage, Counters),
) -> Outcome {
    let calls = latency.len();
    let per_call = |amount: f64| amount / calls.max(1) as f64;
    Outcome {
        calls,
        rate: calls as f64 / seconds,
        latency,
        cpu: per_call(after.0.cpu - before.0.cpu) * 10_000.0,
        rss: after.0.rss,
        exchanges: per_call((after.1.exchanges - before.1.exchanges) as f64),
        // The second look at the counters is a connection too.
        connections: after.1.connections - before.1.connections - 1,
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
        latency.record((now - start).as_micros() as u64)?;
        start = now;
    }
    Ok((client, latency))
}

fn usage(middle: Option<u32>) -> Usage {
    middle.map(usage::read).unwrap_or_default()
}

/// What many open sessions cost.
pub(super) struct Sessions {
    /// How many were opened.
    pub count: usize,
    /// Resident bytes that each added to the middle process.
    pub bytes: f64,
    /// How long the median handshake with its first call took.
    pub open: Duration,
}

/// Opens many sessions, one call on each, and reads how much the middle process grew.
pub(super) async fn sessions(to: Destination, shape: Shape, count: usize) -> Result<Sessions> {
    timeout(AROUND, grow(to, shape, count)).await.context("the sessions do not open")?
}

async fn grow(to: Destination, shape: Shape, count: usize) -> Result<Sessions> {
    let filler = shape.filler();
    let before = usage(to.middle);
    let mut open = Histogram::<u64>::new(DIGITS)?;
    let mut sessions = Vec::with_capacity(count);
    for number in 0..count {
        let start = Instant::now();
        let mut client = Client::open(to.address, number).await?;
        client.call(shape, &filler).await?;
        open.record(start.elapsed().as_micros() as u64)?;
        sessions.push(client);
    }
    let after = usage(to.middle);
    for client in sessions {
        client.close().await?;
    }
    Ok(Sessions {
        count,
        bytes: after.rss.saturating_sub(before.rss) as f64 / count as f64,
        open: Duration::from_micros(open.value_at_quantile(0.5)),
    })
}
