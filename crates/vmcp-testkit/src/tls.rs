//! A certificate authority of one test, and what servers need to show its certificates.

use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// A certificate authority that nobody trusts unless told to.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub struct Certificate {
    der: CertificateDer<'static>,
    key: KeyPair,
}

// === impl Authority ===

impl Authority {
    /// A new one with a key of its own.
    pub fn new() -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        CertifiedIssuer::self_signed(params, key).map(Self).map_err(io::Error::other)
    }

    /// Its certificate as PEM: the bundle that makes a client trust it.
    pub fn bundle(&self) -> Bytes {
        pem("CERTIFICATE", self.0.der()).into()
    }

    /// A certificate for a host name or an address, from 1975 to 4096.
    pub fn issue(&self, host: &str) -> io::Result<Certificate> {
        self.issue_changed(host, |_| {})
    }

    /// The same with something wrong, or just different, about it.
    pub fn issue_changed(
        &self,
        host: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> io::Result<Certificate> {
        let mut params = CertificateParams::new([host.to_owned()]).map_err(io::Error::other)?;
        change(&mut params);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issued = params.signed_by(&key, &self.0).map_err(io::Error::other)?;
        Ok(Certificate { der: issued.der().clone(), key })
    }
}

// === impl Certificate ===

impl Certificate {
    /// One that no authority signed.
    pub fn self_signed(host: &str) -> io::Result<Self> {
        let params = CertificateParams::new([host.to_owned()]).map_err(io::Error::other)?;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issued = params.self_signed(&key).map_err(io::Error::other)?;
        Ok(Self { der: issued.der().clone(), key })
    }

    /// Itself as PEM.
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    /// Its key as PEM.
    pub fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key.serialize_der())
    }

    /// Makes TLS of a server's connections; `protocols` are offered by ALPN: `h2`, `http/1.1`.
    pub fn acceptor(&self, protocols: &[&str]) -> io::Result<TlsAcceptor> {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![self.der.clone()], key.into())
            .map_err(io::Error::other)?;
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (at, letter) in text.char_indices() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem += &format!("\n-----END {label}-----\n");
    pem
}
