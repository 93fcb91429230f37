//! A handshake and a list, with few and with many backends behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::bench::client::{Connection, Endpoint, Session};
use crate::bench::results::{Section, Table, Target};
use crate::bench::spread::Spread;
use crate::bench::stand::{Stand, Vmcp};
use crate::bench::usage;
use crate::say;

const BACKENDS: [u8; 4] = [1, 5, 20, 50];
const TOOLS: usize = 20;

/// One round at one vmcp: medians in milliseconds.
#[derive(Clone, Copy)]
struct Round {
    opening: f64,
    list: f64,
    both: f64,
    /// Processor milliseconds of vmcp for both.
    cpu: f64,
    bytes: usize,
}

/// Measures all numbers of backends in turns.
pub(crate) async fn measure(stand: &Stand) -> Result<Section> {
    let backend = stand.backend()?;
    let mut all: Vec<(Vmcp, Vec<Round>)> = Vec::new();
    for count in BACKENDS {
        let vmcp = stand.vmcp(&backend.many(count, &format!("t{TOOLS}/"), ""))?;
        vmcp.warm(usize::from(count) * TOOLS).await?;
        all.push((vmcp, Vec::new()));
    }
    for round in 0..stand.rounds {
        say::line(format_args!("backends: round {} of {}", round + 1, stand.rounds));
        for ((vmcp, rounds), count) in all.iter_mut().zip(BACKENDS) {
            rounds.push(turn(vmcp, stand.time, usize::from(count) * TOOLS).await?);
        }
    }
    Ok(section(&all.into_iter().map(|(_, rounds)| rounds).collect::<Vec<_>>()))
}

async fn turn(vmcp: &Vmcp, time: Duration, tools: usize) -> Result<Round> {
    let endpoint: Arc<Endpoint> = vmcp.endpoint();
    let mut connection = Connection::open(vmcp.address).await?;
    let expected = {
        let mut session = Session::open(&mut connection, &endpoint, 0).await?;
        let list = session.list(&mut connection, None).await?;
        session.close(&mut connection).await?;
        list
    };
    let found = count_tools(&expected);
    ensure!(found == tools, "{found} tools are listed, not {tools}");
    let before = usage::read(vmcp.pid()).cpu;
    let (mut opening, mut listing, mut both) = (Vec::new(), Vec::new(), Vec::new());
    let end = Instant::now() + time;
    let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
    while Instant::now() < end {
        let start = Instant::now();
        let mut session = Session::open(&mut connection, &endpoint, 0).await?;
        let open = Instant::now();
        let list = session.list(&mut connection, None).await?;
        let done = Instant::now();
        ensure!(list == expected, "the list changed");
        opening.push(ms(start, open));
        listing.push(ms(open, done));
        both.push(ms(start, done));
        session.close(&mut connection).await?;
    }
    let cpu = (usage::read(vmcp.pid()).cpu - before) * 1e3 / both.len() as f64;
    let median = |values: Vec<f64>| Spread::of(values).median;
    Ok(Round {
        opening: median(opening),
        list: median(listing),
        both: median(both),
        cpu,
        bytes: expected.len(),
    })
}

/// How many tools are in a list.
pub(super) fn count_tools(list: &[u8]) -> usize {
    let list: serde_json::Value = serde_json::from_slice(list).unwrap_or_default();
    list["result"]["tools"].as_array().map_or(0, Vec::len)
}

fn section(all: &[Vec<Round>]) -> Section {
    let head = ["backends", "handshake ms", "list ms", "both ms", "CPU ms", "bytes of the list"];
    let mut table = Table::new("", &head);
    for (count, rounds) in BACKENDS.iter().zip(all) {
        let spread = |of: fn(&Round) -> f64| Spread::of(rounds.iter().map(of)).show(3);
        table.row([
            count.to_string(),
            spread(|round| round.opening),
            spread(|round| round.list),
            spread(|round| round.both),
            spread(|round| round.cpu),
            rounds.first().map_or(0, |round| round.bytes).to_string(),
        ]);
    }
    let ratio = |of: fn(&Round) -> f64| {
        let most = all.last().into_iter().flatten().map(of);
        Spread::ratio(most, all.first().into_iter().flatten().map(of))
    };
    let both = ratio(|round| round.both);
    Section {
        about: format!(
            "Medians of sessions opened one after the other on a kept connection, each with {TOOLS} tools per backend: \
             `initialize` and `notifications/initialized`, then `tools/list` in one page. All lists are known beforehand. CPU: of \
             vmcp, for both and the end of the session."
        ),
        tables: vec![table],
        targets: vec![
            Target::at_most("`initialize` and `tools/list`, 50 backends by 1", 1.2, "x", both)
                .noted("the list is 50 times as long"),
            Target::at_most("the same without the list", 1.2, "x", ratio(|round| round.opening)),
        ],
        ..Section::default()
    }
}
