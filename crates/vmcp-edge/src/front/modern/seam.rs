//! Members that a result must have, for a response that comes in pieces.
//!
//! Which of them the backend says itself is known when the result ends, wherever it says them: those that are missing
//! go in there. Nothing is held back but the piece at hand.

use bytes::Bytes;
use vmcp_wire::revision::{INPUT_REQUIRED, RESULT_TYPE};
use vmcp_wire::{Noticed, ResultWatch};

/// Puts members at the end of the result of a response that comes in pieces, if it does not have them.
#[derive(Debug)]
pub(super) struct Seam {
    /// Names and values of those that did not go by.
    missing: Vec<(&'static str, String)>,
    watch: ResultWatch,
    /// The name that went by last says what kind of result it is.
    is_kind: bool,
}

/// The backend asks at the end of a long answer: what went out is neither an answer nor a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AsksLate;

// === impl Seam ===

impl Seam {
    /// For a response whose result must have these.
    pub(super) fn new(members: Vec<(&'static str, String)>) -> Self {
        Self { missing: members, watch: ResultWatch::new(), is_kind: false }
    }

    /// The next piece, with what is missing if the result ends in it.
    ///
    /// # Errors
    /// If the result turns out to be a question. Nothing that comes after it is worth anything.
    pub(super) fn pass(&mut self, piece: Bytes) -> Result<Bytes, AsksLate> {
        if self.watch.is_over() {
            return Ok(piece);
        }
        let Self { missing, watch, is_kind } = self;
        let (mut end, mut asks) = (None, false);
        watch.read(&piece, |at, noticed| match noticed {
            Noticed::Name(name) => {
                missing.retain(|(key, _)| !name.is(key));
                *is_kind = name.is(RESULT_TYPE);
            }
            Noticed::Text(kind) => asks |= *is_kind && kind.is(INPUT_REQUIRED),
            Noticed::End { empty } => end = Some((at, empty)),
        });
        if asks {
            return Err(AsksLate);
        }
        match end {
            Some((at, empty)) if !missing.is_empty() => {
                let (before, behind) = piece.split_at(at);
                let mut out = before.to_vec();
                for (place, (key, value)) in missing.iter().enumerate() {
                    let comma = if empty && place == 0 { "" } else { "," };
                    out.extend_from_slice(format!("{comma}\"{key}\":{value}").as_bytes());
                }
                out.extend_from_slice(behind);
                Ok(out.into())
            }
            _ => Ok(piece),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{AsksLate, Seam};

    fn seam() -> Seam {
        Seam::new(vec![("resultType", "\"complete\"".to_owned()), ("ttlMs", "0".to_owned())])
    }

    /// Whatever way the text is cut, the same comes out.
    fn pass(text: &str) -> Result<String, AsksLate> {
        let own = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let whole = seam().pass(own(text));
        for cut in 1..text.len() {
            let mut seam = seam();
            let parts = [&text[..cut], &text[cut..]].map(|part| seam.pass(own(part)));
            let joined = parts.into_iter().collect::<Result<Vec<_>, _>>().map(|all| all.concat());
            assert_eq!(joined, whole.as_ref().map(|bytes| bytes.to_vec()).map_err(|_| AsksLate));
        }
        whole.map(|whole| String::from_utf8(whole.to_vec()).unwrap())
    }

    #[test]
    fn what_is_missing_stands_last_in_the_result() {
        for (text, expected) in [
            (
                r#"{"id":1,"result":{"a":{"result":{}}}}"#,
                r#"{"id":1,"result":{"a":{"result":{}},"resultType":"complete","ttlMs":0}}"#,
            ),
            (
                r#"{"result" : { } ,"id":1}"#,
                r#"{"result" : { "resultType":"complete","ttlMs":0} ,"id":1}"#,
            ),
            (
                r#"{"result":{"ttlMs":5,"a":{"resultType":1}},"id":1}"#,
                r#"{"result":{"ttlMs":5,"a":{"resultType":1},"resultType":"complete"},"id":1}"#,
            ),
        ] {
            assert_eq!(pass(text).unwrap(), expected);
        }
    }

    #[test]
    fn what_has_all_or_no_result_stays_as_it_is() {
        for text in [
            r#"{"result":{"a":1,"ttlMs":1,"resultType":"task"}}"#,
            r#"{"result":{"resultType":"complete","\u0074tlMs":1,"a":"input_required"}}"#,
            r#"{"error":{"result":{}},"id":1}"#,
            r#"{"result":[{}]}"#,
        ] {
            assert_eq!(pass(text).unwrap(), text);
        }
    }

    #[test]
    fn a_question_at_the_end_is_none() {
        assert_eq!(pass(r#"{"result":{"a":1,"resultType":"input_required"}}"#), Err(AsksLate));
    }
}
