//! For which backend a file is: everything that what a backend offers depends on.
//!
//! Headers, arguments and variables carry secrets, and they decide what is offered. So they are in the key, which is a
//! hash with a salt of its own in every file; nothing of them is in the file's name.

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use vmcp_backend::{BackendTarget, CaBundle, Endpoint};
use vmcp_config::OutgoingAuth;

use crate::catalogue::Scope;

/// What makes the keys of two files for the same backend differ.
pub(super) type Salt = [u8; 16];
/// What a file is for.
pub(super) type Key = [u8; 32];

/// The end of the name of every file of ours.
pub(super) const EXTENSION: &str = "index";

/// A new salt.
pub(super) fn salt() -> std::io::Result<Salt> {
    let mut salt = Salt::default();
    getrandom::fill(&mut salt).map_err(std::io::Error::other)?;
    Ok(salt)
}

/// The name of the file for this backend; `None` for a server in this process, which is there at once. Backends of the
/// same name in different places have different files, so that two vmcp may share a folder.
pub(super) fn file_name(target: &BackendTarget) -> Option<String> {
    let place = match &target.endpoint {
        Endpoint::Http { url } | Endpoint::StreamableHttp { url } | Endpoint::Sse { url } => {
            // Without user, password and query.
            url.to_string()
        }
        Endpoint::Stdio(stdio) => stdio.command.clone(),
        Endpoint::InProcess(_) => return None,
    };
    let mut hash = Parts::default();
    hash.text(target.id.as_str());
    hash.text(target.endpoint.as_str());
    hash.text(&place);
    let hash = hash.finish();
    let digits: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    // An embedder may call a backend anything.
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let id: String = target.id.as_str().chars().map(plain).take(48).collect();
    Some(format!("{id}-{digits}.{EXTENSION}"))
}

/// What a file for this backend is for.
pub(super) fn of(target: &BackendTarget, scope: Scope, salt: &Salt) -> Option<Key> {
    // All fields are named: whoever adds one decides whether what is offered depends on it.
    let BackendTarget {
        id,
        endpoint,
        auth,
        headers,
        ca_bundle,
        network: _,
        timeouts: _,
        limits,
        protocol,
    } = target;
    let mut parts = Parts::default();
    parts.bytes(salt);
    parts.text(id.as_str());
    parts.text(endpoint.as_str());
    parts.text(&format!("{scope:?}"));
    match endpoint {
        Endpoint::Http { url } | Endpoint::StreamableHttp { url } | Endpoint::Sse { url } => {
            parts.text(url.as_url().as_str());
        }
        Endpoint::Stdio(stdio) => {
            parts.text(&stdio.command);
            parts.count(stdio.args.len());
            stdio.args.iter().for_each(|arg| parts.text(arg));
            parts.count(stdio.env.len());
            for (name, value) in &stdio.env {
                parts.text(name);
                parts.text(value.expose_secret());
            }
            parts.text(&format!("{:?}", stdio.cwd));
        }
        Endpoint::InProcess(_) => return None,
    }
    parts.count(headers.len());
    for (name, value) in headers {
        parts.text(name);
        parts.text(value.expose_secret());
    }
    strategy(auth, &mut parts);
    match ca_bundle {
        None => parts.text("-"),
        Some(CaBundle::Path(path)) => parts.text(&format!("{path:?}")),
        Some(CaBundle::Pem(pem)) => parts.bytes(pem),
    }
    parts.text(&format!("{protocol:?}"));
    // A list that is too long now must not be shown because it was not too long then.
    for most in [limits.max_list_pages, limits.max_list_items, limits.max_list_bytes] {
        parts.count(most);
    }
    Some(parts.finish())
}

/// As whom the backend is called. What a client proves itself with at an issuer changes nothing, and does not print.
fn strategy(auth: &OutgoingAuth, parts: &mut Parts) {
    parts.text(&format!("{auth:?}"));
    match auth {
        OutgoingAuth::HeaderInjection(header) => parts.text(header.value.expose_secret()),
        OutgoingAuth::Custom(custom) => parts.text(&custom.settings),
        OutgoingAuth::Unauthenticated
        | OutgoingAuth::TokenExchange(_)
        | OutgoingAuth::ClientCredentials(_)
        | OutgoingAuth::UpstreamInject(_)
        | OutgoingAuth::Xaa(_)
        | OutgoingAuth::AwsSts(_)
        | OutgoingAuth::OAuth(_) => {}
    }
}

/// A hash of parts, each with its length: what stands in two of them is never taken for what stands in one.
#[derive(Default)]
struct Parts(Sha256);

impl Parts {
    fn bytes(&mut self, part: &[u8]) {
        self.count(part.len());
        self.0.update(part);
    }

    fn text(&mut self, part: &str) {
        self.bytes(part.as_bytes());
    }

    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_le_bytes());
    }

    fn finish(self) -> Key {
        self.0.finalize().into()
    }
}
