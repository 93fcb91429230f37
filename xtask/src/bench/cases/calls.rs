//! `tools/call` direct, through nginx and through vmcp.

use anyhow::{Context, Result};

use crate::bench::client::Endpoint;
use crate::bench::load::{self, Destination, Load, Outcome};
use crate::bench::nginx;
use crate::bench::results::{Direction, Section, Table, Target};
use crate::bench::shape::{Framing, Shape, size};
use crate::bench::spread::Spread;
use crate::bench::stand::Stand;
use crate::say;

const DIRECT: &str = "direct";
const NGINX: &str = "nginx";
const VMCP: &str = "vmcp";

/// One row for each target.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    shape: Shape,
    clients: usize,
}

/// All rounds of one kind at one target.
struct Series {
    kind: Kind,
    target: &'static str,
    rounds: Vec<Outcome>,
}

impl Series {
    fn each(&self, of: fn(&Outcome) -> f64) -> impl Iterator<Item = f64> {
        self.rounds.iter().map(of)
    }

    fn spread(&self, of: fn(&Outcome) -> f64) -> Spread {
        Spread::of(self.each(of))
    }
}

/// Measures.
pub(crate) async fn measure(stand: &Stand) -> Result<Section> {
    let backend = stand.backend()?;
    let nginx = stand.nginx(&backend)?;
    let vmcp = stand.vmcp(&backend.alone())?;
    let mut targets = vec![(DIRECT, backend.direct())];
    if let Some(nginx) = &nginx {
        let endpoint = Endpoint::new(nginx.address);
        targets.push((NGINX, backend.through(endpoint, nginx.process.pid())));
    }
    targets.push((VMCP, backend.through(Endpoint::new(vmcp.address), vmcp.pid())));
    let all = rounds(stand, &kinds(stand.quick), &targets).await?;
    section(&all, &nginx::version(&stand.folder)?)
}

/// Many clients with small replies, then larger replies and event streams.
fn kinds(quick: bool) -> Vec<Kind> {
    let kind = |framing, bytes, clients| Kind { shape: Shape { framing, bytes }, clients };
    let clients: &[usize] = if quick { &[1, 16, 64] } else { &[1, 16, 64, 256] };
    let mut kinds: Vec<Kind> =
        clients.iter().map(|clients| kind(Framing::Json, 100, *clients)).collect();
    kinds.push(kind(Framing::Sse, 100, 16));
    for framing in [Framing::Json, Framing::Sse] {
        kinds.extend([10_000, 1_000_000].map(|bytes| kind(framing, bytes, 16)));
    }
    kinds
}

