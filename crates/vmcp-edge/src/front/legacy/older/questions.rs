//! What servers ask: of the client's model, and of its user.

use bytes::Bytes;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Edits, Member, Message, Object, method, quote};

/// What becomes of a server's request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The client gets it as it came.
    AsItCame,
    /// It gets these params instead.
    Instead(Bytes),
    /// The client could not read it: invalid params, for this reason.
    Refused(&'static str),
}

type Refusal = &'static str;

const NO_TOOLS: Refusal = "the client's protocol version has no tools in sampling";
const NO_LISTS: Refusal = "the client's protocol version has no lists of content in sampling";
const NO_AUDIO: Refusal = "the client's protocol version has no audio";
const ONE_ANSWER: Refusal = "the client's protocol version has no choice of several answers";
const NO_SUCH_CHOICE: Refusal = "the client's protocol version has no such choice";

/// What becomes of `request` before a client of this revision.
pub(super) fn asked(revision: Revision, request: &Message) -> Asked {
    let knows_all = revision.sampling_tools() && revision.titled_choices();
    let params = request.params().unwrap_or_default();
    let members = match request.method() {
        method::SAMPLING_CREATE_MESSAGE | method::ELICITATION_CREATE if !knows_all => {
            Object::parse(&params)
        }
        _ => return Asked::AsItCame,
    };
    // What is malformed is refused by the client itself.
    let Ok(members) = members else { return Asked::AsItCame };
    if request.method() == method::SAMPLING_CREATE_MESSAGE {
        return sampling(revision, &members).map_or_else(Asked::Refused, |()| Asked::AsItCame);
    }
    match form(&members) {
        Ok(edits) if edits.is_empty() => Asked::AsItCame,
        Ok(edits) => Asked::Instead(edits.apply(&params)),
        Err(why) => Asked::Refused(why),
    }
}

fn sampling(revision: Revision, params: &Object<'_>) -> Result<(), Refusal> {
    let has = |key: &str| params.get(key).is_some_and(|member| !member.is_null());
    if !revision.sampling_tools() && (has("tools") || has("toolChoice")) {
        return Err(NO_TOOLS);
    }
    let messages = params.get("messages").and_then(|messages| messages.items());
    for message in messages.unwrap_or_default() {
        let Some(content) = message.as_object().and_then(|message| message.get("content")) else {
            continue;
        };
        let blocks = content.items();
        if blocks.is_some() && !revision.sampling_lists() {
            return Err(NO_LISTS);
        }
        blocks.unwrap_or_else(|| vec![content]).iter().try_for_each(|one| block(revision, one))?;
    }
    Ok(())
}

fn block(revision: Revision, block: &Member<'_>) -> Result<(), Refusal> {
    let kind = block.as_object().and_then(|block| block.get("type"));
    match kind.as_ref().and_then(Member::as_str).as_deref() {
        Some("audio") if !revision.audio() => Err(NO_AUDIO),
        Some("tool_use" | "tool_result") if !revision.sampling_tools() => Err(NO_TOOLS),
        _ => Ok(()),
    }
}

/// The choices of a form in the old spelling.
fn form(params: &Object<'_>) -> Result<Edits, Refusal> {
    let mut edits = Edits::new();
    let schema = params.get("requestedSchema").and_then(|schema| schema.as_object());
    let fields = schema.and_then(|schema| schema.get("properties")?.as_object());
    for (_, field) in fields.iter().flat_map(Object::iter) {
        let Some(field) = field.as_object() else { continue };
        if field.get("type").is_some_and(|kind| kind.as_str().as_deref() == Some("array")) {
            return Err(ONE_ANSWER);
        }
        let choice = ["oneOf", "anyOf"].into_iter().find_map(|key| field.get(key));
        let Some(choice) = choice else { continue };
        let (values, names) = titled(&choice).ok_or(NO_SUCH_CHOICE)?;
        let remove = ["oneOf", "anyOf", "enum", "enumNames"];
        edits.rewrite(&field, &remove, &[("enum", &values), ("enumNames", &names)]);
    }
    Ok(edits)
}

/// The values of a choice of `{"const", "title"}`, and what to call them: two arrays.
fn titled(choice: &Member<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut values, mut names) = (vec![b'['], vec![b'[']);
    for (at, option) in choice.items()?.into_iter().enumerate() {
        let option = option.as_object()?;
        let value = option.get("const")?;
        let name = match option.get("title").and_then(|title| title.as_str()) {
            Some(title) => quote(&title),
            None => quote(&value.as_str()?),
        };
        value.as_str()?;
        if at > 0 {
            values.push(b',');
            names.push(b',');
        }
        values.extend_from_slice(value.raw);
        names.extend_from_slice(&name);
    }
    values.push(b']');
    names.push(b']');
    Some((values, names))
}

#[cfg(test)]
mod tests;
