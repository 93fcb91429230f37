//! TLS: which peers are believed, and that nobody else gets a byte of a request.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Request;
use rcgen::ExtendedKeyUsagePurpose;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use vmcp_net::{Client, Egress, NetError, Pool, PoolKey};
use vmcp_testkit::{Authority, Certificate};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn pool(trust: Option<Bytes>) -> Pool {
    let egress = Egress { private: true, allow: Vec::new() };
    let key = PoolKey { trust, egress, ..PoolKey::new("test") };
    Client::new().pool(&key).unwrap()
}

pub(crate) async fn check(pool: &Pool, port: u16) -> Result<Bytes, NetError> {
    let request = Request::post(format!("https://localhost:{port}/mcp"))
        .header("authorization", "secret")
        .body(Bytes::from_static(b"ask"))
        .unwrap();
    let mut body = pool.send(request).await?.into_body();
    body.chunk().await.unwrap()
}

/// Accepts one connection and then no more for a while; gives what could be read of requests in all of them, in
/// plain text or decrypted.
async fn one_connection(acceptor: TlsAcceptor) -> (u16, JoinHandle<(usize, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut connections, mut read) = (0, Vec::new());
        let pause = Duration::from_millis(200);
        while let Ok(Ok((stream, _))) = tokio::time::timeout(pause, listener.accept()).await {
            connections += 1;
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read_to_end(&mut read).await;
            }
        }
        (connections, read)
    });
    (port, serving)
}

/// Asks a server with this certificate; it must not get a byte of the request, nor a second connection.
async fn refuses(what: &str, shown: Certificate, trust: Option<Bytes>, because: &str) {
    let (port, serving) = one_connection(shown.acceptor(&["h2"]).unwrap()).await;
    let error = check(&pool(trust), port).await.unwrap_err();
    assert!(matches!(error, NetError::Connect(_)), "{what}: {error}");
    assert!(error.provably_unsent());
    let text = error.to_string().to_ascii_lowercase();
    assert!(text.contains("certificate") && text.contains(because), "{what}: {error}");
    assert_eq!(serving.await.unwrap(), (1, Vec::new()), "{what}");
}

#[tokio::test]
async fn refuses_every_certificate_that_is_not_good() {
    let ours = Authority::new().unwrap();
    let theirs = Authority::new().unwrap();
    let good = |authority: &Authority| authority.issue("localhost").unwrap();
    let now = SystemTime::now();
    let expired =
        ours.issue_changed("localhost", |params| params.not_after = (now - DAY).into()).unwrap();
    let early =
        ours.issue_changed("localhost", |params| params.not_before = (now + DAY).into()).unwrap();
    let client = ours
        .issue_changed("localhost", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        })
        .unwrap();
    let bundle = || Some(ours.bundle());
    let self_signed = || Certificate::self_signed("localhost").unwrap();
    refuses("expired", expired, bundle(), "expired").await;
    refuses("not yet valid", early, bundle(), "not valid yet").await;
    refuses("another host", ours.issue("other.test").unwrap(), bundle(), "not valid for").await;
    refuses("an address", ours.issue("127.0.0.1").unwrap(), bundle(), "not valid for").await;
    refuses("for clients", client, bundle(), "usage").await;
    refuses("self-signed", self_signed(), bundle(), "unknown").await;
    refuses("self-signed", self_signed(), None, "").await;
    refuses("another authority", good(&theirs), bundle(), "").await;
    refuses("not of the system", good(&ours), None, "unknown").await;
}

/// Answers a TLS hello with these bytes; gives all that was sent to it.
async fn old_server(answer: Vec<u8>) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = vec![0; 16 * 1024];
        let read = stream.read(&mut hello).await.unwrap();
        hello.truncate(read);
        stream.write_all(&answer).await.unwrap();
        let _ = stream.read_to_end(&mut hello).await;
        // Nobody comes back to try it another way.
        let pause = Duration::from_millis(200);
        assert!(tokio::time::timeout(pause, listener.accept()).await.is_err());
        hello
    });
    (port, serving)
}

/// The hello of a server that speaks at most TLS 1.`minor - 1`.
fn server_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![2, 0, 0, 38, 3, minor];
    hello.extend([7; 32]);
    // No session id, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    hello.extend([0, 0, 0x2f, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    [vec![22, 3, minor, 0, length], hello].concat()
}

#[tokio::test]
async fn speaks_neither_old_tls_nor_none() {
    let answers = [
        ("TLS 1.0", server_hello(1)),
        ("TLS 1.1", server_hello(2)),
        ("the alert of an old server", vec![21, 3, 1, 0, 2, 2, 70]),
        ("no TLS", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nthere".to_vec()),
    ];
    for (what, answer) in answers {
        let (port, serving) = old_server(answer).await;
        let error = check(&pool(None), port).await.unwrap_err();
        assert!(matches!(error, NetError::Connect(_)), "{what}: {error}");
        assert!(error.provably_unsent());
        let sent = serving.await.unwrap();
        assert_eq!(sent[0], 22, "a TLS handshake");
        let text = String::from_utf8_lossy(&sent);
        assert!(!text.contains("secret") && !text.contains("ask"), "{what}");
    }
}
