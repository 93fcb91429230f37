//! Questions of backends as members of an answer, and the client's answers to them.

use std::collections::BTreeMap;

use bytes::Bytes;
use vmcp_backend::{PeerRequest, input_requests};
use vmcp_wire::asking::Declared;
use vmcp_wire::revision::{
    INPUT_REQUESTS, INPUT_REQUIRED, INPUT_RESPONSES, REQUEST_STATE, RESULT_TYPE,
};
use vmcp_wire::{Edits, Limits, Message, Object, RawId, list, method, quote, rpc};

use super::about::{About, invalid, missing_capability};
use crate::respond::Rejection;

/// The user has to do something elsewhere first. Not of this revision.
const URL_ELICITATION_REQUIRED: &[u8] = b"-32042";

/// Requests that a backend made while its call runs, and that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: BTreeMap<u32, PeerRequest>,
    last: u32,
}

/// What a repeated request gives: raw JSON.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// An object of answers by the keys of the questions.
    pub(super) responses: Option<Bytes>,
    /// A string.
    pub(super) state: Option<Bytes>,
}

/// An answer to one question, checked.
pub(super) type Answered = (PeerRequest, Message);

// === impl Given ===

impl Given {
    /// Takes it out of the params of a request; gives the params without it.
    pub(super) fn take(params: &Bytes) -> Result<(Self, Bytes), Rejection> {
        let Ok(object) = Object::parse(params) else {
            return Ok((Self::default(), params.clone()));
        };
        let member = |key: &'static str| {
            let found = object.unique(key).map_err(|_| invalid(format!("{key} is ambiguous")));
            Ok::<_, Rejection>(found?.map(|member| params.slice(member.span)))
        };
        let given = Self { responses: member(INPUT_RESPONSES)?, state: member(REQUEST_STATE)? };
        if given.responses.as_ref().is_some_and(|raw| Object::parse(raw).is_err()) {
            return Err(invalid("inputResponses must be an object"));
        }
        if given.state.as_ref().is_some_and(|raw| raw.first() != Some(&b'"')) {
            return Err(invalid("requestState must be a string"));
        }
        if given.responses.is_none() && given.state.is_none() {
            return Ok((given, params.clone()));
        }
        let mut edits = Edits::new();
        edits.rewrite(&object, &[INPUT_RESPONSES, REQUEST_STATE], &[]);
        Ok((given, edits.apply(params)))
    }

    /// The state as text.
    pub(super) fn state_text(&self) -> Option<String> {
        let raw = self.state.as_ref()?;
        let wrapped = [b"{\"s\":", &raw[..], b"}"].concat();
        Some(Object::parse(&wrapped).ok()?.get("s")?.as_str()?.into_owned())
    }
}

// === impl Questions ===

impl Questions {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Refuses all of them.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    pub(super) fn add(&mut self, peer: PeerRequest) {
        self.last += 1;
        self.open.insert(self.last, peer);
    }

    /// As the client gets them.
    pub(super) fn requests(&self) -> Vec<u8> {
        input_requests(self.open.iter().map(|(number, peer)| (*number, &peer.message)))
    }

    /// Takes out the questions that `responses` answers. What it says of other questions is nobody's.
    ///
    /// # Errors
    /// When an answer cannot be one; then no question is taken out.
    pub(super) fn answer(&mut self, responses: Option<&Bytes>) -> Result<Vec<Answered>, Rejection> {
        let Some(responses) = responses else { return Ok(Vec::new()) };
        let Ok(object) = Object::parse(responses) else { return Ok(Vec::new()) };
        let mut answers = Vec::new();
        for (number, peer) in &self.open {
            let key = format!("r{number}");
            let Some(member) = object.get(&key) else { continue };
            let wrong = || invalid(format!("the answer to {key} is not one"));
            let parsed = member.as_object().filter(|answer| fits(peer.method(), answer));
            parsed.ok_or_else(wrong)?;
            let bytes = rpc::success(&RawId::number(0), member.raw);
            answers
                .push((*number, Message::parse(bytes, &Limits::default()).map_err(|_| wrong())?));
        }
        let taken = answers.into_iter();
        Ok(taken
            .filter_map(|(number, message)| Some((self.open.remove(&number)?, message)))
            .collect())
    }
}

/// Whether this can be an answer to a question with this method: it has what every answer to such a question has.
fn fits(asked: &str, answer: &Object<'_>) -> bool {
    match asked {
        method::ELICITATION_CREATE => {
            let action = answer.get("action").and_then(|member| member.as_str());
            action.is_some_and(|action| matches!(&*action, "accept" | "decline" | "cancel"))
        }
        method::ROOTS_LIST => {
            answer.get("roots").is_some_and(|member| member.raw.starts_with(b"["))
        }
        _ => answer.get("content").is_some() && answer.get("role").is_some(),
    }
}

/// Whether a client that says this `about` itself can be asked this; else what it would have to declare.
pub(super) fn required(question: &Message, about: &About) -> Result<(), Rejection> {
    let declared = Declared::read(&about.capabilities);
    match declared.lacks(question.method(), question.params().as_deref()) {
        Some(missing) => Err(missing_capability(missing.path())),
        None => Ok(()),
    }
}

/// What a client is asked in place of an error that says where its user has to go first (-32042 of 2025-11-25): the
/// questions, or why it cannot be asked them. `None` for any other error.
pub(super) fn of_error(error: &[u8], about: &About) -> Option<Result<Vec<u8>, Rejection>> {
    let error = Object::parse(error).ok()?;
    if error.get("code")?.raw != URL_ELICITATION_REQUIRED {
        return None;
    }
    let data = Bytes::copy_from_slice(error.get("data")?.raw);
    let items = list::items(&data, "elicitations").ok()?.items;
    let mut questions = Vec::new();
    for params in &items {
        let asked = rpc::notification(method::ELICITATION_CREATE, Some(params));
        let asked = Message::parse(asked, &Limits::default()).ok()?;
        if let Err(rejection) = required(&asked, about) {
            return Some(Err(rejection));
        }
        questions.push(asked);
    }
    (!questions.is_empty()).then(|| Ok(input_requests((1..).zip(&questions))))
}

/// The result that asks. Without a state, the request is to be made anew.
pub(super) fn input_required(requests: &[u8], state: Option<&str>) -> Vec<u8> {
    let mut out =
        format!("{{\"{RESULT_TYPE}\":\"{INPUT_REQUIRED}\",\"{INPUT_REQUESTS}\":").into_bytes();
    out.extend_from_slice(requests);
    if let Some(state) = state {
        out.extend_from_slice(format!(",\"{REQUEST_STATE}\":").as_bytes());
        out.extend_from_slice(&quote(state));
    }
    out.push(b'}');
    out
}
