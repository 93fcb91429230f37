//! A list of 10,000 tools: the first after a start, then the same again.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::backends::count_tools;
use crate::bench::client::{Connection, Endpoint, Session};
use crate::bench::results::{Section, Table, Target};
use crate::bench::spread::Spread;
use crate::bench::stand::{Backend, Stand};
use crate::say;

const BACKENDS: u8 = 10;
const TOOLS: usize = 1000;
const ALL: usize = BACKENDS as usize * TOOLS;

/// Milliseconds of one round.
struct Round {
    first: f64,
    repeated: f64,
    direct: f64,
    bytes: usize,
}

/// Measures, each round with a new process.
pub(crate) async fn measure(stand: &Stand) -> Result<Section> {
    let backend = stand.backend()?;
    let page = format!("aggregation: {{pageSize: {ALL}}}\n");
    let config = backend.many(BACKENDS, &format!("t{TOOLS}/"), &page);
    let mut rounds = Vec::new();
    for round in 0..stand.rounds {
        say::line(format_args!("list: round {} of {}", round + 1, stand.rounds));
        rounds.push(turn(stand, &backend, &config).await?);
    }
    let spread = |of: fn(&Round) -> f64| Spread::of(rounds.iter().map(of));
    let (first, repeated) = (spread(|round| round.first), spread(|round| round.repeated));
    let mut table = Table::new("", &["list", "ms"]);
    table.row(["the first".to_owned(), first.show(2)]);
    table.row(["again".to_owned(), repeated.show(2)]);
    table.row(["the same number direct".to_owned(), spread(|round| round.direct).show(2)]);
    let bytes = rounds.first().map_or(0, |round| round.bytes);
    Ok(Section {
        about: format!(
            "{BACKENDS} backends of {TOOLS} tools, all in one page of {bytes} bytes. The first: that of the first client after a \
             start, once all tools are known. Again: the median of what the same client gets then. Direct: from one backend \
             that has the answer ready."
        ),
        tables: vec![table],
        targets: vec![
            Target::at_most("`tools/list` of 10,000 tools, the first", 10.0, " ms", first),
            Target::at_most("`tools/list` of 10,000 tools, again", 1.0, " ms", repeated),
        ],
        ..Section::default()
    })
}

async fn turn(stand: &Stand, backend: &Backend, config: &str) -> Result<Round> {
    let vmcp = stand.vmcp(config)?;
    vmcp.warm(ALL).await?;
    let mut connection = Connection::open(vmcp.address).await?;
    let mut session = Session::open(&mut connection, &vmcp.endpoint(), 0).await?;
    let start = Instant::now();
    let list = session.list(&mut connection, None).await?;
    let first = start.elapsed().as_secs_f64() * 1e3;
    let found = count_tools(&list);
    ensure!(found == ALL, "{found} tools are listed, not {ALL}");
    let repeated = again(&mut session, &mut connection, &list, stand.time).await?;
    let address = backend.address(1);
    let endpoint = Endpoint { path: format!("/t{ALL}/mcp").parse()?, ..Endpoint::new(address) };
    let mut connection = Connection::open(address).await?;
    let mut session = Session::open(&mut connection, &endpoint.into(), 0).await?;
    let expected = session.list(&mut connection, None).await?;
    ensure!(count_tools(&expected) == ALL, "the backend lists something else");
    let direct = again(&mut session, &mut connection, &expected, stand.time / 2).await?;
    Ok(Round { first, repeated, direct, bytes: list.len() })
}

/// The median of the same list again and again.
async fn again(
    session: &mut Session,
    connection: &mut Connection,
    expected: &[u8],
    time: Duration,
) -> Result<f64> {
    let mut took = Vec::new();
    let end = Instant::now() + time;
    while Instant::now() < end {
        let start = Instant::now();
        let list = session.list(connection, None).await?;
        took.push(start.elapsed().as_secs_f64() * 1e3);
        ensure!(list == expected, "the list changed");
    }
    Ok(Spread::of(took).median)
}
