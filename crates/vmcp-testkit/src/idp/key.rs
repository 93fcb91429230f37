//! Keys that sign JWTs: the provider's own, and those of clients that authenticate with one.

use std::fmt;
use std::io;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey,
};
use aws_lc_rs::{error::Unspecified, rsa};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::idp::jwt;

/// A key pair for JWTs, made fresh. Clones are the same key.
#[derive(Clone)]
pub struct SigningKey {
    id: Arc<str>,
    pair: Arc<Pair>,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(rsa::KeyPair),
    EdDsa(Ed25519KeyPair),
}

// === impl SigningKey ===

impl SigningKey {
    /// A P-256 key for `ES256`. `id` becomes the `kid`.
    pub fn es256(id: &str) -> io::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(crypto)?;
        Ok(Self::new(id, Pair::Es256(pair)))
    }

    /// A 2048 bit RSA key for `RS256`; takes a good part of a second to make.
    pub fn rs256(id: &str) -> io::Result<Self> {
        let pair = rsa::KeyPair::generate(KeySize::Rsa2048).map_err(crypto)?;
        Ok(Self::new(id, Pair::Rs256(pair)))
    }

    /// An Ed25519 key for `EdDSA`.
    pub fn eddsa(id: &str) -> io::Result<Self> {
        Ok(Self::new(id, Pair::EdDsa(Ed25519KeyPair::generate().map_err(crypto)?)))
    }

    fn new(id: &str, pair: Pair) -> Self {
        Self { id: id.into(), pair: Arc::new(pair) }
    }

    /// The `kid`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The `alg`: `ES256`, `RS256` or `EdDSA`.
    pub fn algorithm(&self) -> &'static str {
        match &*self.pair {
            Pair::Es256(_) => "ES256",
            Pair::Rs256(_) => "RS256",
            Pair::EdDsa(_) => "EdDSA",
        }
    }

    /// The private key as PKCS #8 in PEM, for a client's configuration.
    pub fn private_pem(&self) -> io::Result<String> {
        let der: Vec<u8> = match &*self.pair {
            Pair::Es256(pair) => pair.to_pkcs8v1().map_err(crypto)?.as_ref().to_vec(),
            Pair::Rs256(pair) => {
                AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map_err(crypto)?.as_ref().to_vec()
            }
            Pair::EdDsa(pair) => pair.to_pkcs8v1().map_err(crypto)?.as_ref().to_vec(),
        };
        let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
        let text = STANDARD.encode(der);
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        Ok(pem + "-----END PRIVATE KEY-----\n")
    }

    /// The public key as a JWK (RFC 7517).
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &*self.pair {
            Pair::Es256(pair) => {
                // An uncompressed point: 0x04, x, y.
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])})
            }
            Pair::Rs256(pair) => {
                let (n, e) = modulus_and_exponent(pair.public_key().as_ref()).unwrap_or_default();
                json!({"kty": "RSA", "n": text(n), "e": text(e)})
            }
            Pair::EdDsa(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())})
            }
        };
        jwk["kid"] = json!(*self.id);
        jwk["alg"] = json!(self.algorithm());
        jwk["use"] = json!("sig");
        jwk
    }

    /// A JWT of these claims, signed; `kind` becomes the header's `typ`. Nothing is added to the claims.
    pub fn jwt(&self, kind: &str, claims: &Value) -> io::Result<String> {
        jwt::encode(self, kind, claims)
    }

    /// A JWS in compact form of exactly this header and payload, signed, whatever the header says.
    pub fn jws(&self, header: &str, payload: &str) -> io::Result<String> {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", part(header), part(payload));
        let signature = part_of(&self.sign(signed.as_bytes())?);
        Ok(format!("{signed}.{signature}"))
    }

    /// The signature in the form that a JWS carries (RFC 7518 §3).
    pub(crate) fn sign(&self, message: &[u8]) -> io::Result<Vec<u8>> {
        let random = SystemRandom::new();
        Ok(match &*self.pair {
            Pair::Es256(pair) => pair.sign(&random, message).map_err(crypto)?.as_ref().to_vec(),
            Pair::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(crypto)?;
                signature
            }
        })
    }

    /// Whether this key made the signature.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let (algorithm, public): (&'static dyn signature::VerificationAlgorithm, &[u8]) =
            match &*self.pair {
                Pair::Es256(pair) => (&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()),
                Pair::Rs256(pair) => (&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref()),
                Pair::EdDsa(pair) => (&ED25519, pair.public_key().as_ref()),
            };
        UnparsedPublicKey::new(algorithm, public).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm(), self.id)
    }
}

fn part_of(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn crypto(_: Unspecified) -> io::Error {
    io::Error::other("the cryptographic library refused")
}

/// The two integers of an `RSAPublicKey` (RFC 8017 §A.1.1), big-endian and without the sign byte.
fn modulus_and_exponent(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = der_value(0x30, der)?;
    let (modulus, rest) = der_value(0x02, sequence)?;
    let (exponent, _) = der_value(0x02, rest)?;
    Some((modulus.strip_prefix(&[0]).unwrap_or(modulus), exponent))
}

/// The content of the first DER value, which must have this tag, and what follows it.
fn der_value(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let [first, length, rest @ ..] = der else { return None };
    let (length, rest) = match length {
        short @ ..0x80 => (usize::from(*short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
    };
    (*first == tag).then(|| rest.split_at_checked(length))?
}
