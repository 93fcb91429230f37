//! The stateless revision, 2026-07-28.
//!
//! There is no handshake: a backend is asked what it is (`server/discover`), and every request says in its `_meta` who
//! asks. An answer may ask back; the request is then repeated with what it asked for ([`input`]). What a session of the
//! older revisions sets once at the backend is kept here: the log level goes with each request, and resources that are
//! subscribed to are part of the one stream of changes ([`listen()`]).

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use vmcp_wire::header::{METHOD, NAME, ParamHeaders, name_value};
use vmcp_wire::revision::{
    CACHE_SCOPE, DISCOVER, HEADER_MISMATCH, INPUT_RESPONSES, META_CLIENT_CAPABILITIES,
    META_CLIENT_INFO, META_LOG_LEVEL, META_PROTOCOL_VERSION, META_SERVER_INFO, PUBLIC,
    REQUEST_STATE, Revision, SUPPORTED_VERSIONS, TTL_MS, UNSUPPORTED_VERSION,
};
use vmcp_wire::{Edits, Kind, Limits, Message, Object, RawId, method, quote, rpc, task};

use crate::error::{code_of, text_of};
use crate::transport::Request;
use crate::{Call, ClientHello, Freshness, ServerHello, TaskForm};

mod input;
mod kept;
mod listen;
pub(super) mod tasks;

pub(crate) use input::{Answers, Asked, Judge, Outcome, Verdict, outcome, questions};
pub(crate) use kept::{is_kept, keep};
pub(crate) use listen::{Stream, listen, listen_on, subscription};
pub(crate) use tasks::watch;

/// What a request says besides what its caller said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    /// Members of `_meta`.
    pub(crate) meta: Vec<(&'static str, Bytes)>,
    /// Members of the params, in place of those that stand there; without a value there is none.
    pub(crate) members: Vec<(&'static str, Option<Bytes>)>,
}

/// The request that asks a backend what it is.
pub(crate) fn discover(id: u64, hello: &ClientHello) -> Request {
    let mut params = b"{\"_meta\":{".to_vec();
    for (at, (key, value)) in Terms::about(hello).meta.iter().enumerate() {
        if at > 0 {
            params.push(b',');
        }
        params.extend_from_slice(format!("\"{key}\":").as_bytes());
        params.extend_from_slice(value);
    }
    params.extend_from_slice(b"}}");
    let body = rpc::request(&RawId::number(id), DISCOVER, Some(&params));
    Request { id, body, headers: headers(DISCOVER, None, None), subscribes: false }
}

/// What a backend says of itself in its response to [`discover`]; an error if it does not speak this revision.
pub(crate) fn discovered(response: &Message) -> Result<ServerHello, String> {
    if let Some(error) = response.error() {
        return Err(format!("the backend refused to say what it is: {}", text_of(&error)));
    }
    let result = response.result().unwrap_or_default();
    let members = Object::parse(&result).map_err(|_| "the result is no object".to_owned())?;
    let versions = members.get(SUPPORTED_VERSIONS).and_then(|versions| versions.as_array());
    let own = quote(Revision::STATELESS.as_str());
    if !versions.is_some_and(|versions| versions.contains(&own.as_ref())) {
        return Err("the backend does not speak the revision without a handshake".to_owned());
    }
    let object = |member: Option<vmcp_wire::Member<'_>>| {
        let member = member.filter(|member| member.as_object().is_some());
        member.map_or(Bytes::from_static(b"{}"), |member| result.slice(member.span))
    };
    let meta = members.get("_meta").and_then(|meta| meta.as_object());
    let named = meta.and_then(|meta| meta.get(META_SERVER_INFO));
    let instructions = members.get("instructions").and_then(|member| member.as_str());
    Ok(ServerHello {
        revision: Revision::STATELESS,
        capabilities: object(members.get("capabilities")),
        server_info: object(named.or_else(|| members.get("serverInfo"))),
        instructions: instructions.map(Into::into),
        session_id: None,
        freshness: freshness(&result),
    })
}

/// The headers that repeat what a request says: its method, what it is about, and the arguments that a tool wants to see
/// there.
pub(crate) fn headers(
    method: &str,
    params: Option<&[u8]>,
    annotated: Option<&ParamHeaders>,
) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(3);
    let mut put = |name: &str, value: &str| {
        let name = HeaderName::from_bytes(name.as_bytes());
        // What no header can say is refused by the backend for its own reasons.
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    };
    put(METHOD, method);
    if let Some(value) = params.and_then(|params| name_value(method, params)) {
        put(NAME, &value);
    }
    if let (Some(annotated), Some(params)) = (annotated, params)
        && let Ok(members) = Object::parse(params)
    {
        let arguments = members.get("arguments").map(|arguments| arguments.raw);
        for (name, value) in annotated.values(arguments).unwrap_or_default() {
            put(name, &value);
        }
    }
    headers
}

/// Whether an error says that the backend does not speak this revision (any more).
pub(crate) fn is_foreign(message: &Message) -> bool {
    message.error().and_then(|error| code_of(&error)) == Some(UNSUPPORTED_VERSION)
}

