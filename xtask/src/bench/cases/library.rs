//! What a session of the library costs without a gateway around it: the lines that the benchmark of
//! `vmcp-backend` writes.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::bench::results::{Section, Table};
use crate::bench::stand::Stand;
use crate::{say, shell};

/// One line of the benchmark: `{"bench":"session","name":…,"values":{…}}`.
#[derive(Deserialize)]
#[serde(tag = "name", content = "values", rename_all = "snake_case")]
enum Measurement {
    ConnectAndList {
        backends: u64,
        delay_ms: f64,
        ms: f64,
        /// How many times the delay that is.
        steps: f64,
    },
    ConnectAndListRatio {
        backends: Vec<u64>,
        ratio: f64,
    },
    IdleSession {
        sessions: u64,
        bytes: u64,
        tasks: f64,
    },
    Call {
        calls: u64,
        p50_us: f64,
        p99_us: f64,
    },
}

/// Runs the benchmark of the library.
pub(crate) fn measure(stand: &Stand) -> Result<Section> {
    let mut cargo = shell::cargo(&stand.root);
    cargo.args(["bench", "--quiet", "--locked", "-p", "vmcp-backend", "--bench", "session"]);
    say::line("library: measuring sessions");
    section(&shell::output(&mut cargo)?)
}

fn section(output: &str) -> Result<Section> {
    let lines = output.lines().filter(|line| line.starts_with('{'));
    let measurements: Result<Vec<Measurement>, _> = lines.map(serde_json::from_str).collect();
    let measurements = measurements.context("the benchmark of sessions writes something else")?;
    anyhow::ensure!(!measurements.is_empty(), "the benchmark of sessions wrote nothing");
    let mut table = Table::new("", &["what", "value"]);
    for measurement in &measurements {
        table.row(row(measurement));
    }
    Ok(Section {
        about: "The library alone (`cargo bench -p vmcp-backend --bench session`); its backends are a process of their \
                own. A step is the time that a backend takes for one request: opening is a handshake of one, the acceptance \
                of it, and all lists at once, however many backends there are. An idle session is one of thousands to the \
                same backend, as each user of a service has one: what resident memory and running tasks grew by."
            .to_owned(),
        tables: vec![table],
        ..Section::default()
    })
}

fn row(measurement: &Measurement) -> [String; 2] {
    match measurement {
        Measurement::ConnectAndList { backends, delay_ms, ms, steps } => [
            format!("connect to {} and list, {delay_ms:.0} ms per request", number(*backends)),
            format!("{ms:.0} ms, {steps:.2} steps"),
        ],
        Measurement::ConnectAndListRatio { backends, ratio } => {
            let backends: Vec<String> = backends.iter().rev().map(u64::to_string).collect();
            [format!("the same, {}", backends.join(" / ")), format!("{ratio:.2}")]
        }
        Measurement::IdleSession { sessions, bytes, tasks } => {
            [format!("idle session, of {sessions}"), format!("{bytes} bytes, {tasks:.3} tasks")]
        }
        Measurement::Call { calls, p50_us, p99_us } => [
            format!("one of {calls} calls in a row"),
            format!("p50 {p50_us:.0} µs, p99 {p99_us:.0} µs"),
        ],
    }
}

fn number(backends: u64) -> String {
    if backends == 1 { "1 backend".to_owned() } else { format!("{backends} backends at once") }
}

#[cfg(test)]
mod tests {
    use super::section;

    const LINES: &str = r#"
{"bench":"session","name":"connect_and_list","values":{"backends":1,"delay_ms":100.0,"ms":304.5,"steps":3.045}}
{"bench":"session","name":"connect_and_list","values":{"backends":20,"delay_ms":100.0,"ms":320.0,"steps":3.2}}
{"bench":"session","name":"connect_and_list_ratio","values":{"backends":[1,20],"ratio":1.051}}
{"bench":"session","name":"idle_session","values":{"sessions":10000,"bytes":1200,"tasks":0.0}}
{"bench":"session","name":"call","values":{"calls":2000,"p50_us":95.5,"p99_us":301.0}}
"#;

    #[test]
    fn every_measurement_is_a_row() -> anyhow::Result<()> {
        let section = section(LINES)?;
        let rows: Vec<String> = section.tables[0].rows.iter().map(|row| row.join(": ")).collect();
        assert_eq!(
            rows,
            [
                "connect to 1 backend and list, 100 ms per request: 304 ms, 3.04 steps",
                "connect to 20 backends at once and list, 100 ms per request: 320 ms, 3.20 steps",
                "the same, 20 / 1: 1.05",
                "idle session, of 10000: 1200 bytes, 0.000 tasks",
                "one of 2000 calls in a row: p50 96 µs, p99 301 µs",
            ]
        );
        Ok(())
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert!(section("").is_err());
        assert!(section(r#"{"name":"other","values":{}}"#).is_err());
    }
}
