//! The trace that a call belongs to (W3C Trace Context).

use http::HeaderValue;

/// A trace context as it travels: `traceparent`, and `tracestate` if there is one.
///
/// It is checked when it is made, so it can be put into a header and into JSON as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    traceparent: HeaderValue,
    tracestate: Option<HeaderValue>,
}

/// The longest `tracestate` that is passed on; W3C asks for at least 512 characters.
const MAX_STATE: usize = 4096;

// === impl TraceContext ===

impl TraceContext {
    /// Reads both fields. `None` if `traceparent` is none (W3C Trace Context, §3.2): the trace starts anew then, as
    /// the specification asks for. A `tracestate` that cannot be passed on is left out.
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        if !is_parent(traceparent.as_bytes()) {
            return None;
        }
        let state = tracestate.map(str::trim).filter(|state| is_state(state));
        Some(Self {
            traceparent: HeaderValue::from_str(traceparent).ok()?,
            tracestate: state.and_then(|state| HeaderValue::from_str(state).ok()),
        })
    }

    /// `traceparent`: version, trace id, parent id, flags.
    pub fn traceparent(&self) -> &str {
        self.traceparent.to_str().unwrap_or_default()
    }

    /// `tracestate`: what tracing systems add of their own.
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_ref().and_then(|state| state.to_str().ok())
    }

    /// The fields as headers, in the order in which they are written.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'static str, &HeaderValue)> {
        let parent = std::iter::once(("traceparent", &self.traceparent));
        parent.chain(self.tracestate.iter().map(|state| ("tracestate", state)))
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, ids not all zero; later versions may go on after that with another `-`.
fn is_parent(text: &[u8]) -> bool {
    let hex = |from: usize, length: usize| {
        let digits = text.get(from..from + length)?;
        let lower = digits.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte));
        lower.then_some(digits)
    };
    let dash = |at: usize| text.get(at) == Some(&b'-');
    let some =
        |digits: Option<&[u8]>| digits.is_some_and(|all| all.iter().any(|byte| *byte != b'0'));
    let Some(version) = hex(0, 2).filter(|version| *version != b"ff") else { return false };
    let ends = match (version, text.len()) {
        (_, 55) => true,
        (b"00", _) => false,
        (_, length) => length < 512 && dash(55) && text.iter().all(u8::is_ascii_graphic),
    };
    ends && dash(2)
        && some(hex(3, 32))
        && dash(35)
        && some(hex(36, 16))
        && dash(52)
        && hex(53, 2).is_some()
}

fn is_state(text: &str) -> bool {
    let printable = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    !text.is_empty() && text.len() <= MAX_STATE && text.bytes().all(printable)
}

#[cfg(test)]
mod tests {
    use super::TraceContext;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn reads_what_the_specification_allows() {
        let trace = TraceContext::parse(PARENT, Some("a=1,b=2")).unwrap();
        assert_eq!((trace.traceparent(), trace.tracestate()), (PARENT, Some("a=1,b=2")));
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes";
        assert_eq!(TraceContext::parse(later, None).unwrap().traceparent(), later);
    }

    #[test]
    fn refuses_what_is_no_trace() {
        for parent in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0\n",
        ] {
            assert_eq!(TraceContext::parse(parent, None), None, "{parent:?}");
        }
    }

    #[test]
    fn leaves_out_a_state_that_cannot_be_sent() {
        for state in ["", "  ", "a=\r\nx: y", "a=\u{e9}", &"a".repeat(5000)] {
            let trace = TraceContext::parse(PARENT, Some(state)).unwrap();
            assert_eq!(trace.tracestate(), None, "{state:?}");
        }
    }
}