/// Whether such an error lists this revision among those that the backend speaks: then it is worth another try.
pub(crate) fn is_offered(message: &Message) -> bool {
    if !is_foreign(message) {
        return false;
    }
    let error = message.error().unwrap_or_default();
    let own = quote(Revision::STATELESS.as_str());
    let offered = Object::parse(&error).ok().and_then(|error| {
        let versions = error.get("data")?.as_object()?.get("supported")?.as_array()?;
        Some(versions.contains(&own.as_ref()))
    });
    offered.unwrap_or_default()
}

/// How long a result may be kept, if it says so.
pub(crate) fn freshness(result: &[u8]) -> Option<Freshness> {
    let members = Object::parse(result).ok()?;
    let time = Duration::from_millis(members.get(TTL_MS)?.as_u64()?);
    let scope = members.get(CACHE_SCOPE)?;
    // Whatever else it says is no permission.
    Some(Freshness { time, private: scope.as_str().as_deref() != Some(PUBLIC) })
}

/// How long all of these may be kept, if all say so.
pub(crate) fn least(all: impl IntoIterator<Item = Option<Freshness>>) -> Option<Freshness> {
    all.into_iter().reduce(|one, other| {
        let (one, other) = (one?, other?);
        let private = one.private || other.private;
        Some(Freshness { time: one.time.min(other.time), private })
    })?
}

/// Whether an error says that headers do not repeat what the body says.
pub(crate) fn is_mismatch(message: &Message) -> bool {
    message.error().and_then(|error| code_of(&error)) == Some(HEADER_MISMATCH)
}

/// A backend's error as the client's revision spells it: of a resource that there is not, where the two differ.
///
/// Where one code stands for more than that, a call that brought answers along may also have brought wrong ones: then the
/// error has to name the resource.
pub(crate) fn translated(
    message: Message,
    call: &Call,
    client: Revision,
    backend: Revision,
    limits: &Limits,
) -> Message {
    if call.method != method::RESOURCES_READ || message.kind() != Kind::Failure {
        return message;
    }
    let (from, to) = match (client.stateless(), backend.stateless()) {
        (false, true) => (rpc::INVALID_PARAMS, rpc::RESOURCE_NOT_FOUND),
        (true, false) => (rpc::RESOURCE_NOT_FOUND, rpc::INVALID_PARAMS),
        _ => return message,
    };
    let edited = || {
        let members = Object::parse(message.bytes()).ok()?;
        let error = members.get("error")?.as_object()?;
        let names_it = || Some(error.get("data")?.as_object()?.get("uri").is_some());
        if from == rpc::INVALID_PARAMS && call.input.is_some() && names_it() != Some(true) {
            return None;
        }
        let code = error.get("code")?;
        (code.raw == from.to_string().as_bytes()).then_some(())?;
        let mut edits = Edits::new();
        edits.replace(code.span, to.to_string());
        Message::parse(edits.apply(message.bytes()), limits).ok()
    };
    edited().unwrap_or(message)
}

// === impl Terms ===

impl Terms {
    /// What every request says of the client.
    fn about(hello: &ClientHello) -> Self {
        let mut meta = vec![
            (META_PROTOCOL_VERSION, quote(Revision::STATELESS.as_str())),
            (META_CLIENT_CAPABILITIES, hello.capabilities.clone()),
        ];
        // Without a name it would be worse than nothing.
        if Object::parse(&hello.client_info).is_ok_and(|info| info.get("name").is_some()) {
            meta.push((META_CLIENT_INFO, hello.client_info.clone()));
        }
        Self { meta, members: Vec::new() }
    }

    /// The client can follow tasks, whatever it said before.
    fn follow_tasks(&mut self) {
        let declared = self.meta.iter_mut().find(|(key, _)| *key == META_CLIENT_CAPABILITIES);
        let Some((_, capabilities)) = declared else { return };
        let edited = {
            let Ok(object) = Object::parse(capabilities) else { return };
            let mut edits = Edits::new();
            match object.get("extensions").and_then(|member| member.as_object()) {
                Some(known) if known.get(task::EXTENSION).is_some() => return,
                Some(known) => edits.rewrite(&known, &[], &[(task::EXTENSION, b"{}")]),
                None => {
                    let own = [b"{", &quote(task::EXTENSION)[..], b":{}}"].concat();
                    edits.rewrite(&object, &["extensions"], &[("extensions", &own)]);
                }
            }
            edits.apply(capabilities)
        };
        *capabilities = edited;
    }

    /// What this call says; `level` is the session's level of log messages.
    pub(crate) fn of(hello: &ClientHello, call: &Call, level: Option<&str>) -> Self {
        let mut terms = Self::about(hello);
        if call.tasks == TaskForm::Offered {
            terms.follow_tasks();
        }
        if let Some(level) = call.log_level.as_deref().or(level) {
            terms.meta.push((META_LOG_LEVEL, quote(level)));
        }
        let given = call.input.as_deref();
        terms.members = vec![
            (INPUT_RESPONSES, given.and_then(|given| given.responses.clone())),
            (REQUEST_STATE, given.and_then(|given| given.state.clone())),
        ];
        terms
    }
}

/// A piece of a backend's own text, for logs and errors.
fn printable(text: &str) -> Cow<'_, str> {
    let long = text.chars().count() > 64;
    match long || text.chars().any(char::is_control) {
        true => {
            text.chars().filter(|letter| !letter.is_control()).take(64).collect::<String>().into()
        }
        false => text.into(),
    }
}
