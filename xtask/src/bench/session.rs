//! What a session of the library costs without a gateway around it: the lines that the benchmark of
//! `vmcp-backend` writes, as a section of the page.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{say, shell};

/// The heading of the section. It is the last of the page.
const HEADING: &str = "## A backend session";

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

/// Runs the benchmark; returns the section in Markdown, a blank line before it.
pub(super) fn measure(root: &Path, commit: &str) -> Result<String> {
    let mut cargo = shell::cargo(root);
    cargo.args(["bench", "--quiet", "--locked", "-p", "vmcp-backend", "--bench", "session"]);
    say::line("measuring sessions");
    section(&shell::output(&mut cargo)?, commit)
}

/// The page with its section replaced, or added.
pub(super) fn replaced(page: &str, section: &str) -> String {
    let before = page.split_once(HEADING).map_or(page, |(before, _)| before);
    format!("{}\n{section}", before.trim_end())
}

fn section(output: &str, commit: &str) -> Result<String> {
    let lines = output.lines().filter(|line| line.starts_with('{'));
    let measurements: Result<Vec<Measurement>, _> = lines.map(serde_json::from_str).collect();
    let measurements = measurements.context("the benchmark of sessions writes something else")?;
    anyhow::ensure!(!measurements.is_empty(), "the benchmark of sessions wrote nothing");
    let mut text = String::new();
    writeln!(
        text,
        "\n{HEADING}\n\n\
         The library alone (`cargo bench -p vmcp-backend --bench session`), at commit {commit}; its backends are a \
         process of their own. A step is the time that a backend takes for one request: opening is a handshake of \
         one, the acceptance of it, and all lists at once, however many backends there are. An idle session is one \
         of thousands to the same backend, as each user of a service has one: what resident memory and running \
         tasks grew by.\n\n\
         | what | value |\n| --- | ---: |"
    )?;
    for measurement in &measurements {
        row(&mut text, measurement)?;
    }
    Ok(text)
}

fn row(text: &mut String, measurement: &Measurement) -> Result<()> {
    match measurement {
        Measurement::ConnectAndList { backends, delay_ms, ms, steps } => writeln!(
            text,
            "| connect to {} and list, {delay_ms:.0} ms per request | {ms:.0} ms, {steps:.2} steps |",
            number(*backends)
        )?,
        Measurement::ConnectAndListRatio { backends, ratio } => {
            let backends: Vec<String> = backends.iter().rev().map(u64::to_string).collect();
            writeln!(text, "| the same, {} | {ratio:.2} |", backends.join(" / "))?;
        }
        Measurement::IdleSession { sessions, bytes, tasks } => {
            writeln!(text, "| idle session, of {sessions} | {bytes} bytes, {tasks:.3} tasks |")?
        }
        Measurement::Call { calls, p50_us, p99_us } => writeln!(
            text,
            "| one of {calls} calls in a row | p50 {p50_us:.0} µs, p99 {p99_us:.0} µs |"
        )?,
    }
    Ok(())
}

fn number(backends: u64) -> String {
    if backends == 1 { "1 backend".to_owned() } else { format!("{backends} backends at once") }
}

#[cfg(test)]
mod tests {
    use super::{replaced, section};

    const LINES: &str = r#"
{"bench":"session","name":"connect_and_list","values":{"backends":1,"delay_ms":100.0,"ms":304.5,"steps":3.045}}
{"bench":"session","name":"connect_and_list","values":{"backends":20,"delay_ms":100.0,"ms":320.0,"steps":3.2}}
{"bench":"session","name":"connect_and_list_ratio","values":{"backends":[1,20],"ratio":1.051}}
{"bench":"session","name":"idle_session","values":{"sessions":10000,"bytes":1200,"tasks":0.0}}
{"bench":"session","name":"call","values":{"calls":2000,"p50_us":95.5,"p99_us":301.0}}
"#;

    #[test]
    fn every_measurement_is_a_row() -> anyhow::Result<()> {
        let section = section(LINES, "abc")?;
        for row in [
            "| connect to 1 backend and list, 100 ms per request | 304 ms, 3.04 steps |",
            "| connect to 20 backends at once and list, 100 ms per request | 320 ms, 3.20 steps |",
            "| the same, 20 / 1 | 1.05 |",
            "| idle session, of 10000 | 1200 bytes, 0.000 tasks |",
            "| one of 2000 calls in a row | p50 96 µs, p99 301 µs |",
        ] {
            assert!(section.contains(row), "{section}");
        }
        Ok(())
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert!(section("", "abc").is_err());
        assert!(section(r#"{"name":"other","values":{}}"#, "abc").is_err());
    }

    #[test]
    fn the_section_is_replaced_or_added() {
        let added = replaced("# Page\n\n## Calls\n", "\n## A backend session\n\none\n");
        assert_eq!(added, "# Page\n\n## Calls\n\n## A backend session\n\none\n");
        let again = replaced(&added, "\n## A backend session\n\ntwo\n");
        assert_eq!(again, "# Page\n\n## Calls\n\n## A backend session\n\ntwo\n");
    }
}
