//! A clock: what time it is, here and elsewhere, and a countdown that shows progress.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::broadcast;
use vmcp_wire::{method, rpc};

use super::civil;
use super::server::{Answer, Change, Progress, Service, failed, said, unknown};

/// The longest countdown.
const MAX_SECONDS: u64 = 60;

/// The service. It has no state.
pub(crate) struct Clock;

// === impl Clock ===

impl Service for Clock {
    const NAME: &'static str = "vmcp-demo-clock";

    fn capabilities(&self) -> Value {
        json!({ "tools": {} })
    }

    fn instructions(&self) -> &'static str {
        "Knows the time. Offsets are written like +02:00 or Z."
    }

    async fn answer(&self, method: &str, params: &Value, progress: &Progress) -> Answer {
        match method {
            method::TOOLS_LIST => Ok(json!({ "tools": tools() })),
            method::TOOLS_CALL => call(params, progress).await,
            other => unknown(rpc::METHOD_NOT_FOUND, "method", other),
        }
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        // A clock has no news: the sender is gone at once, and nothing is ever received.
        broadcast::channel(1).1
    }
}

async fn call(params: &Value, progress: &Progress) -> Answer {
    let arguments = &params["arguments"];
    let text = |key: &str| arguments[key].as_str();
    match params["name"].as_str().unwrap_or_default() {
        "now" => Ok(now(text("offset"))),
        "convert" => Ok(convert(text("time").unwrap_or_default(), text("offset"))),
        "countdown" => Ok(countdown(arguments["seconds"].as_u64(), progress).await),
        other => unknown(rpc::INVALID_PARAMS, "tool", other),
    }
}

fn now(offset: Option<&str>) -> Value {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    shown(unix, offset)
}

fn convert(time: &str, offset: Option<&str>) -> Value {
    match civil::parse(time) {
        Some(unix) => shown(unix, offset),
        None => failed(format!("`{time}` is not a time like 2026-01-31T12:00:00+02:00")),
    }
}

fn shown(unix: i64, offset: Option<&str>) -> Value {
    let text = offset.unwrap_or("Z");
    match civil::offset(text) {
        Some(minutes) => {
            let time = civil::format(unix, minutes);
            said(time.clone(), &json!({ "time": time, "unix": unix }))
        }
        None => failed(format!("`{text}` is not an offset like +02:00 or Z")),
    }
}

async fn countdown(seconds: Option<u64>, progress: &Progress) -> Value {
    let Some(seconds) = seconds.filter(|seconds| (1..=MAX_SECONDS).contains(seconds)) else {
        return failed(format!("`seconds` must be a whole number from 1 to {MAX_SECONDS}"));
    };
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.tick().await;
    for done in 1..=seconds {
        second.tick().await;
        progress.report(done, seconds, &format!("{} to go", seconds - done)).await;
    }
    said("lift-off", &json!({ "seconds": seconds }))
}

fn tools() -> Value {
    let offset = json!({
        "type": "string", "description": "Offset from UTC, such as +02:00; default Z.",
    });
    let time = json!({
        "type": "object",
        "properties": { "time": { "type": "string" }, "unix": { "type": "integer" } },
        "required": ["time", "unix"],
    });
    let reads = json!({ "readOnlyHint": true, "openWorldHint": false });
    json!([
        {
            "name": "now",
            "title": "Current time",
            "description": "Tells the current date and time, to the second.",
            "inputSchema": { "type": "object", "properties": { "offset": offset } },
            "outputSchema": time,
            "annotations": reads,
        },
        {
            "name": "convert",
            "title": "Convert a time",
            "description": "Tells what a time is at another offset from UTC.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "time": {
                        "type": "string",
                        "description": "An RFC 3339 time, such as 2026-01-31T12:00:00+02:00.",
                    },
                    "offset": offset,
                },
                "required": ["time"],
            },
            "outputSchema": time,
            "annotations": reads,
        },
        {
            "name": "countdown",
            "title": "Countdown",
            "description": "Counts seconds and reports progress every second; can be cancelled.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "seconds": { "type": "integer", "minimum": 1, "maximum": MAX_SECONDS },
                },
                "required": ["seconds"],
            },
            "annotations": reads,
        },
    ])
}
