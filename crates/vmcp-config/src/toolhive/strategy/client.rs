//! Who vmcp is to an authorization server: an id, and how it proves it.

use secrecy::ExposeSecret;

use super::value;
use crate::field::{Field, Fields};
use crate::model::{ClientAuth, JwtAlgorithm, OAuthClient};
use crate::reading::Reading;
use crate::secret::{self, Found, Secret, SecretKeys};

/// The keys of one client. A strategy with two of them has them under different names.
#[derive(Debug)]
pub(super) struct ClientKeys {
    pub(super) id: &'static str,
    secret: SecretKeys,
    pub(super) method: &'static str,
    key: SecretKeys,
    algorithm: &'static str,
    key_id: &'static str,
    audience: &'static str,
}

/// The keys of a client: they all begin alike.
macro_rules! client_keys {
    ($name:literal) => {
        ClientKeys {
            id: concat!($name, "Id"),
            secret: SecretKeys {
                text: concat!($name, "Secret"),
                env: concat!($name, "SecretEnv"),
                file: concat!($name, "SecretFile"),
            },
            method: concat!($name, "AuthMethod"),
            key: SecretKeys {
                text: concat!($name, "Key"),
                env: concat!($name, "KeyEnv"),
                file: concat!($name, "KeyFile"),
            },
            algorithm: concat!($name, "KeyAlgorithm"),
            key_id: concat!($name, "KeyId"),
            audience: concat!($name, "AssertionAudience"),
        }
    };
}

/// The client of a strategy with one.
pub(super) const CLIENT: ClientKeys = client_keys!("client");
/// The client at the caller's issuer.
pub(super) const IDP: ClientKeys = client_keys!("idpClient");
/// The client at the backend's authorization server.
pub(super) const TARGET: ClientKeys = client_keys!("targetClient");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    None,
    Basic,
    Post,
    PrivateKeyJwt,
}

/// Our words first, then those of the registry that authorization servers use.
const METHODS: [(&str, Method); 6] = [
    ("basic", Method::Basic),
    ("post", Method::Post),
    ("none", Method::None),
    ("private_key_jwt", Method::PrivateKeyJwt),
    ("client_secret_basic", Method::Basic),
    ("client_secret_post", Method::Post),
];

const ALGORITHMS: [(&str, JwtAlgorithm); 5] = [
    ("ES256", JwtAlgorithm::Es256),
    ("ES384", JwtAlgorithm::Es384),
    ("RS256", JwtAlgorithm::Rs256),
    ("PS256", JwtAlgorithm::Ps256),
    ("EdDSA", JwtAlgorithm::EdDsa),
];

/// What is said about a client, not yet checked against each other.
struct Parts<'t> {
    id: Option<Field<'t>>,
    secret: Found<Secret<'t>>,
    key: Found<Secret<'t>>,
    method: Option<Field<'t>>,
    algorithm: Option<Field<'t>>,
    key_id: Option<Field<'t>>,
    audience: Option<Field<'t>>,
}

/// Reads a client, if there is anything about one.
pub(super) fn read(
    fields: &mut Fields<'_>,
    keys: &ClientKeys,
    cx: &mut Reading<'_>,
) -> Found<OAuthClient> {
    let parts = Parts {
        id: fields.get(keys.id),
        secret: secret::read(fields, &keys.secret, cx),
        key: secret::read(fields, &keys.key, cx),
        method: fields.get(keys.method),
        algorithm: fields.get(keys.algorithm),
        key_id: fields.get(keys.key_id),
        audience: fields.get(keys.audience),
    };
    let Some(id) = parts.id else { return parts.nobody(keys, cx) };
    let id = value::text(id, cx);
    match parts.auth(keys, cx).zip(id) {
        Some((auth, id)) => Found::Good(OAuthClient { id, auth }),
        None => Found::Bad,
    }
}

/// What proves a client's identity when a strategy cannot do without.
pub(super) fn needs_proof(client: &OAuthClient, keys: &ClientKeys) -> Option<String> {
    (!client.is_confidential()).then(|| {
        let SecretKeys { text, env, file } = keys.secret;
        format!("`{}` needs `{text}`, `{env}` or `{file}`", keys.id)
    })
}

// === impl Parts ===

