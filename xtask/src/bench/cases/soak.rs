//! Load for a long time: memory stays flat, and nothing is kept open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::backends::count_tools;
use crate::bench::client::{Client, Endpoint};
use crate::bench::load::next_random;
use crate::bench::results::{Section, Table, Target};
use crate::bench::shape::{Framing, Shape};
use crate::bench::spread::Spread;
use crate::bench::stand::{Stand, Vmcp};
use crate::bench::usage;
use crate::say;

const BACKENDS: u8 = 5;
const TOOLS: usize = 20;
/// Clients that call all the time on one session each.
const STEADY: usize = 24;
/// Clients that come, call a little, listen perhaps, and go, half of them without a word.
const PASSING: usize = 8;
/// Calls per second of all of them, unless said otherwise: a rate that leaves both cores time, so that a soak is no race.
pub(crate) const RATE: f64 = 2000.0;
const LEAST_RATE: f64 = 20.0;
/// The part of it that those make that come and go.
const PASSING_PART: f64 = 0.2;
/// Calls of one that comes and goes, on average, before it goes.
const PASSING_CALLS: f64 = 3.5;
/// Between two looks at memory and files.
const LOOK: Duration = Duration::from_secs(5);
/// Memory is compared from here on, or from a sixth of a shorter run.
const SETTLED: Duration = Duration::from_secs(300);
/// How long the sessions that were left may take to be ended, idle time included.
const AFTER: Duration = Duration::from_secs(180);
/// Sessions end after this without use, and connections too: so that what is left is seen within a run.
const IDLE: &str =
    "session: {idle: 30s, maxSessions: 20000}\ntimeouts: {idleConnection: 30s, replay: 30s}\n";

/// What all clients share.
#[derive(Clone)]
struct Load {
    over: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    /// Calls per second of all.
    rate: f64,
}

struct Look {
    at: Duration,
    rss: f64,
    files: usize,
    calls: u64,
}

/// Loads vmcp for so long, with so many calls per second.
pub(crate) async fn measure(stand: &Stand, time: Duration, rate: f64) -> Result<Section> {
    ensure!(
        rate >= LEAST_RATE,
        "`--rate` must be {LEAST_RATE} or more: sessions would end for want of use"
    );
    let backend = stand.backend()?;
    let vmcp = stand.vmcp(&backend.many(BACKENDS, &format!("t{TOOLS}/"), IDLE))?;
    vmcp.warm(usize::from(BACKENDS) * TOOLS).await?;
    let start = Instant::now();
    let look = |calls: u64| Look {
        at: start.elapsed(),
        rss: usage::read(vmcp.pid()).rss as f64 / 1_048_576.0,
        files: usage::descriptors(vmcp.pid()),
        calls,
    };
    let before = look(0);
    let load = Load { over: Arc::default(), calls: Arc::default(), rate };
    let mut clients = clients(&vmcp, &load);
    let mut looks = Vec::new();
    while start.elapsed() < time {
        sleep(LOOK.min(time / 20)).await;
        // A client that ended has failed: the others never end by themselves.
        if let Some(ended) = clients.try_join_next() {
            ended?.context("a client failed")?;
        }
        let now = look(load.calls.load(Ordering::Relaxed));
        if looks.len() % 12 == 0 {
            let (at, calls) = (now.at.as_secs(), now.calls);
            say::line(format_args!(
                "soak: {at} s, {:.1} MiB, {} files, {calls} calls",
                now.rss, now.files
            ));
        }
        looks.push(now);
    }
    load.over.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended?.context("a client failed")?;
    }
    let mut after = look(load.calls.load(Ordering::Relaxed));
    let end = Instant::now() + AFTER;
    while after.files > before.files && Instant::now() < end {
        sleep(LOOK).await;
        after = look(after.calls);
    }
    Ok(section((time, rate), &before, &looks, &after))
}

fn clients(vmcp: &Vmcp, load: &Load) -> JoinSet<Result<()>> {
    let mut clients = JoinSet::new();
    for number in 0..STEADY + PASSING {
        let backend = number % usize::from(BACKENDS) + 1;
        let tool = format!("b{backend}_tool_{}", number % TOOLS);
        let endpoint = Arc::new(Endpoint::new(vmcp.address).calling(&tool));
        if number < STEADY {
            clients.spawn(steady(endpoint, number, load.clone()));
        } else {
            clients.spawn(passing(endpoint, number, load.clone()));
        }
    }
    clients
}

/// Sizes and framings in turn: mostly small.
fn shape(random: u64) -> Shape {
    let framing = if random.is_multiple_of(3) { Framing::Sse } else { Framing::Json };
    let bytes = match random % 101 {
        0 => 1_000_000,
        1..=10 => 10_000,
        _ => 100,
    };
    Shape { framing, bytes }
}

