//! `cargo xtask bench --instructions`: how many instructions of vmcp one call takes, and in which stages.
//!
//! Times differ from run to run; the instructions of the same program for the same bytes hardly do. So this is what a
//! gate can compare with a record. The release program runs under valgrind with one worker; one client calls one thing
//! after the other, and what happened between two dumps is divided by the number of calls.

mod callgrind;
mod record;
mod script;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use self::callgrind::Costs;
use self::record::Record;
use self::script::{Client, Server};
use super::results::{Section, Table};
use crate::process::{Running, free_address};
use crate::{process, say, shell, workspace};

/// The profile that is counted; see the root manifest.
const PROFILE: &str = "instructions";
/// The backends over HTTP, and the tools of each.
const BACKENDS: usize = 5;
const TOOLS: usize = 20;
/// Calls before anything is counted: what is opened or grown once is there then.
const WARM_UP: usize = 100;
/// How much more than on record is too much.
const TOLERANCE: f64 = 0.05;
/// From here on it is told which stages changed.
const TOLD: f64 = 0.01;
/// Valgrind counts each byte that one repeated instruction copies: long copies are to be made of vectors instead.
const NO_REPETITION: &str = "glibc.cpu.x86_rep_movsb_threshold=1073741824:\
                             glibc.cpu.x86_rep_stosb_threshold=1073741824";
/// How long a program under valgrind may take to listen, in looks.
const LOOKS: usize = 1200;

/// What is counted, with how many calls.
const SCRIPT: [(&str, usize); 3] = [("json-call", 400), ("sse-call", 400), ("open-and-list", 100)];
/// Reading and answering without a gateway around it, counted in a program of its own.
const WIRE: (&str, usize) = ("wire", 2000);

/// Instructions of one call, in all and by stage.
pub(super) type Counts = BTreeMap<String, BTreeMap<String, f64>>;

/// Counts, compares with the record, or puts what was counted there.
pub(super) fn run(root: &Path, accept: bool) -> Result<Section> {
    ensure!(
        Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok(),
        "valgrind is needed: it is a package of Debian"
    );
    let places = workspace::places(root)?;
    let programs = places.target.join(PROFILE);
    build(root)?;
    let folder = places.cache.join("bench/instructions");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let mut counts = script(&folder, &programs.join("vmcp"))?;
    counts.insert(WIRE.0.to_owned(), wire(&folder, &programs.join("examples/read_and_answer"))?);
    let section = section(&counts);
    say::line(super::page::section_text(&section)?);
    if accept {
        Record::of(&counts).write(root)?;
        return Ok(section);
    }
    compare(&Record::read(root)?, &counts)?;
    Ok(section)
}

fn build(root: &Path) -> Result<()> {
    let mut vmcp = shell::cargo(root);
    vmcp.args(["build", "--locked", "--profile", PROFILE, "-p", "vmcp", "--bin", "vmcp"]);
    shell::run(&mut vmcp)?;
    let mut wire = shell::cargo(root);
    wire.args(["build", "--locked", "--profile", PROFILE, "-p", "vmcp-wire"]);
    shell::run(wire.args(["--example", "read_and_answer"]))
}

/// Runs vmcp under valgrind through the whole script.
fn script(folder: &Path, vmcp: &Path) -> Result<Counts> {
    let server = Server::start()?;
    let address = free_address()?;
    let config = folder.join("vmcp.yaml");
    fs::write(&config, configuration(&server))?;
    let mut command = valgrind(folder, "vmcp");
    command.arg(vmcp).args(["serve", "--listen", &address.to_string(), "--config"]).arg(&config);
    command.env("VMCP_STATE_DIR", folder.join("state"));
    // One worker: two that steal from each other do not do the same twice.
    command.env("TOKIO_WORKER_THREADS", "1");
    command.stdout(Stdio::null()).stderr(fs::File::create(folder.join("vmcp.log"))?);
    let running = Running::start("vmcp under valgrind", &mut command)?;
    let mut client = connect(address)?;
    client.settle(BACKENDS * TOOLS)?;
    let mut counts = Counts::new();
    for (number, (name, calls)) in SCRIPT.into_iter().enumerate() {
        let mut session = client.open()?;
        let mut run = |calls: usize| match name {
            "json-call" => client.call(&session, "b1_tool_0", false, calls),
            "sse-call" => client.call(&session, "b1_tool_0", true, calls),
            _ => client.open_and_list(calls),
        };
        run(WARM_UP)?;
        dump(running.pid())?;
        run(calls)?;
        dump(running.pid())?;
        let part = folder.join(format!("vmcp.out.{}", 2 * number + 2));
        let costs = read(&part)?.per(calls);
        say::line(format_args!("{name}: {:.0} instructions", costs.values().sum::<f64>()));
        counts.insert(name.to_owned(), costs);
        client.close(&mut session)?;
    }
    drop(client);
    drop(running);
    Ok(counts)
}

/// Names get prefixes, so calls are renamed on their way, as with any usual configuration. Nothing is
/// refreshed meanwhile.
fn configuration(server: &Server) -> String {
    let mut text = "name: counted\ntimeouts: {refresh: 1h}\nbackends:\n".to_owned();
    for number in 1..=BACKENDS {
        text += &format!(
            "  - {{name: b{number}, url: 'http://{}/t{TOOLS}/mcp', transport: streamable-http}}\n",
            server.address
        );
    }
    text
}

