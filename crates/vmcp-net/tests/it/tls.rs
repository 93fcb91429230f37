//! TLS: which certificates are trusted, HTTP/2, and what a refused stream means.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use vmcp_net::{Client, NetError, Pool, PoolKey};

const CA: &[u8] = include_bytes!("certificates/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("certificates/server.pem");
const KEY: &[u8] = include_bytes!("certificates/server.key");

fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(CERTIFICATE).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// An HTTP/2 server that resets the first streams with these reasons and answers the others; its port.
async fn server(resets: Vec<h2::Reason>) -> u16 {
    serve("127.0.0.1:0", resets).await
}

async fn serve(at: &str, resets: Vec<h2::Reason>) -> u16 {
    let listener = TcpListener::bind(at).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut resets = resets.into_iter();
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust the certificate ends here.
            let Ok(stream) = acceptor().accept(stream).await else { continue };
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                match resets.next() {
                    Some(reason) => respond.send_reset(reason),
                    None => {
                        let mut body = respond.send_response(Response::new(()), false).unwrap();
                        body.send_data(Bytes::from_static(b"there"), true).unwrap();
                    }
                }
            }
        }
    });
    port
}

fn pool(trust: Option<&'static [u8]>) -> Pool {
    let key = PoolKey { trust: trust.map(Bytes::from_static), ..PoolKey::new("test") };
    Client::new().pool(&key).unwrap()
}

async fn check(pool: &Pool, host: &str, port: u16) -> Result<Bytes, NetError> {
    let request = Request::post(format!("https://{host}:{port}/mcp")).body(Bytes::new()).unwrap();
    let mut body = pool.send(request).await?.into_body();
    body.chunk().await.unwrap()
}

#[tokio::test]
async fn trusts_a_bundle_besides_the_system() {
    let port = server(Vec::new()).await;
    assert_eq!(check(&pool(Some(CA)), "localhost", port).await.unwrap(), "there");
}

#[tokio::test]
async fn trusts_nobody_else_and_no_other_name() {
    for (trust, host, at) in
        [(None, "localhost", "127.0.0.1:0"), (Some(CA), "127.0.0.2", "127.0.0.2:0")]
    {
        let port = serve(at, Vec::new()).await;
        let error = check(&pool(trust), host, port).await.unwrap_err();
        assert!(matches!(error, NetError::Connect(_)), "{error}");
        assert!(error.to_string().contains("certificate"), "{error}");
        assert!(error.provably_unsent());
    }
}

#[tokio::test]
async fn a_refused_stream_is_tried_once_more() {
    let refuse = h2::Reason::REFUSED_STREAM;
    let port = server(vec![refuse]).await;
    assert_eq!(check(&pool(Some(CA)), "localhost", port).await.unwrap(), "there");
    let port = server(vec![refuse; 2]).await;
    let error = check(&pool(Some(CA)), "localhost", port).await.unwrap_err();
    assert!(matches!(error, NetError::Refused(_)), "{error}");
    assert!(error.provably_unsent());
}

#[tokio::test]
async fn a_reset_stream_is_not_repeated() {
    for reason in [h2::Reason::CANCEL, h2::Reason::INTERNAL_ERROR] {
        let port = server(vec![reason]).await;
        let error = check(&pool(Some(CA)), "localhost", port).await.unwrap_err();
        assert!(!error.provably_unsent(), "{error}");
    }
}