async fn rounds(
    stand: &Stand,
    kinds: &[Kind],
    targets: &[(&'static str, Destination)],
) -> Result<Vec<Series>> {
    let mut all: Vec<Series> = Vec::new();
    for kind in kinds {
        let series = targets.iter().map(|(target, _)| *target);
        all.extend(series.map(|target| Series { kind: *kind, target, rounds: Vec::new() }));
    }
    for round in 0..stand.rounds {
        say::line(format_args!("calls: round {} of {}", round + 1, stand.rounds));
        for kind in kinds {
            // Every target goes first in some round.
            for turn in 0..targets.len() {
                let (target, to) = &targets[(turn + round) % targets.len()];
                let load = Load { shape: kind.shape, clients: kind.clients, time: stand.time };
                let outcome = load::run(to, load)
                    .await
                    .with_context(|| format!("{} clients at {target}", kind.clients))?;
                if let Some(own) = all.iter_mut().find(|s| s.kind == *kind && s.target == *target) {
                    own.rounds.push(outcome);
                }
            }
        }
    }
    Ok(all)
}

fn section(all: &[Series], nginx: &str) -> Result<Section> {
    let calls: u64 = all.iter().flat_map(|series| &series.rounds).map(|round| round.calls).sum();
    Ok(Section {
        about: format!(
            "CPU: seconds of the process in the middle per 10,000 calls. Exchanges: requests at the backend per call. \
             Connections: those opened to the backend while the calls ran. {calls} calls, each reply checked; nginx {nginx}."
        ),
        tables: vec![numbers(all), ratios(all)],
        targets: targets(all),
        ..Section::default()
    })
}

fn numbers(all: &[Series]) -> Table {
    let mut table = Table::new(
        "",
        &[
            "reply, clients",
            "target",
            "calls/s",
            "p50 ms",
            "p99 ms",
            "CPU",
            "RSS MiB",
            "exchanges",
            "connections",
        ],
    );
    for series in all {
        let middle = series.target != DIRECT;
        let only_middle = |text: String| if middle { text } else { "-".to_owned() };
        table.row([
            label(series.kind),
            series.target.to_owned(),
            series.spread(|round| round.rate).show(0),
            format!("{:.3}", series.spread(|round| round.latency_ms(0.5)).median),
            series.spread(|round| round.latency_ms(0.99)).show(2),
            only_middle(series.spread(|round| round.cpu).show(3)),
            only_middle(format!(
                "{:.0}",
                series.spread(|round| round.rss as f64 / 1_048_576.0).median
            )),
            format!("{:.3}", series.spread(|round| round.exchanges).median),
            format!("{:.0}", series.spread(|round| round.connections as f64).median),
        ]);
    }
    table
}

fn ratios(all: &[Series]) -> Table {
    let about =
        "vmcp divided by the other. A rate above 1 and a CPU or p99 below 1 are in favour of vmcp.";
    let head = ["reply, clients", "rate / direct", "rate / nginx", "p99 / nginx", "CPU / nginx"];
    let mut table = Table::new(about, &head);
    for vmcp in all.iter().filter(|series| series.target == VMCP) {
        let to = |other: &str, of| {
            ratio(all, vmcp.kind, VMCP, other, of).map_or("-".to_owned(), |ratio| ratio.show(2))
        };
        table.row([
            label(vmcp.kind),
            to(DIRECT, |round| round.rate),
            to(NGINX, |round| round.rate),
            to(NGINX, |round| round.latency_ms(0.99)),
            to(NGINX, |round| round.cpu),
        ]);
    }
    table
}

fn targets(all: &[Series]) -> Vec<Target> {
    let small = |clients| Kind { shape: Shape::SMALL, clients };
    let mut targets = Vec::new();
    let mut add = |what: &str, direction: Direction, bound: f64, value: Option<Spread>| {
        targets.push(match (value, direction) {
            (Some(value), Direction::AtMost) => Target::at_most(what, bound, "x", value),
            (Some(value), Direction::AtLeast) => Target::at_least(what, bound, "x", value),
            (None, direction) => Target::open(what, direction, bound, "x", "not in this run"),
        });
    };
    let cpu = ratio(all, small(64), VMCP, NGINX, |round| round.cpu);
    add("CPU per call, 100 B JSON, 64 clients, by nginx's", Direction::AtMost, 1.3, cpu);
    for clients in [16, 64, 256] {
        let what = format!("calls/s, 100 B JSON, {clients} clients, by nginx's");
        let rate = ratio(all, small(clients), VMCP, NGINX, |round| round.rate);
        add(&what, Direction::AtLeast, 0.8, rate);
    }
    let what = "what the median call of 1 client takes longer than direct, by the same of nginx";
    add(what, Direction::AtMost, 1.5, added(all, small(1)));
    let long = Kind { shape: Shape { framing: Framing::Json, bytes: 1_000_000 }, clients: 16 };
    let rate = ratio(all, long, VMCP, NGINX, |round| round.rate);
    add("calls/s, 1 MB JSON, 16 clients, by nginx's", Direction::AtLeast, 0.9, rate);
    let stream = Kind { shape: Shape { framing: Framing::Sse, bytes: 100 }, clients: 16 };
    let of = series(all, stream, VMCP).map(|series| series.each(|round| round.rate));
    let to = series(all, small(16), VMCP).map(|series| series.each(|round| round.rate));
    let rate = of.zip(to).map(|(of, to)| Spread::ratio(of, to));
    add("calls/s, 100 B SSE, 16 clients, by our own of JSON", Direction::AtLeast, 0.7, rate);
    targets
}

fn series<'a>(all: &'a [Series], kind: Kind, target: &str) -> Option<&'a Series> {
    all.iter().find(|series| series.kind == kind && series.target == target)
}

fn ratio(
    all: &[Series],
    kind: Kind,
    of: &str,
    to: &str,
    what: fn(&Outcome) -> f64,
) -> Option<Spread> {
    let (of, to) = (series(all, kind, of)?, series(all, kind, to)?);
    Some(Spread::ratio(of.each(what), to.each(what)))
}

/// What vmcp adds to the median of the direct way, by what nginx adds.
fn added(all: &[Series], kind: Kind) -> Option<Spread> {
    let median = |target| Some(series(all, kind, target)?.each(|round| round.latency_ms(0.5)));
    let (direct, nginx, vmcp) = (median(DIRECT)?, median(NGINX)?, median(VMCP)?);
    let direct: Vec<f64> = direct.collect();
    let over = |one: f64, direct: &f64| one - direct;
    let vmcp = vmcp.zip(&direct).map(|(one, direct)| over(one, direct));
    let nginx = nginx.zip(&direct).map(|(one, direct)| over(one, direct));
    Some(Spread::ratio(vmcp, nginx))
}

fn label(kind: Kind) -> String {
    format!("{} {}, {}", size(kind.shape.bytes), kind.shape.framing.name(), kind.clients)
}
