//! TLS: who is served, who is not, and certificates that change meanwhile.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::ExtendedKeyUsagePurpose;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use vmcp_config::{ClientCerts, Config, ListenTls, TlsVersion};
use vmcp_edge::{Reload, Tls};
use vmcp_testkit::{Authority, Certificate, PATIENCE};

use crate::rig::{LATEST, Rig, Wire, hello, post};

const HEALTH: &str = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// What a healthy server says to that.
const OK: &str = "HTTP/1.1 200 OK";

/// Files of certificates, and who signs them.
struct Files {
    folder: TempDir,
    authority: Authority,
}

/// One way of being a client.
struct Caller<'a> {
    shown: Option<&'a Certificate>,
    protocols: &'a [&'a str],
    versions: &'a [&'static SupportedProtocolVersion],
}

const USUAL: Caller<'static> =
    Caller { shown: None, protocols: &["http/1.1"], versions: &[&TLS13, &TLS12] };

// === impl Files ===

impl Files {
    fn new() -> Self {
        let files =
            Self { folder: tempfile::tempdir().unwrap(), authority: Authority::new().unwrap() };
        files.renew();
        files.put("ca", std::str::from_utf8(&files.authority.bundle()).unwrap());
        files
    }

    /// By a new name and a rename, as editors and tools for certificates do it.
    fn put(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        let beside = path.with_extension("new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, path).unwrap();
    }

    /// A new pair; gives the certificate.
    fn renew(&self) -> Certificate {
        let issued = self.authority.issue("localhost").unwrap();
        self.put("cert", &issued.pem());
        self.put("key", &issued.key_pem());
        issued
    }

    fn given(&self) -> ListenTls {
        let path = |name: &str| Path::join(self.folder.path(), name);
        ListenTls {
            cert: path("cert"),
            key: path("key"),
            client_ca: None,
            client_auth: ClientCerts::Off,
            min_version: TlsVersion::V1_2,
        }
    }

    async fn rig(&self, change: impl FnOnce(&mut ListenTls, &mut Config)) -> Rig {
        Rig::with(Vec::new(), |config| {
            let mut given = self.given();
            change(&mut given, config);
            config.listen.tls = Some(given);
        })
        .await
    }

    async fn connect(
        &self,
        to: SocketAddr,
        caller: &Caller<'_>,
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&self.authority.bundle()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(caller.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match caller.shown {
            None => builder.with_no_client_auth(),
            Some(shown) => {
                let chain = vec![CertificateDer::from_pem_slice(shown.pem().as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(shown.key_pem().as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols =
            caller.protocols.iter().map(|name| name.as_bytes().into()).collect();
        let stream = TcpStream::connect(to).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// What a caller gets for a question; a refusal of TLS 1.3 shows only then.
    async fn ask(&self, to: SocketAddr, caller: &Caller<'_>) -> io::Result<String> {
        ask(&mut self.connect(to, caller).await?).await
    }

    /// Waits until new connections are shown this certificate.
    async fn until_shown(&self, to: SocketAddr, wanted: &Certificate) {
        let wait = async {
            while shown(&self.connect(to, &USUAL).await.unwrap()) != wanted.pem() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
    }
}

async fn ask(stream: &mut TlsStream<TcpStream>) -> io::Result<String> {
    stream.write_all(HEALTH.as_bytes()).await?;
    let mut answer = vec![0; 4096];
    let length = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await??;
    answer.truncate(length);
    Ok(String::from_utf8(answer).unwrap())
}

/// The certificate of the server, as PEM.
fn shown(stream: &TlsStream<TcpStream>) -> String {
    use base64::Engine;
    let der = &stream.get_ref().1.peer_certificates().unwrap()[0];
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn is_refused(answer: &io::Result<String>) -> bool {
    answer.as_ref().map_or(true, String::is_empty)
}

#[tokio::test]
async fn both_versions_of_http_are_served_as_agreed_in_the_handshake() {
    let files = Files::new();
    let rig = files.rig(|_, _| {}).await;
    for (offered, agreed) in [
        (&["http/1.1"][..], Some(&b"http/1.1"[..])),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&[], None),
    ] {
        let caller = Caller { protocols: offered, ..USUAL };
        let mut stream = files.connect(rig.address, &caller).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed);
        if agreed != Some(b"h2") {
            stream.write_all(post(None, &hello(LATEST)).as_bytes()).await.unwrap();
            let mut answer = vec![0; 4096];
            let length = stream.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]);
            assert!(answer.starts_with(OK) && answer.contains("mcp-session-id: "), "{answer}");
            continue;
        }
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let request = Request::get("https://localhost/health").body(Empty::<&[u8]>::new()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(!answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
    let none = files.connect(rig.address, &Caller { protocols: &["spdy/1"], ..USUAL }).await;
    assert!(none.is_err());
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let files = Files::new();
    let often = Duration::from_millis(10);
    let rig = files.rig(|_, config| config.timeouts.certificates = often).await;
    let mut kept = files.connect(rig.address, &USUAL).await.unwrap();
    assert!(ask(&mut kept).await.unwrap().starts_with(OK));
    for _ in 0..2 {
        let renewed = files.renew();
        files.until_shown(rig.address, &renewed).await;
        assert!(ask(&mut kept).await.unwrap().starts_with(OK));
    }
}

#[tokio::test]
async fn a_bad_pair_changes_nothing_and_is_told_once() {
    let files = Files::new();
    let first = files.renew();
    let tls = Tls::load(&files.given()).unwrap();
    let other = files.authority.issue("localhost").unwrap();
    let (cert, key) = (first.pem(), first.key_pem());
    let torn = &cert[..cert.len() / 2];
    for (name, bad, good, because) in [
        ("cert", other.pem().as_str(), cert.as_str(), "`listen.tls.key`"),
        ("cert", torn, &cert, "`listen.tls.cert`"),
        ("cert", "", &cert, "no certificate"),
        ("cert", &"x".repeat((1 << 20) + 1), &cert, "longer than 1024 KiB"),
        ("key", "hello", &key, "no private key"),
        ("key", &other.key_pem(), &key, "not of the certificate"),
    ] {
        files.put(name, bad);
        let error = tls.reload().unwrap_err().to_string();
        assert!(error.contains(because), "{error}");
        assert!(!error.contains("hello"), "{error}");
        assert_eq!(tls.reload().unwrap(), Reload::Same);
        files.put(name, good);
        assert_eq!(tls.reload().unwrap(), Reload::Replaced);
    }
    std::fs::remove_file(&files.given().key).unwrap();
    assert!(tls.reload().unwrap_err().to_string().contains("`listen.tls.key`"));
    assert_eq!(tls.reload().unwrap(), Reload::Same);
}

#[tokio::test]
async fn half_a_new_pair_leaves_the_old_one_in_service() {
    let files = Files::new();
    let first = files.renew();
    let often = Duration::from_millis(5);
    let rig = files.rig(|_, config| config.timeouts.certificates = often).await;
    let next = files.authority.issue("localhost").unwrap();
    files.put("cert", &next.pem());
    for _ in 0..20 {
        let stream = files.connect(rig.address, &USUAL).await.unwrap();
        assert_eq!(shown(&stream), first.pem());
    }
    files.put("key", &next.key_pem());
    files.until_shown(rig.address, &next).await;
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_ended() {
    let files = Files::new();
    let rig = files.rig(|_, config| config.timeouts.handshake = Duration::from_millis(100)).await;
    // The head of a record, of a hello in it that says it is 64 KiB long, and one that never fills.
    let starts: [&[u8]; 5] = [
        b"",
        &[22],
        &[22, 3, 1, 2, 0],
        &[22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff, 3, 3],
        &[22, 3, 1, 0, 5, 1, 0],
    ];
    for start in starts {
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        stream.write_all(start).await.unwrap();
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().ok();
        assert!(!rest.starts_with(b"HTTP"), "{start:?}");
    }
    assert!(files.ask(rig.address, &USUAL).await.unwrap().starts_with(OK));
}

#[tokio::test]
async fn after_the_handshake_a_client_has_its_time_for_a_head() {
    let files = Files::new();
    let short = Duration::from_millis(50);
    let rig = files.rig(|_, config| config.timeouts.read_headers = short).await;
    let mut stream = files.connect(rig.address, &USUAL).await.unwrap();
    stream.write_all(b"GET /hea").await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().ok();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn plain_http_is_told_that_it_is_wrong_here() {
    let files = Files::new();
    let rig = files.rig(|_, _| {}).await;
    for request in [HEALTH.to_owned(), post(None, &"x".repeat(20_000))] {
        let mut wire = Wire::to(rig.address).await;
        wire.say(&request).await;
        wire.finish().await;
        let answer = wire.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("HTTPS only"), "{answer}");
    }
}

#[tokio::test]
async fn old_versions_are_refused() {
    let files = Files::new();
    let rig = files.rig(|given, _| given.min_version = TlsVersion::V1_3).await;
    let old = Caller { versions: &[&TLS12], ..USUAL };
    assert!(files.connect(rig.address, &old).await.is_err());
    assert!(files.ask(rig.address, &USUAL).await.unwrap().starts_with(OK));

    let rig = files.rig(|_, _| {}).await;
    assert!(files.ask(rig.address, &old).await.unwrap().starts_with(OK));
    // A hello of TLS 1.0: one cipher suite, no compression, no extensions.
    let body = [&[3, 1][..], &[7; 32], &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
    let length = u8::try_from(body.len()).unwrap();
    let hello = [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat();
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    stream.write_all(&hello).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    // A fatal alert.
    assert_eq!((answer[0], answer[5]), (21, 2), "{answer:?}");
}

#[tokio::test]
async fn a_client_shows_a_good_certificate_or_is_refused() {
    let files = Files::new();
    let usage = |purpose: ExtendedKeyUsagePurpose| {
        let change = |params: &mut rcgen::CertificateParams| {
            params.extended_key_usages = vec![purpose];
        };
        files.authority.issue_changed("client", change).unwrap()
    };
    let good = usage(ExtendedKeyUsagePurpose::ClientAuth);
    let for_servers = usage(ExtendedKeyUsagePurpose::ServerAuth);
    let foreign = Authority::new().unwrap().issue("client").unwrap();
    let own = Certificate::self_signed("client").unwrap();
    for (wanted, without) in [(ClientCerts::Required, false), (ClientCerts::Optional, true)] {
        let rig = files
            .rig(|given, _| {
                given.client_ca = Some(files.folder.path().join("ca"));
                given.client_auth = wanted;
            })
            .await;
        for versions in [&[&TLS13][..], &[&TLS12]] {
            let with = |shown| Caller { shown, versions, ..USUAL };
            for bad in [&for_servers, &foreign, &own] {
                let answer = files.ask(rig.address, &with(Some(bad))).await;
                assert!(is_refused(&answer), "{wanted:?} {answer:?}");
            }
            let answer = files.ask(rig.address, &with(Some(&good))).await.unwrap();
            assert!(answer.starts_with(OK), "{answer}");
            let answer = files.ask(rig.address, &with(None)).await;
            assert_eq!(!is_refused(&answer), without, "{wanted:?} {answer:?}");
        }
    }
}
