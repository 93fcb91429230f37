//! What sessions cost: the time to open and list, memory and tasks of an idle one, and the time of a call.
//!
//! ```text
//! cargo bench -p vmcp-backend --bench session
//! ```
//!
//! Prints one line of JSON per measurement. The backends run in a child process of this one, so that memory and tasks
//! counted here are the sessions' alone. Times are of one machine at one moment: compare the ratios.
#![expect(clippy::print_stdout, reason = "the lines are what it is for")]

use std::error::Error;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;
use vmcp_auth::{Caller, OutgoingAuthRegistry};
use vmcp_backend::{BackendTarget, ClientHello, Connector, Endpoint, Session};
use vmcp_config::SafeUrl;
use vmcp_net::Client;
use vmcp_testkit::{Answer, Backend};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The word that makes this program the backends.
const BACKENDS: &str = "--backends";
/// What each request takes at a backend, where that is measured.
const DELAY: Duration = Duration::from_millis(100);
const MANY: usize = 20;
const IDLE: usize = 10_000;
const CALLS: u32 = 2_000;
/// Openings at one time, while many are made.
const AT_ONCE: usize = 64;

fn main() -> Outcome<()> {
    let mut words = std::env::args().skip(1);
    if words.next().is_some_and(|word| word == BACKENDS) {
        let mut numbers = words.filter_map(|word| word.parse::<u64>().ok());
        let (count, delay) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or_default());
        return runtime()?.block_on(serve(count, Duration::from_millis(delay)));
    }
    let runtime = runtime()?;
    runtime.block_on(opening())?;
    runtime.block_on(idle())?;
    runtime.block_on(calling())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    Builder::new_multi_thread().enable_all().build()
}

// === measurements ===

/// Opening and listing, at one backend and at many at the same time.
async fn opening() -> Outcome<()> {
    let peers = Peers::start(MANY, DELAY)?;
    // The first use of a client reads the system's certificates, which is not what is measured.
    let client = Client::new();
    drop(connect(&connector(&client), peers.target("warm", 0)?).await?);
    let mut took = Vec::new();
    for count in [1, MANY] {
        // Other targets and another connector: nothing is prepared and no connection is open.
        let connector = Arc::new(connector(&client));
        let name = format!("of{count}");
        let targets: Vec<_> = (0..count).map(|n| peers.target(&name, n)).collect::<Outcome<_>>()?;
        let started = Instant::now();
        let mut opening = JoinSet::new();
        for target in targets {
            let connector = Arc::clone(&connector);
            opening.spawn(async move { connect(&connector, target).await });
        }
        let opened: Outcome<Vec<Session>> = opening.join_all().await.into_iter().collect();
        took.push(started.elapsed().as_secs_f64() * 1e3);
        drop(opened?);
    }
    let delay = DELAY.as_secs_f64() * 1e3;
    for (count, took) in [1, MANY].iter().zip(&took) {
        tell(
            "connect_and_list",
            &json!({
                "backends": count, "delay_ms": delay, "ms": round(*took), "steps": round(took / delay),
            }),
        );
    }
    if let [one, many] = took[..] {
        tell(
            "connect_and_list_ratio",
            &json!({ "backends": [1, MANY], "ratio": round(many / one) }),
        );
    }
    Ok(())
}

/// Memory and tasks of sessions that nobody uses, as each user of a service has one.
async fn idle() -> Outcome<()> {
    let peers = Peers::start(1, Duration::ZERO)?;
    let connector = Arc::new(connector(&Client::new()));
    let target = peers.target("b", 0)?;
    let mut sessions = Vec::with_capacity(IDLE);
    // What is there once, connections above all, is not the sessions'.
    open(&connector, &target, 10 * AT_ONCE, &mut sessions).await?;
    let (memory, tasks) = (resident()?, Handle::current().metrics().num_alive_tasks());
    let before = sessions.len();
    open(&connector, &target, IDLE, &mut sessions).await?;
    let opened = sessions.len() - before;
    let grown = resident()?.saturating_sub(memory);
    let started = Handle::current().metrics().num_alive_tasks().saturating_sub(tasks);
    tell(
        "idle_session",
        &json!({
            "sessions": opened,
            "bytes": grown / opened as u64,
            "tasks": round(started as f64 / opened as f64),
        }),
    );
    Ok(())
}

