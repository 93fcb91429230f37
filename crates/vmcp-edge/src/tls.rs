//! What vmcp shows clients that come with TLS, and how it changes while they come.
//!
//! The files are read when vmcp starts, then again and again. A set of files that is not good changes nothing:
//! connections are accepted with the last good one. A connection keeps what it was accepted with.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{Context, SHA256};
use parking_lot::Mutex;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use vmcp_config::{ClientCerts, ListenTls, TlsVersion};
use zeroize::Zeroizing;

use crate::tasks;

/// No chain, key or list of authorities is longer.
const MAX_FILE: u64 = 1 << 20;
/// In the order in which they are preferred.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificate of the listeners, and whose certificates they take. Clones are the same one.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    given: ListenTls,
    current: ArcSwap<ServerConfig>,
    /// What the files were when they were looked at last, good or not; `None` after they could not be read.
    seen: Mutex<Seen>,
}

#[derive(PartialEq, Eq)]
enum Seen {
    Files(Digest),
    /// Told once, not at each look.
    Unreadable(String),
}

type Digest = [u8; 32];

/// What a look at the files gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// They are as they were at the last look.
    Same,
    /// New connections get what they say now.
    Replaced,
}

/// Why files of `listen.tls` cannot be used. Its text names the key and the file, and nothing of what is in it.
#[derive(Debug, thiserror::Error)]
#[error("`listen.tls.{key}`: {}: {why}", .file.display())]
pub struct TlsError {
    key: &'static str,
    file: PathBuf,
    why: String,
}

/// The bytes of all files at one time.
struct Files {
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
}

// === impl Tls ===

impl Tls {
    /// Reads the files. Blocks.
    ///
    /// # Errors
    /// If one cannot be read, or they do not fit each other.
    pub fn load(given: &ListenTls) -> Result<Self, TlsError> {
        let files = Files::read(given)?;
        let config = files.config(given)?;
        let seen = Mutex::new(Seen::Files(files.digest()));
        let current = ArcSwap::from_pointee(config);
        Ok(Self(Arc::new(Inner { given: given.clone(), current, seen })))
    }

    /// Reads the files again if they are others than at the last look. Blocks.
    ///
    /// # Errors
    /// If they cannot be used. New connections then get what they got before; the same bad files are told once.
    pub fn reload(&self) -> Result<Reload, TlsError> {
        let Inner { given, current, seen } = &*self.0;
        let mut seen = seen.lock();
        let files = match Files::read(given) {
            Ok(files) => files,
            Err(error) => {
                let now = Seen::Unreadable(error.to_string());
                let told =
                    std::mem::replace(&mut *seen, now) == Seen::Unreadable(error.to_string());
                return if told { Ok(Reload::Same) } else { Err(error) };
            }
        };
        let now = Seen::Files(files.digest());
        if *seen == now {
            return Ok(Reload::Same);
        }
        *seen = now;
        let config = files.config(given)?;
        current.store(Arc::new(config));
        Ok(Reload::Replaced)
    }

    /// The same on a thread that may wait, told in the log.
    ///
    /// Cancel safe: what was begun is done all the same.
    pub async fn check(&self) {
        let tls = self.clone();
        match tasks::blocking(move || tls.reload()).await {
            Some(Ok(Reload::Same)) => {}
            Some(Ok(Reload::Replaced)) => tracing::info!("new connections get the new certificate"),
            Some(Err(error)) => {
                tracing::error!(%error, "the certificate cannot be replaced; the last good one stays");
            }
            None => tracing::error!("a look at the certificate failed"),
        }
    }

    /// Looks at the files again and again; never returns.
    pub(crate) async fn watch(&self, period: Duration) {
        loop {
            tokio::time::sleep(period).await;
            self.check().await;
        }
    }

    /// What the next connection is accepted with.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        self.0.current.load_full()
    }
}

// === impl TlsError ===

impl TlsError {
    /// The key below `listen.tls`.
    #[must_use]
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }
}

// === impl Files ===

impl Files {
    fn read(given: &ListenTls) -> Result<Self, TlsError> {
        let of_clients =
            given.client_ca.as_deref().filter(|_| given.client_auth != ClientCerts::Off);
        Ok(Self {
            cert: read("cert", &given.cert)?.to_vec(),
            key: read("key", &given.key)?,
            client_ca: of_clients
                .map(|file| read("clientCa", file).map(|bytes| bytes.to_vec()))
                .transpose()?,
        })
    }

    fn digest(&self) -> Digest {
        let mut context = Context::new(&SHA256);
        for part in [&self.cert, &*self.key, self.client_ca.as_ref().unwrap_or(&Vec::new())] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        let mut digest = Digest::default();
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }

    /// What a listener needs of them. Sessions of TLS cannot be resumed under another one: who was let in under
    /// authorities that are gone is asked again.
    fn config(&self, given: &ListenTls) -> Result<ServerConfig, TlsError> {
        let bad = |key, file: &Path| {
            let file = file.to_owned();
            move |why: String| TlsError { key, file, why }
        };
        let chain = certificates(&self.cert).map_err(bad("cert", &given.cert))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| bad("key", &given.key)("no private key in PEM in it".to_owned()))?;
        let provider = Arc::new(default_provider());
        let versions = match given.min_version {
            TlsVersion::V1_2 => &[&TLS13, &TLS12][..],
            TlsVersion::V1_3 => &[&TLS13],
        };
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| bad("minVersion", &given.cert)(error.to_string()))?;
        let builder = match (&self.client_ca, &given.client_ca) {
            (Some(pem), Some(file)) => {
                let verifier = verifier(pem, given.client_auth).map_err(bad("clientCa", file))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| bad("key", &given.key)(format!("not of the certificate: {error}")))?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(config)
    }
}

fn read(key: &'static str, file: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let bounded = || -> io::Result<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(Vec::new());
        let length = File::open(file)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        if length as u64 > MAX_FILE {
            return Err(io::Error::other(format!("longer than {} KiB", MAX_FILE >> 10)));
        }
        Ok(bytes)
    };
    bounded().map_err(|error| TlsError { key, file: file.to_owned(), why: error.to_string() })
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("no certificate in PEM in it".to_owned()),
        Ok(found) => Ok(found),
        Err(_) => Err("not PEM".to_owned()),
    }
}

fn verifier(pem: &[u8], wanted: ClientCerts) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match wanted {
        ClientCerts::Required => builder,
        ClientCerts::Optional | ClientCerts::Off => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| error.to_string())
}
