//! The measurements as a page: medians with their spread, and the ratios they are read by.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use anyhow::Result;

use super::load::{Outcome, Sessions};
use super::{Case, Series};

/// The target that the others are set against.
const BASE: &str = "nginx";

/// Everything that goes on the page.
pub(super) struct Report<'a> {
    series: &'a [Series],
    sessions: &'a [(&'static str, Sessions)],
    nginx: Option<&'a str>,
}

impl<'a> Report<'a> {
    /// Takes the measurements of one run.
    pub(super) fn new(
        series: &'a [Series],
        sessions: &'a [(&'static str, Sessions)],
        nginx: Option<&'a str>,
    ) -> Self {
        Self { series, sessions, nginx }
    }

    /// The page in Markdown.
    pub(super) fn page(&self, rounds: usize, seconds: f64) -> Result<String> {
        let mut text = String::new();
        writeln!(text, "# Performance\n")?;
        writeln!(text, "Written by `cargo xtask bench`; do not edit.\n")?;
        let calls: u64 =
            self.series.iter().flat_map(|s| &s.rounds).map(|outcome| outcome.calls).sum();
        writeln!(
            text,
            "One backend, the same for all: a minimal MCP server in its own process whose one tool echoes. \
             Each client is one session on one kept connection: one handshake, then calls, one after the \
             other. Every reply is compared with the expected one to its last byte: {calls} in this run. `direct` has nothing in \
             the middle, `nginx` passes the bytes on (two workers, kept connections to the backend), `vmcp` \
             is the release build with one backend. {rounds} rounds of {seconds} s per case and target, \
             alternating; the numbers are medians, the smallest and largest round stand in brackets. Load, \
             backend and the process in the middle share the machine: read the ratios, not the rates.\n"
        )?;
        self.machine(&mut text)?;
        writeln!(text, "## Calls\n")?;
        writeln!(
            text,
            "CPU: seconds of the process in the middle per 10,000 calls. Exchanges: requests at the backend \
             per call. Connections: those opened to the backend while the calls ran.\n"
        )?;
        self.calls(&mut text)?;
        writeln!(text, "\n## Ratios\n")?;
        self.ratios(&mut text)?;
        writeln!(text, "\n## Sessions\n")?;
        self.open(&mut text)?;
        Ok(text)
    }

    fn machine(&self, text: &mut String) -> Result<()> {
        let rows = [
            ("processor", processor()),
            ("cores", std::thread::available_parallelism()?.to_string()),
            ("memory", memory()),
            ("kernel", said("uname", &["-r"])),
            ("compiler", said("rustc", &["--version"])),
            ("commit", commit()),
            ("nginx", self.nginx.unwrap_or("not measured").to_owned()),
        ];
        writeln!(text, "| | |\n| --- | --- |")?;
        for (name, value) in rows {
            writeln!(text, "| {name} | {value} |")?;
        }
        writeln!(text)?;
        Ok(())
    }

    fn calls(&self, text: &mut String) -> Result<()> {
        writeln!(
            text,
            "| reply | clients | target | calls/s | p50 ms | p99 ms | CPU | RSS MiB | exchanges | connections |\n\
             | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        )?;
        for series in self.series {
            let rate = spread(series, |outcome| outcome.rate);
            let quantile =
                |q| spread(series, move |o| o.latency.value_at_quantile(q) as f64 / 1000.0);
            let (p50, p99) = (quantile(0.5), quantile(0.99));
            let middle = series.target != "direct";
            let cpu =
                if middle { spread(series, |outcome| outcome.cpu).show(3) } else { "-".into() };
            let rss = spread(series, |outcome| outcome.rss as f64 / f64::from(1 << 20)).median;
            let rss = if middle { format!("{rss:.0}") } else { "-".to_owned() };
            let exchanges = spread(series, |outcome| outcome.exchanges).median;
            let connections = spread(series, |outcome| outcome.connections as f64).median;
            writeln!(
                text,
                "| {} | {} | {} | {} | {:.2} | {} | {cpu} | {rss} | {exchanges:.3} | {connections:.0} |",
                label(series.case),
                series.case.clients,
                series.target,
                rate.show(0),
                p50.median,
                p99.show(2),
            )?;
        }
        Ok(())
    }

    fn ratios(&self, text: &mut String) -> Result<()> {
        writeln!(
            text,
            "vmcp divided by the other. A rate above 1 and a CPU or p99 below 1 are in favour of vmcp.\n\n\
             | reply | clients | rate / direct | rate / nginx | p99 / nginx | CPU / nginx |\n\
             | --- | ---: | ---: | ---: | ---: | ---: |"
        )?;
        for vmcp in self.series.iter().filter(|series| series.target == "vmcp") {
            let ratio = |target: &str, of: fn(&Outcome) -> f64| {
                let other = self.series.iter().find(|s| s.target == target && s.case == vmcp.case);
                other.map_or("-".to_owned(), |other| {
                    format!("{:.2}", spread(vmcp, of).median / spread(other, of).median)
                })
            };
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                label(vmcp.case),
                vmcp.case.clients,
                ratio("direct", |outcome| outcome.rate),
                ratio(BASE, |outcome| outcome.rate),
                ratio(BASE, |outcome| outcome.latency.value_at_quantile(0.99) as f64),
                ratio(BASE, |outcome| outcome.cpu),
            )?;
        }
        Ok(())
    }

    fn open(&self, text: &mut String) -> Result<()> {
        writeln!(
            text,
            "Opened one after the other, one call on each, kept open with their connections. Bytes: what \
             resident memory grew by per session. Opening: median of connect, handshake and first call.\n\n\
             | target | sessions | bytes per session | opening ms |\n| --- | ---: | ---: | ---: |"
        )?;
        for (target, sessions) in self.sessions {
            let bytes =
                if *target == "direct" { "-".to_owned() } else { format!("{:.0}", sessions.bytes) };
            let open = sessions.open.as_secs_f64() * 1000.0;
            writeln!(text, "| {target} | {} | {bytes} | {open:.2} |", sessions.count)?;
        }
        Ok(())
    }
}

/// What was measured.
pub(super) fn commit() -> String {
    said("git", &["rev-parse", "--short=12", "HEAD"])
}

fn label(case: Case) -> String {
    let size = match case.shape.bytes {
        bytes if bytes >= 1_000_000 => format!("{} MB", bytes / 1_000_000),
        bytes if bytes >= 1000 => format!("{} KB", bytes / 1000),
        bytes => format!("{bytes} B"),
    };
    format!("{size} {}", case.shape.framing.name())
}

/// The median of the rounds between the smallest and the largest.
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn show(&self, digits: usize) -> String {
        let Self { least, median, most } = self;
        format!("{median:.digits$} ({least:.digits$}-{most:.digits$})")
    }
}

fn spread(series: &Series, of: impl Fn(&Outcome) -> f64) -> Spread {
    let mut values: Vec<f64> = series.rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    let last = values.len().saturating_sub(1);
    Spread { least: at(0), median: (at(last / 2) + at(last.div_ceil(2))) / 2.0, most: at(last) }
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    field(&text, "model name").unwrap_or("unknown").to_owned()
}

fn memory() -> String {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib =
        field(&text, "MemTotal").and_then(|value| value.split(' ').next()?.parse::<u64>().ok());
    kib.map_or("unknown".to_owned(), |kib| format!("{} GiB", (kib + (1 << 19)) >> 20))
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then_some(value.trim())
    })
}

/// The first line that a program answers.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.and_then(|text| Some(text.lines().next()?.to_owned())).unwrap_or("unknown".to_owned())
}
