//! HTTP/2: what a refused or reset stream means, and what a server may not do.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tokio::net::TcpListener;
use vmcp_net::NetError;
use vmcp_testkit::{Authority, Http2Backend, Http2Fault};

use crate::tls::{check, pool};

/// An HTTP/2 server that resets the first streams with these reasons and answers the others.
async fn server(authority: &Authority, resets: Vec<h2::Reason>) -> u16 {
    serve(authority, resets, StatusCode::OK, HeaderMap::new()).await
}

/// One that answers with this status and these headers.
async fn server_of(authority: &Authority, status: StatusCode, headers: HeaderMap) -> u16 {
    serve(authority, Vec::new(), status, headers).await
}

async fn serve(
    authority: &Authority,
    resets: Vec<h2::Reason>,
    status: StatusCode,
    headers: HeaderMap,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = authority.issue("localhost").unwrap().acceptor(&["h2"]).unwrap();
    tokio::spawn(async move {
        let mut resets = resets.into_iter();
        while let Ok((stream, _)) = listener.accept().await {
            let stream = acceptor.accept(stream).await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                match resets.next() {
                    Some(reason) => respond.send_reset(reason),
                    None => {
                        let mut response = Response::new(());
                        *response.status_mut() = status;
                        response.headers_mut().clone_from(&headers);
                        let mut body = respond.send_response(response, false).unwrap();
                        body.send_data(Bytes::from_static(b"there"), true).unwrap();
                    }
                }
            }
        }
    });
    port
}

#[tokio::test]
async fn never_leaves_https() {
    let authority = Authority::new().unwrap();
    for to in ["http://localhost/mcp", "HTTP://localhost:443/", "//127.0.0.1/mcp"] {
        let mut headers = HeaderMap::new();
        headers.insert("location", to.parse().unwrap());
        let port = server_of(&authority, StatusCode::TEMPORARY_REDIRECT, headers).await;
        let error = check(&pool(Some(authority.bundle())), port).await.unwrap_err();
        assert!(matches!(error, NetError::Redirect(_)), "{to}: {error}");
        assert!(!error.provably_unsent());
    }
}

#[tokio::test]
async fn trusts_a_bundle_besides_the_system() {
    let authority = Authority::new().unwrap();
    let port = server(&authority, Vec::new()).await;
    assert_eq!(check(&pool(Some(authority.bundle())), port).await.unwrap(), "there");
}

#[tokio::test]
async fn a_refused_stream_is_tried_once_more() {
    let refuse = h2::Reason::REFUSED_STREAM;
    let authority = Authority::new().unwrap();
    let pool = pool(Some(authority.bundle()));
    let port = server(&authority, vec![refuse]).await;
    assert_eq!(check(&pool, port).await.unwrap(), "there");
    let port = server(&authority, vec![refuse; 2]).await;
    let error = check(&pool, port).await.unwrap_err();
    assert!(matches!(error, NetError::Refused(_)), "{error}");
    assert!(error.provably_unsent());
}

#[tokio::test]
async fn a_stream_that_a_server_did_not_look_at_before_it_went_away_is_tried_once_more() {
    let authority = Authority::new().unwrap();
    let certificate = authority.issue("localhost").unwrap();
    let pool = pool(Some(authority.bundle()));
    let ask = |backend: &Http2Backend| {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#;
        let request = Request::post(backend.url()).body(Bytes::from_static(body.as_bytes()));
        pool.send(request.unwrap())
    };
    let before = Http2Fault::GoAwayBefore(0);
    let backend = Http2Backend::start(&certificate, [before]).await.unwrap();
    assert!(ask(&backend).await.is_ok());
    assert_eq!((backend.count("tools/call"), backend.executions().len()), (2, 1));
    let backend = Http2Backend::start(&certificate, [before; 2]).await.unwrap();
    let error = ask(&backend).await.unwrap_err();
    assert!(matches!(error, NetError::Refused(_)), "{error}");
    assert!(error.provably_unsent());
    assert_eq!((backend.count("tools/call"), backend.executions().len()), (2, 0));
    let backend = Http2Backend::start(&certificate, [Http2Fault::GoAwayAfter(0)]).await.unwrap();
    let error = ask(&backend).await.unwrap_err();
    assert!(!error.provably_unsent(), "{error}");
    assert_eq!((backend.count("tools/call"), backend.executions().len()), (1, 1));
}

#[tokio::test]
async fn a_reset_stream_is_not_repeated() {
    let authority = Authority::new().unwrap();
    let pool = pool(Some(authority.bundle()));
    for reason in [h2::Reason::CANCEL, h2::Reason::INTERNAL_ERROR] {
        let port = server(&authority, vec![reason]).await;
        let error = check(&pool, port).await.unwrap_err();
        assert!(!error.provably_unsent(), "{error}");
    }
}

#[tokio::test]
async fn bounds_the_response_header() {
    let authority = Authority::new().unwrap();
    let mut headers = HeaderMap::new();
    for _ in 0..80 {
        headers.append("x-big", HeaderValue::from_str(&"a".repeat(1024)).unwrap());
    }
    let port = server_of(&authority, StatusCode::OK, headers).await;
    let error = check(&pool(Some(authority.bundle())), port).await.unwrap_err();
    // The stream is reset for it, without a reason of its own.
    assert!(matches!(error, NetError::Exchange(_)), "{error}");
    assert!(!error.provably_unsent());
}