fn valgrind(folder: &Path, name: &str) -> Command {
    let mut command = shell::command(folder, "valgrind");
    command.args(["--tool=callgrind", "--quiet", "--trace-children=no"]);
    command.arg(format!("--callgrind-out-file={}", folder.join(format!("{name}.out")).display()));
    command.env("GLIBC_TUNABLES", NO_REPETITION);
    // What the allocator gives back, and when, must not depend on the clock.
    command.env("MIMALLOC_PURGE_DELAY", "-1");
    command
}

fn connect(address: std::net::SocketAddr) -> Result<Client> {
    for _ in 0..LOOKS {
        if let Ok(client) = Client::connect(address) {
            return Ok(client);
        }
        process::pause();
    }
    bail!("vmcp under valgrind does not listen")
}

/// Writes down what was counted since the last dump. The process is idle then.
fn dump(pid: u32) -> Result<()> {
    let output = Command::new("vgdb")
        .arg(format!("--pid={pid}"))
        .args(["dump", "part"])
        .stdin(Stdio::null())
        .output()
        .context("vgdb, a part of valgrind, cannot be started")?;
    ensure!(
        output.status.success(),
        "nothing was dumped: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn read(path: &PathBuf) -> Result<Costs> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    Costs::read(&String::from_utf8_lossy(&text))
}

/// The program starts and ends too: what twice as many messages take more is what they take.
fn wire(folder: &Path, program: &Path) -> Result<BTreeMap<String, f64>> {
    let (name, messages) = WIRE;
    let mut costs = Vec::new();
    for times in [1, 2] {
        let run = format!("{name}{times}");
        let mut command = valgrind(folder, &run);
        command.arg(program).arg((messages * times).to_string());
        command.stdout(Stdio::null()).stderr(fs::File::create(folder.join(format!("{run}.log")))?);
        let status = command.status()?;
        ensure!(status.success(), "{run} ended with {status}");
        costs.push(read(&folder.join(format!("{run}.out")))?);
    }
    let (once, twice) = (costs[0].per(messages), costs[1].per(messages));
    let less = |stage: &String| once.get(stage).copied().unwrap_or_default();
    let costs = twice.iter().map(|(stage, cost)| (stage.clone(), cost - less(stage)));
    let costs: BTreeMap<String, f64> = costs.filter(|(_, cost)| *cost > 0.5).collect();
    say::line(format_args!("{name}: {:.0} instructions", costs.values().sum::<f64>()));
    Ok(costs)
}

/// Fails if a case takes more than on record; says so too if it takes less, since then the record is a poor guard.
fn compare(record: &Record, counts: &Counts) -> Result<()> {
    let (mut passed, mut failed) = (0, 0);
    for (name, stages) in counts {
        let now: f64 = stages.values().sum();
        let Some(before) = record.total(name) else {
            say::line(format_args!("{name}: {now:.0}, nothing on record"));
            failed += 1;
            continue;
        };
        let change = now / before - 1.0;
        let verdict = if change > TOLERANCE {
            failed += 1;
            "TOO MUCH"
        } else if change < -TOLERANCE {
            passed += 1;
            "less: worth a new record"
        } else {
            passed += 1;
            "as on record"
        };
        say::line(format_args!(
            "{name}: {now:.0}, on record {before:.0}, {:+.2} %: {verdict}",
            change * 100.0
        ));
        if change.abs() > TOLD {
            for (stage, before, now) in record.changes(name, stages).into_iter().take(8) {
                say::line(format_args!("    {stage}: {before:.0} -> {now:.0}"));
            }
        }
    }
    say::line(format_args!("{passed} passed, {failed} failed"));
    if failed > 0 {
        bail!("{failed} cases: see why, or `cargo xtask bench --instructions --accept` and commit");
    }
    Ok(())
}

fn section(counts: &Counts) -> Section {
    let cases: Vec<&str> = SCRIPT.iter().map(|(name, _)| *name).chain([WIRE.0]).collect();
    let mut head = vec!["stage"];
    head.extend(&cases);
    let mut table = Table::new("", &head);
    let cost = |case: &str, stage: &str| {
        counts.get(case).and_then(|stages| stages.get(stage)).copied().unwrap_or_default()
    };
    let total = |case: &&str| counts.get(*case).map_or(0.0, |stages| stages.values().sum::<f64>());
    let mut stages: Vec<&String> = counts.values().flat_map(BTreeMap::keys).collect();
    stages.sort();
    stages.dedup();
    let row = |name: &str, of: &dyn Fn(&&str) -> f64| {
        let mut row = vec![name.to_owned()];
        row.extend(cases.iter().map(|case| format!("{:.0}", of(case))));
        row
    };
    table.rows.push(row("**all**", &total));
    for stage in stages {
        // What takes less than one in five hundred everywhere is noise on a page.
        if cases.iter().any(|case| cost(case, stage) >= total(case) / 500.0) {
            table.rows.push(row(stage, &|case| cost(case, stage)));
        }
    }
    Section {
        about: format!(
            "Instructions of vmcp in user space for one call: a `tools/call` of 100 bytes answered as JSON and as SSE; a whole session with a handshake, a list of {} tools, and its end; and the wire alone, one request and \
             one response read and the response written under another id. One worker, one client, one thing after the \
             other. A stage is a module of ours, or a library; what is inlined counts where its source stands, except \
             the standard library's, which counts where it is called. What is on record in `xtask/assets/instructions.txt` is \
             the budget: `.ci/run` fails if a case takes {:.0} % more.",
            BACKENDS * TOOLS,
            TOLERANCE * 100.0
        ),
        tables: vec![table],
        ..Section::default()
    }
}
