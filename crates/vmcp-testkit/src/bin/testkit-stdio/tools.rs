//! The tools, one for each thing that a server over standard streams can do wrong, and a few honest ones.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::flood;
use crate::options::Options;
use crate::peer::Peer;

/// Name and description.
const TOOLS: [(&str, &str); 25] = [
    ("echo", "Answers with the line it read."),
    ("env", "Answers with the value of the environment variable `name`."),
    ("whoami", "Answers with its process id and its folder as JSON."),
    ("wait", "Answers after `ms` milliseconds."),
    ("never", "Never answers."),
    ("crash", "Ends with exit code `code`, or aborts."),
    ("segv", "Ends as from a bad access to memory."),
    ("hang", "Stops: reads, writes and answers nothing any more, but lives."),
    ("late-log", "Answers, and sends a log message `ms` milliseconds later."),
    ("progress", "Sends `count` progress notifications, then answers."),
    ("log", "Sends a log message, then answers."),
    ("sample", "Asks for sampling and answers with the client's whole response."),
    ("elicit", "Asks for elicitation and answers with the client's whole response."),
    ("roots", "Asks for the roots and answers with the client's whole response."),
    ("garbage", "Writes lines that are no messages, then answers."),
    ("joined", "Writes a notification and its answer on one line."),
    ("split", "Writes its answer in two halves, cut inside a character."),
    ("crlf", "Ends its answer with CR LF."),
    ("wrong-id", "Answers under an id that nobody used."),
    ("grandchild", "Starts a process that inherits its streams; answers with its id."),
    ("flood", "Writes `bytes` bytes to standard error, then answers."),
    ("huge", "Answers with a text of `bytes` bytes."),
    ("huge-last", "The same, with the id as the last member of the answer."),
    ("add", "Adds the tool `name` and sends list_changed."),
    ("update", "Sends an update of its resource to a subscriber."),
];

pub(crate) type Outcome = Result<Value, (i64, String)>;

pub(crate) fn list(peer: &Peer) -> Vec<Value> {
    let describe = |name: &str, description: &str| json!({"name": name, "description": description, "inputSchema": {"type": "object"}});
    let own = TOOLS.iter().map(|(name, description)| describe(name, description));
    let more =
        peer.options.tools.iter().chain(peer.added.lock().iter()).cloned().collect::<Vec<_>>();
    own.chain(more.iter().map(|name| describe(name, "Answers with the line it read."))).collect()
}

/// Calls a tool; `None` if no answer is to be written for it.
pub(crate) async fn call(peer: &Peer, message: &Value, line: &str) -> Option<Outcome> {
    let name = message["params"]["name"].as_str().unwrap_or_default();
    let arguments = &message["params"]["arguments"];
    let number = |name: &str| arguments[name].as_u64().unwrap_or_default();
    let content = match name {
        "env" => std::env::var(arguments["name"].as_str().unwrap_or_default()).unwrap_or_default(),
        "whoami" => {
            let folder = std::env::current_dir().unwrap_or_default();
            json!({"pid": std::process::id(), "cwd": folder}).to_string()
        }
        "wait" => {
            tokio::time::sleep(Duration::from_millis(number("ms"))).await;
            "waited".to_owned()
        }
        "progress" | "log" => speak(peer, message, number("count")),
        "sample" | "elicit" | "roots" => ask(peer, name).await.to_string(),
        "huge" => "x".repeat(usize::try_from(number("bytes")).unwrap_or_default()),
        "flood" => tried(flood(number("bytes")).map(|()| "flooded".to_owned())),
        "grandchild" => tried(grandchild(&peer.options, Family::Stays).map(|pid| pid.to_string())),
        "add" => {
            peer.added.lock().extend(arguments["name"].as_str().map(str::to_owned));
            match peer.is_stateless(message) {
                true => peer.tell_listens("notifications/tools/list_changed", &json!({})),
                false => peer.notify("notifications/tools/list_changed", &json!({})),
            }
            "added".to_owned()
        }
        "update" => {
            peer.update();
            "updated".to_owned()
        }
        "echo" => line.to_owned(),
        name if peer
            .options
            .tools
            .iter()
            .chain(peer.added.lock().iter())
            .any(|own| own == name) =>
        {
            line.to_owned()
        }
        _ => return misbehave(peer, name, message).await,
    };
    Some(Ok(text(&content)))
}

