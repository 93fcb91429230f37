//! A backend that is a process: all clients share one pipe.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::bench::client::Endpoint;
use crate::bench::load::{self, Destination, Load, Outcome};
use crate::bench::results::{Section, Table, Target};
use crate::bench::shape::{Shape, TOOL, message};
use crate::bench::spread::Spread;
use crate::bench::stand::{Stand, one};
use crate::say;

const CLIENTS: [usize; 4] = [1, 8, 64, 200];
/// What a pipe of this class of machine is expected to carry.
const WANTED: f64 = 15_000.0;

/// Measures.
pub(crate) async fn measure(stand: &Stand) -> Result<Section> {
    let program = std::env::current_exe()?;
    let backend = format!(
        "{{name: backend, command: '{}', args: [bench-backend, --pipe]}}",
        program.display()
    );
    let vmcp = stand.vmcp(&one(&backend))?;
    let endpoint = Endpoint::new(vmcp.address).into();
    let to = Destination { endpoint, middle: Some(vmcp.pid()), backend: None };
    let mut limit: Vec<Vec<f64>> = vec![Vec::new(); CLIENTS.len()];
    let mut outcomes: Vec<Vec<Outcome>> = (0..CLIENTS.len()).map(|_| Vec::new()).collect();
    for round in 0..stand.rounds {
        say::line(format_args!("pipe: round {} of {}", round + 1, stand.rounds));
        for (index, clients) in CLIENTS.into_iter().enumerate() {
            let time = stand.time;
            let straight = tokio::task::spawn_blocking(move || straight(clients, time));
            limit[index].push(straight.await??);
            let load = Load { shape: Shape::SMALL, clients, time };
            outcomes[index].push(load::run(&to, load).await?);
        }
    }
    Ok(section(&limit, &outcomes))
}

fn section(limit: &[Vec<f64>], outcomes: &[Vec<Outcome>]) -> Section {
    let head = ["clients", "calls/s", "p50 ms", "p99 ms", "CPU", "straight into the pipe, calls/s"];
    let mut table = Table::new("", &head);
    let mut targets = Vec::new();
    for ((clients, limit), outcomes) in CLIENTS.iter().zip(limit).zip(outcomes) {
        let limit = Spread::of(limit.iter().copied());
        let spread = |of: fn(&Outcome) -> f64| Spread::of(outcomes.iter().map(of));
        let rate = spread(|outcome| outcome.rate);
        table.row([
            clients.to_string(),
            rate.show(0),
            spread(|outcome| outcome.latency_ms(0.5)).show(3),
            spread(|outcome| outcome.latency_ms(0.99)).show(2),
            spread(|outcome| outcome.cpu).show(3),
            limit.show(0),
        ]);
        let what = format!("calls/s of a backend that is a process, {clients} clients");
        let note = if limit.median < WANTED { "the pipe's own limit" } else { "" };
        targets
            .push(Target::at_least(what, WANTED.min(limit.median).round(), "/s", rate).noted(note));
    }
    Section {
        about: "The backend is a program that vmcp started; all clients share its two pipes. The last column is the same \
                program without vmcp: so many calls in flight, written and read by one thread, answers checked. CPU: seconds \
                of vmcp per 10,000 calls."
            .to_owned(),
        tables: vec![table],
        targets,
        ..Section::default()
    }
}

/// Calls per second of one thread that keeps so many calls in flight.
fn straight(calls: usize, time: Duration) -> Result<f64> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.args(["bench-backend", "--pipe"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().context("no pipe")?;
    let mut output = BufReader::with_capacity(256 << 10, child.stdout.take().context("no pipe")?);
    let mut waiting = HashMap::new();
    let mut next = 0_u64;
    let mut ask = |waiting: &mut HashMap<u64, String>, out: &mut Vec<u8>| {
        next += 1;
        let text = message(0, next);
        out.extend_from_slice(&Shape::SMALL.request(next, TOOL, &text));
        out.push(b'\n');
        waiting.insert(next, text);
    };
    let mut out = Vec::new();
    for _ in 0..calls {
        ask(&mut waiting, &mut out);
    }
    let start = Instant::now();
    let (mut line, mut done) = (Vec::new(), 0_u64);
    while start.elapsed() < time {
        input.write_all(&out)?;
        out.clear();
        // Everything that is there is answered with one write.
        loop {
            line.clear();
            output.read_until(b'\n', &mut line)?;
            let id = reply_id(&line).context("a reply without an id")?;
            let text = waiting.remove(&id).context("a reply to nothing")?;
            ensure!(
                Shape::SMALL.is_reply(line.trim_ascii_end(), id, &text, b""),
                "not the reply to {id}"
            );
            done += 1;
            ask(&mut waiting, &mut out);
            if !output.buffer().contains(&b'\n') {
                break;
            }
        }
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    drop(input);
    child.wait()?;
    Ok(rate)
}

fn reply_id(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(crate::bench::shape::ENVELOPE.as_bytes())?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::reply_id;

    #[test]
    fn an_id_is_read_from_its_place() {
        assert_eq!(reply_id(br#"{"jsonrpc":"2.0","id":71,"result":{}}"#), Some(71));
        assert_eq!(reply_id(br#"{"jsonrpc":"2.0","id":"a"}"#), None);
    }
}
