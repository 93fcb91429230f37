//! Certificates and the TLS configuration.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::NetError;

/// The certificates the system trusts, read when they are first needed. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct SystemRoots(Arc<OnceLock<Arc<RootCertStore>>>);

/// Whom a pool trusts.
///
/// To read all certificates of a system takes milliseconds, of a start that may need none of them. So it is done when
/// something is secured for the first time.
pub(crate) struct Trust {
    system: SystemRoots,
    /// PEM text.
    extra: Option<Bytes>,
}

// === impl SystemRoots ===

impl SystemRoots {
    fn get(&self) -> Arc<RootCertStore> {
        Arc::clone(self.0.get_or_init(|| Arc::new(read_system_roots())))
    }
}

/// What cannot be read is skipped with a warning: peers whose chain needs it then fail to verify, which is the safe side.
fn read_system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a system certificate cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, "system certificates");
    roots
}

// === impl Trust ===

impl Trust {
    /// The system's certificates and those of `extra`, PEM text, which is looked at at once.
    pub(crate) fn new(system: SystemRoots, extra: Option<Bytes>) -> Result<Self, NetError> {
        if let Some(pem) = &extra {
            with_bundle(&RootCertStore::empty(), pem)?;
        }
        Ok(Self { system, extra })
    }

    /// A client configuration that trusts them.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, NetError> {
        let roots = self.system.get();
        let roots = match &self.extra {
            None => roots,
            Some(pem) => Arc::new(with_bundle(&roots, pem)?),
        };
        // The provider is named here, so that neither a missing nor a foreign process default matters.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| NetError::Setup(format!("TLS cannot be set up: {error}")))?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

fn with_bundle(roots: &RootCertStore, pem: &[u8]) -> Result<RootCertStore, NetError> {
    let mut roots = roots.clone();
    let mut count = 0_usize;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| bad_bundle(&format!("{error:?}")))?;
        roots.add(certificate).map_err(|error| bad_bundle(&error.to_string()))?;
        count += 1;
    }
    if count == 0 {
        return Err(bad_bundle("no certificate in it"));
    }
    Ok(roots)
}

fn bad_bundle(why: &str) -> NetError {
    NetError::Setup(format!("failed to parse the CA bundle: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_bundle_without_certificates() {
        for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
            let extra = Some(Bytes::from_static(pem.as_bytes()));
            let Err(error) = Trust::new(SystemRoots::default(), extra) else { panic!("{pem}") };
            let error = error.to_string();
            assert!(error.starts_with("failed to parse the CA bundle"), "{error}");
        }
    }

    #[test]
    fn needs_no_process_default() {
        assert!(Trust::new(SystemRoots::default(), None).unwrap().client_config().is_ok());
    }
}
