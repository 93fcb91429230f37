//! The one way bytes are replaced inside bytes.

use std::ops::Range;

use bytes::Bytes;

/// `raw` with each span replaced. Spans are in order and do not overlap.
pub(crate) fn splice(raw: &[u8], edits: &[(Range<usize>, &[u8])]) -> Bytes {
    let length =
        edits.iter().fold(raw.len(), |length, (span, with)| length + with.len() - span.len());
    let mut out = Vec::with_capacity(length);
    let mut done = 0;
    for (span, with) in edits {
        out.extend_from_slice(&raw[done..span.start]);
        out.extend_from_slice(with);
        done = span.end;
    }
    out.extend_from_slice(&raw[done..]);
    out.into()
}