async fn open(
    connector: &Arc<Connector>,
    target: &Arc<BackendTarget>,
    count: usize,
    sessions: &mut Vec<Session>,
) -> Outcome<()> {
    let mut opening: JoinSet<Outcome<Session>> = JoinSet::new();
    for _ in 0..count {
        if opening.len() == AT_ONCE
            && let Some(session) = opening.join_next().await
        {
            sessions.push(session??);
        }
        let (connector, target) = (Arc::clone(connector), Arc::clone(target));
        opening.spawn(async move {
            Ok(connector.open(&target, Caller::default(), hello(), None).await?)
        });
    }
    while let Some(session) = opening.join_next().await {
        sessions.push(session??);
    }
    Ok(())
}

/// One call after another on one session.
async fn calling() -> Outcome<()> {
    let peers = Peers::start(1, Duration::ZERO)?;
    let connector = connector(&Client::new());
    let session = connect(&connector, peers.target("b", 0)?).await?;
    let mut times = Vec::new();
    for _ in 0..CALLS {
        let started = Instant::now();
        session.call_tool("t", Some("{}".into()), None).await?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let at = |part: usize| {
        let time = times.get(times.len() * part / 100).copied().unwrap_or_default();
        round(time.as_secs_f64() * 1e6)
    };
    tell("call", &json!({ "calls": CALLS, "p50_us": at(50), "p99_us": at(99) }));
    Ok(())
}

// === what they need ===

fn connector(client: &Client) -> Connector {
    Connector::new(client.clone(), OutgoingAuthRegistry::new())
}

fn hello() -> ClientHello {
    ClientHello::new("bench", "0.1.0")
}

async fn connect(connector: &Connector, target: Arc<BackendTarget>) -> Outcome<Session> {
    let (session, list) = connector.connect(&target, Caller::default(), hello(), None).await?;
    if list.tools.len() + list.resources.len() + list.templates.len() + list.prompts.len() != 4 {
        return Err("the list is not whole".into());
    }
    Ok(session)
}

fn tell(name: &str, values: &Value) {
    println!("{}", json!({ "bench": "session", "name": name, "values": values }));
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Bytes that this process has in memory.
fn resident() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
    Ok(number.parse::<u64>()? * 1024)
}

/// Backends in a child process, which ends with this.
struct Peers {
    child: Child,
    urls: Vec<String>,
}

impl Peers {
    fn start(count: usize, delay: Duration) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([BACKENDS, &count.to_string(), &delay.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let urls: Result<Vec<String>, _> = BufReader::new(output).lines().take(count).collect();
        Ok(Self { child, urls: urls? })
    }

    fn target(&self, name: &str, n: usize) -> Outcome<Arc<BackendTarget>> {
        let url = SafeUrl::from(self.urls.get(n).ok_or("no such backend")?.parse::<url::Url>()?);
        Ok(Arc::new(BackendTarget::new(
            format!("{name}{n}").as_str(),
            Endpoint::StreamableHttp { url },
        )))
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // Its input ends, and with it the child.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The child process: backends until the input ends.
async fn serve(count: u64, delay: Duration) -> Outcome<()> {
    let mut backends = Vec::new();
    for _ in 0..count {
        let usual = || Answer::usual().wait(delay);
        let builder = Backend::builder()
            .tool(json!({"name": "t", "inputSchema": {"type": "object"}}), Answer::text("x"))
            .resource(json!({"uri": "x:1", "name": "n"}), Answer::text("x"))
            .template(json!({"uriTemplate": "x:{a}", "name": "n"}), Answer::text("x"))
            .prompt(json!({"name": "p"}), Answer::text("x"));
        let slow = [
            "initialize",
            "notifications/initialized",
            "tools/list",
            "resources/list",
            "resources/templates/list",
            "prompts/list",
        ];
        let builder = match delay.is_zero() {
            true => builder,
            false => slow.iter().fold(builder, |builder, method| builder.on(method, usual())),
        };
        let backend = builder.start().await?;
        println!("{}", backend.url());
        backends.push(backend);
    }
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}
