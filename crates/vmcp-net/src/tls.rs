//! Certificates and the TLS configuration.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::NetError;

/// The certificates the system trusts. What cannot be read is skipped with a warning: peers whose chain
/// needs it then fail to verify, which is the safe side.
pub(crate) fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a system certificate cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, "system certificates");
    roots
}

/// A client configuration that trusts `roots` and the certificates of `extra`, PEM text.
pub(crate) fn client_config(
    roots: Arc<RootCertStore>,
    extra: Option<&[u8]>,
) -> Result<ClientConfig, NetError> {
    let roots = match extra {
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
            let roots = Arc::new(RootCertStore::empty());
            let error = client_config(roots, Some(pem.as_bytes())).unwrap_err().to_string();
            assert!(error.starts_with("failed to parse the CA bundle"), "{error}");
        }
    }

    #[test]
    fn needs_no_process_default() {
        assert!(client_config(Arc::new(RootCertStore::empty()), None).is_ok());
    }
}
