//! What vmcp grows by while it passes long replies on.

use anyhow::Result;

use crate::bench::client::Endpoint;
use crate::bench::load::{self, Load};
use crate::bench::results::{Section, Table, Target};
use crate::bench::shape::{Framing, Shape, size};
use crate::bench::spread::Spread;
use crate::bench::stand::Stand;
use crate::say;

const CLIENTS: usize = 64;
const BYTES: usize = 1_000_000;

/// Measures, each round with a process that has passed nothing on yet.
pub(crate) async fn measure(stand: &Stand) -> Result<Section> {
    let backend = stand.backend()?;
    let mut table = Table::new("", &["reply", "KiB for each call in flight", "calls/s"]);
    let mut targets = Vec::new();
    for framing in [Framing::Json, Framing::Sse] {
        let (mut growth, mut rates) = (Vec::new(), Vec::new());
        for round in 0..stand.rounds {
            say::line(format_args!("large: {}, round {}", framing.name(), round + 1));
            let vmcp = stand.vmcp(&backend.alone())?;
            let to = backend.through(Endpoint::new(vmcp.address), vmcp.pid());
            let shape = Shape { framing, bytes: BYTES };
            let load = Load { shape, clients: CLIENTS, time: stand.time };
            let outcome = load::run(&to, load).await?;
            growth.push(outcome.growth / 1024.0);
            rates.push(outcome.rate);
        }
        let growth = Spread::of(growth);
        let name = format!("{} {}", size(BYTES), framing.name());
        table.row([name.clone(), growth.show(1), Spread::of(rates).show(0)]);
        let what = format!("growth of RSS for each {name} call in flight, {CLIENTS} clients");
        targets.push(Target::at_most(what, 256.0, " KiB", growth));
    }
    Ok(Section {
        about: format!(
            "{CLIENTS} clients call at the same time. What is counted is the peak of resident memory meanwhile, less what \
             was resident when their sessions had made one small call each."
        ),
        tables: vec![table],
        targets,
        ..Section::default()
    })
}
