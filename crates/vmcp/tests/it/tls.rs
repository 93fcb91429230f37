//! `listen.tls` of the command.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use vmcp_net::{Client, Egress, Pool, PoolKey};
use vmcp_testkit::{Authority, PATIENCE};

use crate::{Bench, Serving};

/// Writes a pair and a configuration that names it; looks at files come by signal only.
fn write(bench: &Bench, authority: &Authority) {
    renew(bench, authority);
    let folder = bench.path("").display().to_string();
    let folder = folder.trim_end_matches('/');
    bench.write(
        "c.yaml",
        &format!(
            "backends: [{{name: b, url: http://127.0.0.1:1/mcp}}]\nlisten:\n  tls:\n    cert: {folder}/cert.pem\n    key: {folder}/key.pem\n\
             timeouts: {{certificates: 1h, handshake: 200ms}}\n"
        ),
    );
}

fn renew(bench: &Bench, authority: &Authority) {
    let pair = authority.issue("127.0.0.1").unwrap();
    bench.write("cert.pem", &pair.pem());
    bench.write("key.pem", &pair.key_pem());
}

/// A client that trusts this authority alone besides the system, with no connection yet.
fn pool(authority: &Authority) -> Pool {
    let egress = Egress { private: true, allow: Vec::new() };
    let key = PoolKey { trust: Some(authority.bundle()), egress, ..PoolKey::new("test") };
    Client::new().pool(&key).unwrap()
}

async fn is_healthy(serving: &Serving, pool: &Pool) -> bool {
    let url = serving.url.replace("/mcp", "/health");
    let request = http::Request::get(url).body(bytes::Bytes::new()).unwrap();
    pool.send(request).await.is_ok_and(|response| response.status() == 200)
}

#[tokio::test]
async fn serves_https_and_takes_a_new_certificate_at_a_signal() {
    let (old, new) = (Authority::new().unwrap(), Authority::new().unwrap());
    let bench = Bench::new();
    write(&bench, &old);
    let serving = Serving::start(&bench, &["-c", "c.yaml"]);
    assert!(serving.url.starts_with("https://127.0.0.1:"), "{}", serving.greeting);
    let kept = pool(&old);
    assert!(is_healthy(&serving, &kept).await);
    assert!(!is_healthy(&serving, &pool(&new)).await);

    // A bad one first: the old one stays.
    bench.write("key.pem", "nothing");
    serving.signal("HUP");
    assert!(is_healthy(&serving, &pool(&old)).await);
    renew(&bench, &new);
    serving.signal("HUP");
    let wait = async { while !is_healthy(&serving, &pool(&new)).await {} };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    assert!(is_healthy(&serving, &kept).await, "the connection from before");
    assert!(!is_healthy(&serving, &pool(&old)).await);
    serving.signal("TERM");
    assert_eq!(serving.ended().await, Some(0));
}

#[test]
fn validate_says_what_is_wrong_with_the_files_and_serve_does_not_start() {
    let authority = Authority::new().unwrap();
    let bench = Bench::new();
    write(&bench, &authority);
    let run = bench.run(&["validate", "-c", "c.yaml"]).exits(0);
    assert!(run.out.contains("listens at https://127.0.0.1:4483/mcp"), "{}", run.out);

    bench.write("key.pem", &authority.issue("127.0.0.1").unwrap().key_pem());
    let run = bench.run(&["validate", "-c", "c.yaml"]).exits(64);
    assert!(run.out.contains("c.yaml:5:") && run.out.contains("`listen.tls.key`"), "{}", run.out);
    assert!(!run.out.contains("PRIVATE"), "{}", run.out);
    let run = bench.run(&["serve", "--listen", "127.0.0.1:0", "-c", "c.yaml"]).exits(64);
    assert!(run.err.contains("`listen.tls.key`"), "{}", run.err);
    std::fs::remove_file(bench.path("cert.pem")).unwrap();
    let run = bench.run(&["validate", "-c", "c.yaml"]).exits(64);
    assert!(run.out.contains("c.yaml:4:") && run.out.contains("`listen.tls.cert`"), "{}", run.out);
}

#[cfg(target_os = "linux")]
#[test]
fn handshakes_that_are_broken_off_leave_no_descriptor() {
    let bench = Bench::new();
    write(&bench, &Authority::new().unwrap());
    let serving = Serving::start(&bench, &["-c", "c.yaml"]);
    let address = serving.url.trim_start_matches("https://").trim_end_matches("/mcp").to_owned();
    let sockets = || {
        let folder = format!("/proc/{}/fd", serving.child.id());
        let links = std::fs::read_dir(folder).unwrap();
        let targets = links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    };
    // What greets has not yet started all that accepts.
    let mut first = TcpStream::connect(&address).unwrap();
    first.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    first.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let before = sockets();
    let starts: [&[u8]; 4] =
        [b"", &[22, 3, 1, 2, 0, 1], b"GET / HTTP/1.1\r\n", &[22, 9, 9, 0, 1, 0]];
    let mut silent = Vec::new();
    for turn in 0..400 {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(starts[turn % starts.len()]).unwrap();
        if turn % 8 < starts.len() {
            silent.push(stream);
        }
    }
    let end = Instant::now() + PATIENCE;
    while sockets() > before {
        assert!(Instant::now() < end, "{} sockets, {before} before", sockets());
        std::thread::yield_now();
    }
    // It was the server that closed those.
    for mut stream in silent {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        // Closed or reset, both are an end.
        let _ = stream.read_to_end(&mut Vec::new());
    }
}