/// The tools that break the rules of the transport.
async fn misbehave(peer: &Peer, name: &str, message: &Value) -> Option<Outcome> {
    let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": text("gr\u{fc}n")});
    match name {
        "never" => return std::future::pending().await,
        "segv" => {
            segv();
            return std::future::pending().await;
        }
        "hang" => loop {
            // The only thread of the only runtime.
            std::thread::park();
        },
        "late-log" => {
            peer.write(&answer);
            let ms = message["params"]["arguments"]["ms"].as_u64().unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(ms)).await;
            let log = json!({"level": "info", "data": "a secret of the caller"});
            peer.notify("notifications/message", &log);
        }
        "crash" => match message["params"]["arguments"]["code"].as_i64() {
            Some(code) => std::process::exit(i32::try_from(code).unwrap_or(1)),
            None => std::process::abort(),
        },
        "garbage" => {
            peer.raw(b"not json\n\n{\"half\":\n[1,2\n\xff\xfe\n{\"jsonrpc\":\"1.0\"}\n");
            peer.write(&answer);
        }
        "joined" => {
            let log = json!({"level": "info", "data": "joined"});
            let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": log});
            peer.raw(format!("{log}{answer}\n").as_bytes());
        }
        "split" => {
            let line = format!("{answer}\n");
            let middle = line.find('\u{fc}').map_or(0, |at| at + 1);
            peer.raw(&line.as_bytes()[..middle]);
            tokio::time::sleep(Duration::from_millis(20)).await;
            peer.raw(&line.as_bytes()[middle..]);
        }
        "huge-last" => {
            let bytes = message["params"]["arguments"]["bytes"].as_u64().unwrap_or_default();
            let result = text(&"x".repeat(usize::try_from(bytes).unwrap_or_default()));
            let id = &message["id"];
            let line = format!("{{\"jsonrpc\":\"2.0\",\"result\":{result},\"id\":{id}}}\n");
            peer.raw(line.as_bytes());
        }
        "crlf" => peer.raw(format!("{answer}\r\n").as_bytes()),
        "wrong-id" => peer.write(&json!({"jsonrpc": "2.0", "id": "nobody's", "result": {}})),
        _ => return Some(Err((-32602, format!("unknown tool: {name}")))),
    }
    None
}

fn speak(peer: &Peer, message: &Value, count: u64) -> String {
    let token = &message["params"]["_meta"]["progressToken"];
    if message["params"]["name"] == "log" {
        peer.notify("notifications/message", &json!({"level": "info", "data": "logged"}));
    } else if !token.is_null() {
        for step in 1..=count {
            let params = json!({"progressToken": token, "progress": step, "total": count});
            peer.notify("notifications/progress", &params);
        }
    }
    "spoken".to_owned()
}

async fn ask(peer: &Peer, what: &str) -> Value {
    let (method, params) = question(what);
    peer.ask(method, params).await
}

/// What a tool asks: method and params.
pub(crate) fn question(what: &str) -> (&'static str, Value) {
    let content = json!({"type": "text", "text": "say something"});
    match what {
        "sample" => {
            let messages = json!([{"role": "user", "content": content}]);
            ("sampling/createMessage", json!({"messages": messages, "maxTokens": 10}))
        }
        "elicit" => {
            let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
            ("elicitation/create", json!({"message": "who?", "requestedSchema": schema}))
        }
        _ => ("roots/list", json!({})),
    }
}

/// Has the signal sent to this process. Twice: the first one ends the handler that Rust has for it.
fn segv() {
    let pid = std::process::id().to_string();
    for _ in 0..2 {
        let _ = Command::new("sh").args(["-c", "kill -SEGV $0", &pid]).status();
    }
}

/// Whether a grandchild is in its parent's process group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Stays,
    Leaves,
}

/// Starts a process that inherits the streams and outlives this one; gives its id.
pub(crate) fn grandchild(options: &Options, family: Family) -> io::Result<u32> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--linger").env_remove("TESTKIT_STDIO").stdin(Stdio::inherit());
    if family == Family::Leaves {
        command.process_group(0);
    }
    let child = command.spawn()?;
    options.note_pid(child.id())?;
    Ok(child.id())
}

fn tried(outcome: io::Result<String>) -> String {
    outcome.unwrap_or_else(|error| error.to_string())
}

pub(crate) fn text(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}