impl Parts<'_> {
    /// Without an id the rest means nothing.
    fn nobody(self, keys: &ClientKeys, cx: &mut Reading<'_>) -> Found<OAuthClient> {
        let mut found = match (&self.secret, &self.key) {
            (Found::Bad, _) | (_, Found::Bad) => Found::Bad,
            _ => Found::Absent,
        };
        let (secret, key) = (self.secret.field(), self.key.field());
        let rest = [secret, key, self.method, self.algorithm, self.key_id, self.audience];
        for field in rest.into_iter().flatten() {
            cx.report.error(field.key_at, format!("`{}` needs `{}`", field.key, keys.id));
            found = Found::Bad;
        }
        found
    }

    fn auth(self, keys: &ClientKeys, cx: &mut Reading<'_>) -> Option<ClientAuth> {
        if let (Some(secret), Some(key)) = (self.secret.field(), self.key.field()) {
            let message = format!("`{}` and `{}` exclude each other", secret.key, key.key);
            cx.report.error(key.key_at, message);
            return None;
        }
        let method = match self.method {
            Some(field) => field.choice(&METHODS, &mut cx.report)?,
            None if self.key.field().is_some() => Method::PrivateKeyJwt,
            None if self.secret.field().is_some() => Method::Basic,
            None => Method::None,
        };
        self.without_effect(method, keys, cx);
        if matches!(self.secret, Found::Bad) || matches!(self.key, Found::Bad) {
            return None;
        }
        match (method, self.secret, self.key) {
            (Method::None, ..) => Some(ClientAuth::None),
            (Method::Basic, Found::Good(secret), _) => Some(ClientAuth::Basic(secret.value)),
            (Method::Post, Found::Good(secret), _) => Some(ClientAuth::Post(secret.value)),
            (Method::PrivateKeyJwt, _, Found::Good(key)) => {
                let algorithm = algorithm(&key, self.algorithm, keys, cx);
                let key_id = self.key_id.and_then(|field| value::text(field, cx));
                let audience = self.audience.and_then(|field| value::text(field, cx));
                let (algorithm, key) = algorithm.zip(pem(key, cx))?;
                let key_pem = key.value;
                Some(ClientAuth::PrivateKeyJwt { key_pem, algorithm, key_id, audience })
            }
            (Method::Basic | Method::Post, ..) => needs(self.method, &keys.secret, cx),
            (Method::PrivateKeyJwt, ..) => needs(self.method, &keys.key, cx),
        }
    }

    /// Reports what the method makes no use of.
    fn without_effect(&self, method: Method, keys: &ClientKeys, cx: &mut Reading<'_>) {
        let by_key = method == Method::PrivateKeyJwt;
        let by_secret = matches!(method, Method::Basic | Method::Post);
        for (field, used) in [
            (self.secret.field(), by_secret),
            (self.key.field(), by_key),
            (self.algorithm, by_key),
            (self.key_id, by_key),
            (self.audience, by_key),
        ] {
            let Some(field) = field.filter(|_| !used) else { continue };
            let error =
                cx.report.error(field.key_at, format!("`{}` has no effect here", field.key));
            match self.method {
                Some(method) => {
                    error.hint(format!("see `{}` in line {}", keys.method, method.at().line));
                }
                None => error.hint(format!("it goes with `{}`", keys.key.text)),
            }
        }
    }
}

fn needs(method: Option<Field<'_>>, keys: &SecretKeys, cx: &mut Reading<'_>) -> Option<ClientAuth> {
    let SecretKeys { text, env, file } = keys;
    let method = method?;
    let message = format!("this method needs `{text}`, `{env}` or `{file}`");
    cx.report.error(method.at(), message);
    None
}

/// A key's own text does not always say what it signs with.
fn algorithm(
    key: &Secret<'_>,
    given: Option<Field<'_>>,
    keys: &ClientKeys,
    cx: &mut Reading<'_>,
) -> Option<JwtAlgorithm> {
    let Some(field) = given else {
        let words: Vec<&str> = ALGORITHMS.iter().map(|(word, _)| *word).collect();
        let message = format!("`{}` needs `{}`", key.field.key, keys.algorithm);
        cx.report.error(key.field.key_at, message).hint(crate::nearest::any_of(words));
        return None;
    };
    field.choice(&ALGORITHMS, &mut cx.report)
}

fn pem<'t>(key: Secret<'t>, cx: &mut Reading<'_>) -> Option<Secret<'t>> {
    let text = key.value.expose_secret();
    let name = key.field.key;
    let problem = if text.contains("ENCRYPTED") {
        Some((format!("the key of `{name}` is encrypted"), "vmcp cannot ask for its password"))
    } else if !text.trim_start().starts_with("-----BEGIN ") || !text.contains("PRIVATE KEY-----") {
        Some((format!("`{name}` has no private key"), "PEM: -----BEGIN PRIVATE KEY-----"))
    } else {
        None
    };
    match problem {
        Some((message, hint)) => {
            cx.report.error(key.field.at(), message).hint(hint);
            None
        }
        None => Some(key),
    }
}
