//! What newer clients say that the backend's revision does not have: it is left out, or refused.
//!
//! Members that a backend does not know are no matter, except where its revision says what there may be.

use bytes::Bytes;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Edits, Member, Object, method};

/// The params of a call as a backend of this revision takes them; `None` if that is as they are.
pub(crate) fn expressed(revision: Revision, method: &str, params: Option<&Bytes>) -> Option<Bytes> {
    if revision.completion_context() || method != method::COMPLETION_COMPLETE {
        return None;
    }
    let params = params?;
    let members = Object::parse(params).ok()?;
    members.get("context")?;
    let mut edits = Edits::new();
    edits.remove_member(&members, "context");
    Some(edits.apply(params))
}

/// The client's result for a backend's request, as a backend of this revision reads it; `None` if that is as it is.
///
/// # Errors
/// What the backend is told if its revision has no way to say it.
pub(crate) fn answered(
    revision: Revision,
    method: &str,
    result: &[u8],
) -> Result<Option<Bytes>, &'static str> {
    let knows_all = revision.audio() && revision.sampling_lists() && revision.sampling_tools();
    if knows_all || method != method::SAMPLING_CREATE_MESSAGE {
        return Ok(None);
    }
    let content = Object::parse(result).ok().and_then(|members| members.get("content"));
    let Some(content) = content else { return Ok(None) };
    let Some(blocks) = content.items().filter(|_| !revision.sampling_lists()) else {
        return block(revision, &content).map(|()| None);
    };
    let [only] = &blocks[..] else {
        return Err(
            "the client's answer has several blocks, which this protocol version cannot say",
        );
    };
    block(revision, only)?;
    let mut edits = Edits::new();
    edits.replace(content.span, Bytes::copy_from_slice(only.raw));
    Ok(Some(edits.apply(result)))
}

fn block(revision: Revision, block: &Member<'_>) -> Result<(), &'static str> {
    let kind = block.as_object().and_then(|block| block.get("type"));
    match kind.as_ref().and_then(Member::as_str).as_deref() {
        Some("audio") if !revision.audio() => {
            Err("the client's answer is audio, which this protocol version cannot say")
        }
        Some("tool_use" | "tool_result") if !revision.sampling_tools() => {
            Err("the client's answer is about a tool, which this protocol version cannot say")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use vmcp_wire::revision::Revision;

    use super::{answered, expressed};

    const COMPLETE: &str = "completion/complete";
    const SAMPLE: &str = "sampling/createMessage";

    #[test]
    fn the_context_of_a_completion_is_left_out_where_there_is_none() {
        let params = r#"{"ref":{"n":1.0} ,"context":{"arguments":{}},"argument":{}}"#;
        let without = Bytes::from_static(br#"{"ref":{"n":1.0} ,"argument":{}}"#);
        let params = Bytes::from_static(params.as_bytes());
        let table = Revision::ALL.map(|revision| expressed(revision, COMPLETE, Some(&params)));
        assert_eq!(table, [Some(without.clone()), Some(without.clone()), None, None, None]);
        assert_eq!(expressed(Revision::V2024_11_05, "tools/call", Some(&params)), None);
        assert_eq!(expressed(Revision::V2024_11_05, COMPLETE, Some(&without)), None);
        assert_eq!(expressed(Revision::V2024_11_05, COMPLETE, None), None);
    }

    #[test]
    fn a_list_of_one_block_is_that_block() {
        let result =
            br#"{"role":"assistant","content":[ {"type":"text","text":"x","n":1.0} ],"model":"m"}"#;
        let one =
            br#"{"role":"assistant","content":{"type":"text","text":"x","n":1.0},"model":"m"}"#;
        let one = Bytes::from_static(one);
        let table = Revision::ALL.map(|revision| answered(revision, SAMPLE, result).unwrap());
        assert_eq!(table, [Some(one.clone()), Some(one.clone()), Some(one), None, None]);
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let text = r#"{"type":"text","text":"audio"}"#;
        let audio = r#"{"type":"audio","data":"","mimeType":"a/b"}"#;
        let tool = r#"{"type":"tool_use","id":"1","name":"n","input":{}}"#;
        let table = [
            (text.to_owned(), [false; 5]),
            (audio.to_owned(), [true, false, false, false, false]),
            (format!("[{audio}]"), [true, false, false, false, false]),
            (tool.to_owned(), [true, true, true, false, false]),
            (format!("[{text},{text}]"), [true, true, true, false, false]),
            ("[]".to_owned(), [true, true, true, false, false]),
        ];
        for (content, expected) in table {
            let result = format!(r#"{{"content":{content}}}"#);
            let refused = Revision::ALL
                .map(|revision| answered(revision, SAMPLE, result.as_bytes()).is_err());
            assert_eq!(refused, expected, "{content}");
            let other = answered(Revision::V2024_11_05, "elicitation/create", result.as_bytes());
            assert_eq!(other, Ok(None));
        }
    }
}
