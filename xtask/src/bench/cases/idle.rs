//! What an open session holds in memory while nobody uses it.

use anyhow::Result;

use crate::bench::client::{Client, Connection, Endpoint, Session};
use crate::bench::load::Destination;
use crate::bench::results::{Section, Table, Target};
use crate::bench::shape::Shape;
use crate::bench::spread::Spread;
use crate::bench::stand::Stand;
use crate::bench::usage;
use crate::say;

/// What a session did before it fell idle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A handshake and a list; all sessions on one connection.
    Listed,
    /// One call too, which opened a session to the backend.
    Called,
    /// A call, and then a stream, each session on its own connection.
    Listening,
}

const KINDS: [Kind; 3] = [Kind::Listed, Kind::Called, Kind::Listening];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Listed => "handshake and list, no connection",
            Self::Called => "and one call, no connection",
            Self::Listening => "and one call, a connection with a stream",
        }
    }
}

/// Measures, each round with a process that has held no session yet.
pub(crate) async fn measure(stand: &Stand) -> Result<Section> {
    let backend = stand.backend()?;
    let (warm_up, sessions) = (stand.count(20, 200), stand.count(100, 4000));
    let streams = sessions / 2;
    let mut table = Table::new("", &["session", "KiB", "ms to open"]);
    let mut spreads = Vec::new();
    for kind in KINDS {
        let (mut kib, mut ms) = (Vec::new(), Vec::new());
        for round in 0..stand.rounds {
            say::line(format_args!("idle: {}, round {}", kind.name(), round + 1));
            let vmcp = stand.vmcp(&backend.alone())?;
            vmcp.warm(1).await?;
            let to = backend.through(Endpoint::new(vmcp.address), vmcp.pid());
            let count = if kind == Kind::Listening { streams } else { sessions };
            let grown = grow(&to, kind, warm_up, count).await?;
            kib.push(grown.bytes / 1024.0);
            ms.push(grown.ms);
        }
        let kib = Spread::of(kib);
        table.row([kind.name().to_owned(), kib.show(2), Spread::of(ms).show(3)]);
        spreads.push(kib);
    }
    let bounds = [
        ("RSS of an idle session that listed", 4.0),
        ("RSS of an idle session that called", 4.0),
        ("RSS of an idle session with a GET stream", 24.0),
    ];
    let targets = bounds.into_iter().zip(spreads);
    Ok(Section {
        about: format!(
            "What resident memory grew by for each of {sessions} sessions ({streams} with streams) that are open at the same \
             time, after {warm_up} before them. The connections that sessions are opened on are few, except for streams, \
             which need their own."
        ),
        tables: vec![table],
        targets: targets
            .map(|((what, bound), value)| Target::at_most(what, bound, " KiB", value))
            .collect(),
        ..Section::default()
    })
}

struct Grown {
    bytes: f64,
    ms: f64,
}

async fn grow(to: &Destination, kind: Kind, warm_up: usize, count: usize) -> Result<Grown> {
    let pid = to.middle.unwrap_or_default();
    let first = open(to, kind, warm_up, 0).await?;
    let before = usage::read(pid).rss;
    let start = tokio::time::Instant::now();
    let then = open(to, kind, count, warm_up).await?;
    let ms = start.elapsed().as_secs_f64() * 1e3 / count as f64;
    let after = usage::read(pid).rss;
    drop((first, then));
    Ok(Grown { bytes: after.saturating_sub(before) as f64 / count as f64, ms })
}

/// Whatever keeps the sessions and their streams open.
type Held = (Option<Connection>, Vec<(Client, http::Response<hyper::body::Incoming>)>);

async fn open(to: &Destination, kind: Kind, count: usize, from: usize) -> Result<Held> {
    let filler = Shape::SMALL.filler();
    let mut streams = Vec::new();
    if kind == Kind::Listening {
        for number in from..from + count {
            let mut client = Client::open(&to.endpoint, number).await?;
            client.call(Shape::SMALL, &filler).await?;
            let stream = client.listen().await?;
            streams.push((client, stream));
        }
        return Ok((None, streams));
    }
    let mut connection = Connection::open(to.endpoint.address).await?;
    for number in from..from + count {
        let mut session = Session::open(&mut connection, &to.endpoint, number).await?;
        session.list(&mut connection, None).await?;
        if kind == Kind::Called {
            session.call(&mut connection, Shape::SMALL, &filler).await?;
        }
    }
    Ok((Some(connection), streams))
}