async fn steady(endpoint: Arc<Endpoint>, number: usize, load: Load) -> Result<()> {
    let mut client = Client::open(&endpoint, number).await?;
    let mut random = number as u64 + 1;
    let mut pace = Pace::new(STEADY as f64 / (load.rate * (1.0 - PASSING_PART)));
    while !load.is_over() {
        random = next_random(random);
        let shape = shape(random);
        client.call(shape, &shape.filler()).await?;
        load.called();
        pace.wait(random).await;
    }
    client.close().await
}

async fn passing(endpoint: Arc<Endpoint>, number: usize, load: Load) -> Result<()> {
    let mut random = number as u64 + 1;
    let mut pace = Pace::new(PASSING as f64 * PASSING_CALLS / (load.rate * PASSING_PART));
    while !load.is_over() {
        random = next_random(random);
        let mut client = Client::open(&endpoint, number).await?;
        let list = client.list(None).await?;
        ensure!(count_tools(&list) == usize::from(BACKENDS) * TOOLS, "the list changed");
        for _ in 0..random % 8 {
            client.call(Shape::SMALL, &Shape::SMALL.filler()).await?;
            load.called();
        }
        pace.wait(random).await;
        match random % 4 {
            // Gone in the middle of a stream, gone between two calls, or gone as one should.
            0 => drop((client.listen().await?, client)),
            1 => drop(client),
            _ => client.close().await?,
        }
    }
    Ok(())
}

// === impl Load ===

impl Load {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits between what one client does, now less, now more, so long on average.
struct Pace {
    between: Duration,
    due: Instant,
}

// === impl Pace ===

impl Pace {
    fn new(seconds: f64) -> Self {
        Self { between: Duration::from_secs_f64(seconds), due: Instant::now() }
    }

    /// What was late is not caught up with: that would be a race.
    async fn wait(&mut self, random: u64) {
        let part = (random >> 16) % 2000;
        self.due += self.between.mul_f64(part as f64 / 1000.0);
        self.due = self.due.max(Instant::now());
        sleep_until(self.due).await;
    }
}

fn section((time, rate): (Duration, f64), before: &Look, looks: &[Look], after: &Look) -> Section {
    let settled = SETTLED.min(time / 6);
    let later: Vec<&Look> = looks.iter().filter(|look| look.at >= settled).collect();
    // A single look says little where an allocator gives and takes: windows of a tenth are compared.
    let window = (later.len() / 10).max(1);
    let mean =
        |looks: &[&Look]| looks.iter().map(|look| look.rss).sum::<f64>() / looks.len() as f64;
    let (first, last) = (
        mean(later.get(..window).unwrap_or_default()),
        mean(later.get(later.len().saturating_sub(window)..).unwrap_or_default()),
    );
    let most = later.iter().map(|look| look.rss).fold(0.0, f64::max);
    let mut table = Table::new("", &["what", "value"]);
    let mut row = |what: String, value: String| table.row([what, value]);
    let settled_s = settled.as_secs();
    row("calls, each reply checked".to_owned(), after.calls.to_string());
    row("RSS before".to_owned(), format!("{:.1} MiB", before.rss));
    row(format!("RSS after {settled_s} s, mean of a tenth of the rest"), format!("{first:.1} MiB"));
    row("RSS at the end, mean of the last tenth".to_owned(), format!("{last:.1} MiB"));
    row(format!("the most after {settled_s} s"), format!("{most:.1} MiB"));
    row("files open before".to_owned(), before.files.to_string());
    let peak = looks.iter().map(|look| look.files).max().unwrap_or(0);
    row("files open at most".to_owned(), peak.to_string());
    row("files open after all clients have gone".to_owned(), after.files.to_string());
    let minutes = time.as_secs_f64() / 60.0;
    Section {
        about: format!(
            "{minutes:.0} minutes, {BACKENDS} backends: {STEADY} clients that call all the time (small, 10 KB, 1 MB; JSON and \
             SSE), {PASSING} that come, list, call, listen and go, some without a word, {rate:.0} calls per second together at \
             most. Sessions and connections end after 30 s without use."
        ),
        tables: vec![table],
        targets: vec![
            Target::at_most(
                format!("RSS after {minutes:.0} minutes of load, by that after {settled_s} s"),
                1.05,
                "x",
                Spread::one(last / first),
            ),
            Target::at_most(
                "files kept open after the load",
                0.0,
                "",
                Spread::one(after.files.saturating_sub(before.files) as f64),
            ),
        ],
        ..Section::default()
    }
}
