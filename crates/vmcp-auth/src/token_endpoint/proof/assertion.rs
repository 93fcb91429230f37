//! `private_key_jwt`: a client proves who it is by what only it can sign (RFC 7523 §2.2, §3).

use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use vmcp_config::JwtAlgorithm;
use zeroize::Zeroizing;

use crate::wall_clock;

/// `client_assertion_type`.
pub(super) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long an assertion holds: long enough for clocks that differ a little, and it is good for one use anyway.
const LIFETIME_SECONDS: u64 = 60;

/// Signs assertions for one client and one audience.
pub(super) struct Assertion {
    client: String,
    audience: String,
    /// The header, encoded: it is always the same.
    header: String,
    key: Key,
}

enum Key {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ed25519(Ed25519KeyPair),
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: u64,
    exp: u64,
}

// === impl Assertion ===

impl Assertion {
    /// Reads the key. The error is the end of a sentence about it.
    pub(super) fn new(
        client: &str,
        audience: &str,
        key_pem: &SecretString,
        algorithm: JwtAlgorithm,
        key_id: Option<&str>,
    ) -> Result<Self, String> {
        let header = Header { alg: algorithm.as_str(), typ: "JWT", kid: key_id };
        let header = encoded(&header).map_err(|_| "has an id that is no text".to_owned())?;
        let key = Key::read(key_pem, algorithm)?;
        Ok(Self { client: client.to_owned(), audience: audience.to_owned(), header, key })
    }

    pub(super) fn set_audience(&mut self, audience: &str) {
        audience.clone_into(&mut self.audience);
    }

    /// A fresh assertion: none is ever sent twice.
    pub(super) fn sign(&self) -> Result<SecretString, String> {
        let failed = |what: &str| format!("no client assertion can be made: {what}");
        let now = wall_clock::seconds();
        let mut random = [0; 16];
        fill(&mut random).map_err(|_| failed("no randomness"))?;
        let claims = Claims {
            iss: &self.client,
            sub: &self.client,
            aud: &self.audience,
            jti: &URL_SAFE_NO_PAD.encode(random),
            iat: now,
            exp: now + LIFETIME_SECONDS,
        };
        let claims = encoded(&claims).map_err(|_| failed("the claims are no text"))?;
        let mut jwt = Zeroizing::new(format!("{}.{claims}", self.header));
        let signature = self.key.sign(jwt.as_bytes()).ok_or_else(|| failed("the key refuses"))?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
        Ok(jwt.as_str().into())
    }
}

fn encoded(part: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_vec(part).map(|json| URL_SAFE_NO_PAD.encode(json))
}

// === impl Key ===

impl Key {
    fn read(pem: &SecretString, algorithm: JwtAlgorithm) -> Result<Self, String> {
        let der = PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes())
            .map_err(|_| "is no private key in PEM".to_owned())?;
        let der = Zeroizing::new(der);
        let read = match algorithm {
            JwtAlgorithm::Es256 => Self::ecdsa(&der, &ECDSA_P256_SHA256_FIXED_SIGNING),
            JwtAlgorithm::Es384 => Self::ecdsa(&der, &ECDSA_P384_SHA384_FIXED_SIGNING),
            JwtAlgorithm::Rs256 => Self::rsa(&der, &RSA_PKCS1_SHA256),
            JwtAlgorithm::Ps256 => Self::rsa(&der, &RSA_PSS_SHA256),
            JwtAlgorithm::EdDsa => {
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_der()).ok().map(Self::Ed25519)
            }
        };
        read.ok_or_else(|| format!("is not one for {algorithm}"))
    }

    fn ecdsa(der: &PrivateKeyDer<'_>, algorithm: &'static EcdsaSigningAlgorithm) -> Option<Self> {
        EcdsaKeyPair::from_private_key_der(algorithm, der.secret_der()).ok().map(Self::Ecdsa)
    }

    fn rsa(der: &PrivateKeyDer<'_>, encoding: &'static dyn RsaEncoding) -> Option<Self> {
        let key = match der {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            other => RsaKeyPair::from_pkcs8(other.secret_der()),
        };
        key.ok().map(|key| Self::Rsa(key, encoding))
    }

    /// The signature as a JWS carries it (RFC 7518 §3).
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        Some(match self {
            Self::Ecdsa(key) => key.sign(&random, message).ok()?.as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Self::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &random, message, &mut signature).ok()?;
                signature
            }
        })
    }
}
