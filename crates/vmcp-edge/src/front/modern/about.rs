//! What one request says about itself and its client, in `_meta`.

use bytes::Bytes;
use http::StatusCode;
use vmcp_gateway::Level;
use vmcp_wire::revision::{
    META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_LOG_LEVEL, META_PROTOCOL_VERSION,
    MISSING_CAPABILITY, Revision, UNSUPPORTED_VERSION,
};
use vmcp_wire::{Member, Object, RawId, quote, rpc};

use crate::respond::Rejection;

/// Calls that go on after their answer.
pub(super) const TASKS_EXTENSION: &str = vmcp_wire::task::EXTENSION;
/// The longest piece of a version's name that is repeated to whoever asked for it.
const MAX_ECHO: usize = 64;

/// What one request says about itself and its client.
#[derive(Debug)]
pub(crate) struct About {
    /// What the client can do: a raw JSON object.
    pub(super) capabilities: Bytes,
    /// Name and version of the client: a raw JSON object.
    pub(super) client_info: Bytes,
    /// The least level of log messages that it wants on this request's stream. Without one it wants none.
    pub(super) level: Option<Level>,
    /// Names this request in messages about its progress.
    pub(super) progress: Option<RawId>,
}

/// The members of `_meta` that a handshake would have had, unread.
pub(super) struct Words<'a> {
    meta: Option<Object<'a>>,
}

// === impl Words ===

impl<'a> Words<'a> {
    /// Looks for them. `None` if there is no telling which of two `_meta` is meant.
    pub(super) fn find(params: &'a [u8]) -> Option<Self> {
        let Ok(params) = Object::parse(params) else { return Some(Self { meta: None }) };
        let meta = params.unique("_meta").ok()?;
        Some(Self { meta: meta.and_then(|meta| meta.as_object()) })
    }

    /// Whether any of them is there.
    pub(super) fn any(&self) -> bool {
        [META_PROTOCOL_VERSION, META_CLIENT_INFO, META_CLIENT_CAPABILITIES]
            .iter()
            .any(|key| self.get(key).is_some())
    }

    /// The revision that the request is written in, by its name.
    pub(super) fn version(&self) -> Option<String> {
        Some(self.get(META_PROTOCOL_VERSION)?.as_str()?.into_owned())
    }

    /// Whether something is said of the revision, whatever it is.
    pub(super) fn has_version(&self) -> bool {
        self.get(META_PROTOCOL_VERSION).is_some()
    }

    fn get(&self, key: &str) -> Option<Member<'a>> {
        self.meta.as_ref()?.get(key)
    }
}

// === impl About ===

impl About {
    /// Reads it. `params` are what `words` were found in.
    pub(super) fn read(params: &Bytes, words: &Words<'_>) -> Result<Self, Rejection> {
        let object = |key| match words.get(key) {
            None => Ok(None),
            Some(member) if member.as_object().is_some() => Ok(Some(params.slice(member.span))),
            Some(_) => Err(invalid(format!("{key} in _meta must be an object"))),
        };
        let capabilities = object(META_CLIENT_CAPABILITIES)?;
        let capabilities = capabilities
            .ok_or_else(|| invalid(format!("{META_CLIENT_CAPABILITIES} in _meta is missing")))?;
        let client_info = object(META_CLIENT_INFO)?.unwrap_or(Bytes::from_static(b"{}"));
        let level = match words.get(META_LOG_LEVEL) {
            None => None,
            Some(member) => {
                let level = member.as_str().and_then(|name| Level::parse(&name));
                let text = "is not one of the protocol's";
                Some(level.ok_or_else(|| invalid(format!("{META_LOG_LEVEL} in _meta {text}")))?)
            }
        };
        let progress = words.get("progressToken");
        let progress = progress.and_then(|member| RawId::from_token(member.raw).ok());
        Ok(Self { capabilities, client_info, level, progress })
    }

    /// Whether the client declared what is named by keys, outermost first. Declared is also what says no more than `{}`.
    pub(super) fn declares(&self, path: &[&str]) -> bool {
        fn within(raw: &[u8], path: &[&str]) -> bool {
            let Some((key, rest)) = path.split_first() else { return true };
            let Ok(object) = Object::parse(raw) else { return false };
            object.get(key).is_some_and(|member| !member.is_null() && within(member.raw, rest))
        }
        within(&self.capabilities, path)
    }
}

/// What is missing or wrong in the params of a request.
pub(super) fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, text).with_code(rpc::INVALID_PARAMS)
}

/// What was asked for needs a capability that the client did not declare, named by keys, outermost first.
pub(super) fn missing_capability(path: &[&str]) -> Rejection {
    let wrap = |inner: String, key: &&str| format!("{{\"{key}\":{inner}}}");
    let needed = path.iter().rev().fold("{}".to_owned(), wrap);
    Rejection::new(StatusCode::BAD_REQUEST, "the client did not declare what this needs")
        .with_code(MISSING_CAPABILITY)
        .with_data(format!("{{\"requiredCapabilities\":{needed}}}"))
}

/// The request is written in a revision that has no place here.
pub(super) fn unsupported(requested: &str) -> Rejection {
    let short: String = requested.chars().take(MAX_ECHO).collect();
    let mut data = b"{\"supported\":".to_vec();
    data.extend_from_slice(&supported());
    data.extend_from_slice(b",\"requested\":");
    data.extend_from_slice(&quote(&short));
    data.push(b'}');
    Rejection::new(StatusCode::BAD_REQUEST, "this protocol version is not supported")
        .with_code(UNSUPPORTED_VERSION)
        .with_data(data)
}

/// All revisions, newest first. Those with a handshake are meant to be asked for in a handshake, not in `_meta`: a
/// client that speaks none but them learns here that it can have a session.
pub(super) fn supported() -> Vec<u8> {
    let names: Vec<String> =
        Revision::ALL.iter().rev().map(|revision| format!("\"{}\"", revision.as_str())).collect();
    format!("[{}]", names.join(",")).into_bytes()
}
