//! What backends offer outlives the process, however it ends.

use std::path::Path;

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, RawClient};

use crate::{Bench, Serving};

const REVISION: &str = "2025-11-25";
/// Enough that writing the file takes a while.
const TOOLS: usize = 2000;

/// Every tool says which listing it is of.
fn generation(number: usize) -> Vec<Value> {
    let filler = "x".repeat(400);
    let tool = |at| {
        json!({
            "name": format!("t{at}_of_{number}"),
            "description": filler,
            "inputSchema": { "type": "object" },
        })
    };
    (0..TOOLS).map(tool).collect()
}

/// Whether a file is there that was written to its end.
fn is_there(folder: &Path) -> std::io::Result<bool> {
    let mut files = std::fs::read_dir(folder)?.flatten();
    Ok(files.any(|file| file.path().extension().is_some_and(|end| end == "index")))
}

/// The generation of what vmcp lists, which has to be of one alone.
async fn listed(serving: &Serving) -> Option<usize> {
    let client = RawClient::new(&serving.url).unwrap();
    client.handshake(REVISION, json!({})).await.unwrap();
    let (mut names, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = client.call("tools/list", json!({ "cursor": cursor })).await.unwrap();
        let tools = page["result"]["tools"].as_array().unwrap();
        names.extend(tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()));
        match &page["result"]["nextCursor"] {
            Value::Null => break,
            next => cursor = next.clone(),
        }
    }
    let of = |name: &String| name.split("_of_").nth(1).unwrap().parse::<usize>().unwrap();
    let first = of(names.first()?);
    assert_eq!(names.len(), TOOLS);
    assert!(names.iter().all(|name| of(name) == first), "of several listings");
    Some(first)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_leaves_a_whole_listing() {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    let list = Answer::with(move |_| {
        let number = counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Answer::result(json!({ "tools": generation(number) }))
    });
    let tools = json!({ "tools": {} });
    let backend = Backend::builder().capabilities(tools).on("tools/list", list);
    let backend = backend.start().await.unwrap();
    let bench = Bench::new();
    let config = format!(
        "backends: [{{name: b, url: '{}'}}]\ntimeouts: {{refresh: 20ms, firstCatalogue: 10s}}\n",
        backend.url()
    );
    bench.write("c.yaml", &config);
    let folder = bench.path(".local/state/vmcp/index");
    let mut seen = None;
    for round in 0..8 {
        let serving = Serving::start(&bench, &["-c", "c.yaml"]);
        // The first one has to come to writing at all; what the others are doing is left to chance.
        let mut heard = backend.count("tools/list");
        let kept = || is_there(&folder).unwrap_or(false);
        while seen.is_none() && !kept() {
            heard += 1;
            backend.wait_for("tools/list", heard).await.unwrap();
        }
        backend.wait_for("tools/list", heard + 3 * round).await.unwrap();
        serving.signal("KILL");
        serving.ended().await;
        backend.down().await;
        let serving = Serving::start(&bench, &["-c", "c.yaml"]);
        let now = listed(&serving).await.unwrap();
        assert!(seen < Some(now + 1), "what was kept is never older than before");
        seen = Some(now);
        drop(serving);
        backend.up().await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_kept_where_nobody_wants_it_or_a_command_only_looks() {
    let backend = Backend::builder()
        .tool(json!({ "name": "t", "inputSchema": { "type": "object" } }), Answer::usual())
        .start()
        .await
        .unwrap();
    let bench = Bench::new();
    let backends = format!("backends: [{{name: b, url: '{}'}}]\n", backend.url());
    bench.write("off.yaml", &format!("{backends}catalogue: {{persist: false}}\n"));
    bench.write("on.yaml", &format!("{backends}catalogue: {{dir: '${{userHome}}/kept'}}\n"));
    let folders = ["kept", ".local"].map(|name| bench.path(name));
    let none = || folders.iter().all(|folder| !folder.exists());

    let serving = Serving::start(&bench, &["-c", "off.yaml"]);
    RawClient::new(&serving.url).unwrap().handshake(REVISION, json!({})).await.unwrap();
    serving.signal("TERM");
    assert_eq!(serving.ended().await, Some(0));
    let bench = tokio::task::spawn_blocking(move || {
        bench.run(&["tools", "-c", "on.yaml"]).exits(0);
        bench
    });
    let bench = bench.await.unwrap();
    assert!(none());

    let serving = Serving::start(&bench, &["-c", "on.yaml"]);
    RawClient::new(&serving.url).unwrap().handshake(REVISION, json!({})).await.unwrap();
    serving.signal("TERM");
    assert_eq!(serving.ended().await, Some(0));
    assert_eq!(std::fs::read_dir(&folders[0]).unwrap().count(), 1);
    assert!(!folders[1].exists());
    backend.down().await;
    let serving = Serving::start(&bench, &["-c", "on.yaml"]);
    let client = RawClient::new(&serving.url).unwrap();
    client.handshake(REVISION, json!({})).await.unwrap();
    let tools = client.call("tools/list", json!({})).await.unwrap();
    assert_eq!(tools["result"]["tools"][0]["name"], "b_t");
}
