//! Pools, redirects, and what is known when an exchange fails.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vmcp_net::{Body, Client, Egress, NetError, Pool, PoolKey};

use crate::server::Server;

pub(crate) fn post(url: &str) -> Request<Bytes> {
    Request::post(url).header("authorization", "secret").body(Bytes::from_static(b"ask")).unwrap()
}

/// Connections of one partition to servers of the test.
fn key(partition: &str) -> PoolKey {
    PoolKey { egress: Egress::configured_for("127.0.0.1", None, &[]), ..PoolKey::new(partition) }
}

pub(crate) fn pool() -> Pool {
    Client::new().pool(&key("test")).unwrap()
}

async fn text(mut body: Body) -> String {
    let mut all = Vec::new();
    while let Some(chunk) = body.chunk().await {
        all.extend_from_slice(&chunk.unwrap());
    }
    String::from_utf8(all).unwrap()
}

fn redirect(status: u16, to: &str) -> Response<Full<Bytes>> {
    Response::builder().status(status).header("location", to).body(Full::default()).unwrap()
}

#[tokio::test]
async fn reuses_a_connection_and_shares_pools_by_key() {
    let server = Server::start(|path| Response::new(Full::from(path.to_owned()))).await;
    let client = Client::new();
    for round in 0..10 {
        let pool = client.pool(&key("one")).unwrap();
        let response = pool.send(post(&server.url(&format!("/{round}")))).await.unwrap();
        assert_eq!(text(response.into_body()).await, format!("/{round}"));
    }
    let other = client.pool(&key("two")).unwrap();
    text(other.send(post(&server.url("/other"))).await.unwrap().into_body()).await;
    let connections: Vec<usize> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
}

#[tokio::test]
async fn follows_307_with_method_and_body() {
    let server = Server::start(|path| match path {
        "/a" => redirect(307, "/b"),
        "/b" => redirect(308, "c"),
        _ => Response::new(Full::from("there")),
    })
    .await;
    let response = pool().send(post(&server.url("/a"))).await.unwrap();
    assert_eq!(text(response.into_body()).await, "there");
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[2].line, "POST /c");
    assert_eq!(seen[2].body, "ask");
    assert_eq!(seen[2].authorization.as_deref(), Some("secret"));
}

#[tokio::test]
async fn sends_nothing_to_another_origin() {
    let thief = Server::start(|_| Response::new(Full::default())).await;
    for status in [301, 302, 303, 307, 308] {
        let to = thief.url("/steal");
        let server = Server::start(move |_| redirect(status, &to)).await;
        let error = pool().send(post(&server.url("/a"))).await.unwrap_err();
        assert!(matches!(error, NetError::Redirect(_)), "{error}");
        assert!(!error.provably_unsent());
    }
    assert!(thief.seen().is_empty());
}

#[tokio::test]
async fn stops_after_ten_redirects() {
    let server = Server::start(|_| redirect(307, "/again")).await;
    let error = pool().send(post(&server.url("/a"))).await.unwrap_err();
    assert_eq!(error.to_string(), "stopped after 10 redirects");
    assert_eq!(server.seen().len(), 11);
}

#[tokio::test]
async fn knows_that_a_refused_connection_carried_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = pool().send(post(&url)).await.unwrap_err();
    assert!(matches!(error, NetError::Connect(_)), "{error}");
    assert!(error.provably_unsent());
}

#[tokio::test]
async fn gives_up_a_handshake_that_does_not_end() {
    // Accepts TCP (the kernel does) and never answers the TLS hello.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let key = PoolKey { connect_timeout: Duration::from_millis(50), ..key("slow") };
    let pool = Client::new().pool(&key).unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let error = pool.send(post(&url)).await.unwrap_err();
    assert!(error.to_string().contains("no connection within 50 ms"), "{error}");
    assert!(error.provably_unsent());
}

#[tokio::test]
async fn does_not_repeat_a_request_that_was_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut accepted = 0;
        while let Ok(Ok((mut stream, _))) =
            tokio::time::timeout(Duration::from_millis(300), listener.accept()).await
        {
            accepted += 1;
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await;
        }
        accepted
    });
    let error = pool().send(post(&url)).await.unwrap_err();
    assert!(matches!(error, NetError::Exchange(_)), "{error}");
    assert!(!error.provably_unsent());
    assert_eq!(serving.await.unwrap(), 1);
}

#[tokio::test]
async fn says_when_a_body_breaks_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    });
    let mut body = pool().send(post(&url)).await.unwrap().into_body();
    assert_eq!(body.chunk().await, Some(Ok(Bytes::from_static(b"half"))));
    assert!(matches!(body.chunk().await, Some(Err(NetError::Body(_)))));
}

/// Serves one exchange a connection, each with this answer; closes after each.
async fn hasty(answer: &'static str) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, serving)
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_lay_ready_is_not_used() {
    let (url, serving) = hasty("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nthere").await;
    let pool = pool();
    assert_eq!(text(pool.send(post(&url)).await.unwrap().into_body()).await, "there");
    // After an exchange with somebody else, what happened before it is known.
    let other = Server::start(|_| Response::new(Full::from("other"))).await;
    text(pool.send(post(&other.url("/"))).await.unwrap().into_body()).await;
    assert_eq!(text(pool.send(post(&url)).await.unwrap().into_body()).await, "there");
    serving.await.unwrap();
}

#[tokio::test]
async fn a_connection_on_which_more_came_than_was_asked_for_is_not_used() {
    let stray = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nthereHTTP/1.1 200 OK\r\n\
                 content-length: 6\r\n\r\nforged";
    let (url, serving) = hasty(stray).await;
    let pool = pool();
    for _ in 0..2 {
        assert_eq!(text(pool.send(post(&url)).await.unwrap().into_body()).await, "there");
    }
    serving.await.unwrap();
}

#[tokio::test]
async fn a_body_that_is_left_unread_costs_its_connection_and_no_other_does() {
    let server = Server::start(|path| match path {
        "/empty" => Response::new(Full::default()),
        _ => Response::new(Full::from("x".repeat(1 << 20))),
    })
    .await;
    let pool = pool();
    for path in ["/empty", "/long", "/empty", "/empty"] {
        drop(pool.send(post(&server.url(path))).await.unwrap());
    }
    let connections: Vec<usize> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0, 1, 1]);
}

#[tokio::test]
async fn an_answer_that_comes_before_all_of_the_request_was_read_is_the_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (over, wait) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno").await;
        let _ = wait.await;
    });
    let request = Request::post(&url).body(Bytes::from(vec![0; 64 << 20])).unwrap();
    let response = pool().send(request).await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(text(response.into_body()).await, "no");
    drop(over);
}
