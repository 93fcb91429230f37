//! An issuer's public keys (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// The most keys of one issuer that are read.
const MAX_KEYS: usize = 100;

/// The algorithms of signatures that are accepted (RFC 7518 §3.1, RFC 8037 §3.1). None of them is symmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// A public key.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    /// The only algorithm that it is for, if it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// Of a private key.
    d: Option<Value>,
}

// === impl Algorithm ===

impl Algorithm {
    /// The algorithm of this name, exactly.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            // RFC 9864 has a name of its own for the only curve that is used.
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &RSA_PSS_2048_8192_SHA512,
            Self::Es256 | Self::Es384 | Self::EdDsa => return None,
        })
    }
}

// === impl Key ===

impl Key {
    /// Whether a token with this header may have been signed with it.
    pub(super) fn fits(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        let kind = match &self.material {
            Material::Rsa { .. } => algorithm.rsa().is_some(),
            Material::P256(_) => algorithm == Algorithm::Es256,
            Material::P384(_) => algorithm == Algorithm::Es384,
            Material::Ed25519(_) => algorithm == Algorithm::EdDsa,
        };
        kind && self.algorithm.is_none_or(|only| only == algorithm)
            && id.is_none_or(|id| self.id.as_deref() == Some(id))
    }

    /// Whether it made the signature, with this algorithm.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let verify = |how: &'static dyn signature::VerificationAlgorithm, public: &[u8]| {
            UnparsedPublicKey::new(how, public).verify(message, signature).is_ok()
        };
        match (&self.material, algorithm) {
            (Material::Rsa { n, e }, algorithm) => algorithm.rsa().is_some_and(|how| {
                RsaPublicKeyComponents { n, e }.verify(how, message, signature).is_ok()
            }),
            (Material::P256(point), Algorithm::Es256) => verify(&ECDSA_P256_SHA256_FIXED, point),
            (Material::P384(point), Algorithm::Es384) => verify(&ECDSA_P384_SHA384_FIXED, point),
            (Material::Ed25519(x), Algorithm::EdDsa) => verify(&ED25519, x),
            _ => false,
        }
    }
}

/// The keys of a document that can verify a token; others are passed over (RFC 7517 §5). `None` if it is no set of
/// keys.
pub(super) fn read(document: &[u8]) -> Option<Vec<Key>> {
    let document: Document = serde_json::from_slice(document).ok()?;
    let jwks = document.keys.into_iter().take(MAX_KEYS);
    Some(jwks.filter_map(|jwk| key(serde_json::from_value(jwk).ok()?)).collect())
}

fn key(jwk: Jwk) -> Option<Key> {
    let for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
        && jwk.key_ops.is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    // Whoever publishes a private key has lost it.
    if !for_signatures || jwk.d.is_some() {
        return None;
    }
    let algorithm = match &jwk.alg {
        // A key for an algorithm that is not accepted is for nothing else.
        Some(name) => Some(Algorithm::named(name)?),
        None => None,
    };
    let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
    let point = |size: usize, x: Option<String>, y: Option<String>| {
        let (x, y) = (bytes(x)?, bytes(y)?);
        (x.len() == size && y.len() == size).then(|| [&[4][..], &x, &y].concat())
    };
    let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => Material::Rsa { n: bytes(jwk.n)?, e: bytes(jwk.e)? },
        ("EC", Some("P-256")) => Material::P256(point(32, jwk.x, jwk.y)?),
        ("EC", Some("P-384")) => Material::P384(point(48, jwk.x, jwk.y)?),
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(jwk.x)?),
        _ => return None,
    };
    Some(Key { id: jwk.kid, algorithm, material })
}
