//! What a proxy gets to read.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::Pool;
use crate::Egress;
use crate::connect::Lookup;
use crate::tls::{SystemRoots, Trust};

/// Sends a request to `url` through a proxy that answers `answer`; gives what the proxy read.
async fn check(url: &str, answer: &'static str) -> (String, bool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let proxy = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = vec![0; 4096];
        let length = stream.read(&mut read).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(read[..length].to_vec()).unwrap()
    });
    let matcher = Matcher::builder().all(format!("http://user:pw@{at}")).no("direct.test").build();
    let trust = Trust::new(SystemRoots::default(), None).unwrap();
    let egress = Egress { private: true, allow: Vec::new() };
    let dialled = (Lookup::system(), egress);
    let pool = Pool::new(trust, Some(matcher), dialled, Duration::from_secs(5));
    let request = Request::post(url).header("x-key", "secret").body(Bytes::new()).unwrap();
    let sent = pool.send(request).await;
    (proxy.await.unwrap(), sent.is_ok())
}

#[tokio::test]
async fn a_plain_request_is_handed_over_whole() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let (read, sent) = check("http://far.test/mcp", answer).await;
    assert!(sent);
    assert!(read.starts_with("POST http://far.test/mcp HTTP/1.1\r\n"), "{read}");
    assert!(read.contains("proxy-authorization: Basic dXNlcjpwdw=="), "{read}");
}

#[tokio::test]
async fn a_secure_request_is_tunnelled_and_not_shown() {
    let (read, sent) = check("https://far.test/mcp", "HTTP/1.1 403 Forbidden\r\n\r\n").await;
    assert!(!sent);
    assert!(read.starts_with("CONNECT far.test:443 HTTP/1.1\r\n"), "{read}");
    assert!(read.contains("dXNlcjpwdw=="), "{read}");
    assert!(!read.contains("secret"), "{read}");
}
