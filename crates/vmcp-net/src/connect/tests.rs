//! Which addresses get a connection, with names that lead where the test says.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use hyper_util::client::proxy::matcher::Matcher;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use super::Lookup;
use crate::tls::{SystemRoots, Trust};
use crate::{AddressClass, Egress, NetError, Pool};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

fn addresses(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|address| address.parse().unwrap()).collect()
}

/// Answers one lookup after the other from a list; the last answer stays.
fn listed(answers: &[&[&str]]) -> Lookup {
    let answers: VecDeque<_> = answers.iter().map(|answer| addresses(answer)).collect();
    let answers = Arc::new(Mutex::new(answers));
    Lookup::new(move |_| {
        let mut answers = answers.lock();
        let answer = match answers.len() {
            1 => answers.front().cloned(),
            _ => answers.pop_front(),
        };
        Box::pin(async move { Ok(answer.unwrap_or_default()) })
    })
}

fn allowing(list: &[&str]) -> Egress {
    Egress { private: false, allow: list.iter().map(|net| net.parse().unwrap()).collect() }
}

fn pool(lookup: Lookup, egress: Egress, proxies: Option<Matcher>) -> Pool {
    let trust = Trust::new(SystemRoots::default(), None).unwrap();
    Pool::new(trust, proxies, (lookup, egress), Duration::from_secs(5))
}

async fn get(pool: &Pool, url: &str) -> Result<u16, NetError> {
    let request = Request::get(url).body(Bytes::new()).unwrap();
    pool.send(request).await.map(|response| response.status().as_u16())
}

/// Some spellings fail as names of certificates before their addresses are looked at.
fn is_refusal(error: &NetError) -> bool {
    let invalid = || error.to_string().contains("invalid dns name");
    matches!(error, NetError::Egress { .. }) || invalid()
}

/// Answers each connection with 200 and counts them.
async fn count(listener: TcpListener, accepted: Arc<Mutex<usize>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        *accepted.lock() += 1;
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(OK).await;
    }
}

/// Servers at the same port of two loopback addresses, and how many connections each got.
async fn twins() -> (u16, [Arc<Mutex<usize>>; 2]) {
    let bind = |at: SocketAddr| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(at)?;
        socket.listen(16)
    };
    loop {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = first.local_addr().unwrap().port();
        let Ok(second) = bind(SocketAddr::new("127.0.0.2".parse().unwrap(), port)) else {
            continue;
        };
        let counts = [Arc::default(), Arc::default()];
        tokio::spawn(count(first, Arc::clone(&counts[0])));
        tokio::spawn(count(second, Arc::clone(&counts[1])));
        return (port, counts);
    }
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_the_next_time_is_refused_then() {
    let (port, [good, evil]) = twins().await;
    let lookup = listed(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let pool = pool(lookup, allowing(&["127.0.0.1/32"]), None);
    let url = format!("http://rebinding.example:{port}/");
    assert_eq!(get(&pool, &url).await, Ok(200));
    let error = get(&pool, &url).await.unwrap_err();
    let refused = NetError::Egress {
        host: "rebinding.example".to_owned(),
        address: Some("127.0.0.2".parse().unwrap()),
        class: AddressClass::Private,
    };
    assert_eq!(error, refused);
    assert!(error.provably_unsent());
    assert_eq!((*good.lock(), *evil.lock()), (1, 0));
}

#[tokio::test]
async fn of_several_addresses_only_allowed_ones_are_dialled() {
    let (port, [good, evil]) = twins().await;
    let lookup = listed(&[&["127.0.0.2", "169.254.169.254", "127.0.0.1", "::1"]]);
    let pool = pool(lookup, allowing(&["127.0.0.1/32"]), None);
    assert_eq!(get(&pool, &format!("http://both.example:{port}/")).await, Ok(200));
    assert_eq!((*good.lock(), *evil.lock()), (1, 0));
}

#[tokio::test]
async fn an_address_in_any_spelling_is_not_dialled_for_a_discovered_url() {
    let (port, [good, _]) = twins().await;
    // What the system makes of these is checked too, whatever it is.
    let pool = pool(Lookup::system(), Egress::public(), None);
    let spellings = [
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "127.1",
        "0177.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "100.64.0.1",
        "198.51.100.1",
        "[fe80::1]",
    ];
    for host in spellings {
        for scheme in ["http", "https"] {
            let error = get(&pool, &format!("{scheme}://{host}:{port}/")).await.unwrap_err();
            assert!(is_refusal(&error), "{scheme} {host}: {error}");
            assert!(error.provably_unsent());
        }
    }
    assert_eq!(*good.lock(), 0);
}

#[tokio::test]
async fn says_what_was_refused_and_which_key_allows_it() {
    let lookup = || listed(&[&["10.0.0.5"]]);
    let error = get(&pool(lookup(), Egress::public(), None), "http://mcp.example.com/").await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "\"mcp.example.com\" leads to 10.0.0.5, a private address, which is not dialled here unless \
         `network.private` or `network.allow` says so"
    );
    let error = get(&pool(lookup(), Egress::public(), None), "http://169.254.169.254/").await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "\"169.254.169.254\" is a cloud metadata address, which is not dialled here unless \
         `network.allow` says so"
    );
}

#[tokio::test]
async fn a_proxy_in_a_private_network_is_dialled_and_what_it_is_asked_for_is_checked() {
    let (port, [accepted, _]) = twins().await;
    let proxied = |proxy: &str| {
        let proxies = Matcher::builder().all(proxy).build();
        pool(listed(&[&["127.0.0.1"]]), Egress::public(), Some(proxies))
    };
    let by_name = proxied(&format!("http://proxy.example.com:{port}"));
    assert_eq!(get(&by_name, "http://mcp.example.com/").await, Ok(200));
    let by_address = proxied(&format!("http://127.0.0.1:{port}"));
    assert_eq!(get(&by_address, "http://mcp.example.com/").await, Ok(200));
    for host in ["127.0.0.1", "0x7f.1", "[::1]", "169.254.169.254", "localhost", "a.internal"] {
        for scheme in ["http", "https"] {
            let error = get(&by_name, &format!("{scheme}://{host}/")).await.unwrap_err();
            assert!(is_refusal(&error), "{scheme} {host}: {error}");
        }
    }
    assert_eq!(*accepted.lock(), 2);
}

#[tokio::test]
async fn a_proxy_does_not_lead_to_a_metadata_service() {
    let proxies = Matcher::builder().all("http://proxy.example.com").build();
    let pool = pool(listed(&[&["169.254.169.254"]]), Egress::public(), Some(proxies));
    let error = get(&pool, "http://mcp.example.com/").await.unwrap_err();
    assert!(matches!(&error, NetError::Egress { host, .. } if host == "proxy.example.com"));
}

#[tokio::test]
async fn a_name_without_addresses_carried_nothing() {
    let failing = Lookup::new(|_| Box::pin(async { Err("no such name".into()) }));
    for lookup in [listed(&[&[]]), failing] {
        let pool = pool(lookup, Egress::public(), None);
        let error = get(&pool, "http://nowhere.example/").await.unwrap_err();
        assert!(matches!(error, NetError::Connect(_)), "{error}");
        assert!(error.provably_unsent());
    }
}
