//! TLS for those who call.

use std::path::PathBuf;

/// What vmcp shows clients, and what it wants to be shown. The files are read by whoever listens, again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenTls {
    /// PEM: the certificate, then those between it and its authority.
    pub cert: PathBuf,
    /// PEM: the key of the certificate (PKCS #8, PKCS #1 or SEC 1).
    pub key: PathBuf,
    /// PEM: the authorities of clients' certificates. There whenever such a certificate is looked at.
    pub client_ca: Option<PathBuf>,
    /// Whether a client shows a certificate.
    pub client_auth: ClientCerts,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
}

/// Whether clients show certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCerts {
    /// None is asked for.
    #[default]
    Off,
    /// A client may show one; one that is shown must be good.
    Optional,
    /// Without a good one there is no connection.
    Required,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    #[default]
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
}
