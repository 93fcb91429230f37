//! Headers that repeat what a body says: made from any tool and any arguments, they are what is expected of them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vmcp_wire::header::{ParamHeaders, decode, encode};

fuzz_target!(|input: &[u8]| {
    if let Some(text) = decode(input) {
        assert_eq!(decode(encode(&text).as_bytes()).as_deref(), Some(&text[..]));
    }
    if let Ok(text) = std::str::from_utf8(input) {
        assert_eq!(decode(encode(text).as_bytes()).as_deref(), Some(text));
    }
    // A tool, the arguments of a call of it and the value of one header, on three lines.
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let tool = lines.next().unwrap_or_default();
    let (arguments, value) = (lines.next(), lines.next());
    if let Ok(params) = ParamHeaders::of_tool(tool) {
        repeated(&params, arguments, value);
    }
});

fn repeated(params: &ParamHeaders, arguments: Option<&[u8]>, value: Option<&[u8]>) {
    // With any value in each header: no panic.
    let _ = params.check(arguments, |_| value);
    let Ok(values) = params.values(arguments) else { return };
    let line = |name: &str, left_out: Option<usize>| {
        let at = values.iter().position(|(header, _)| *header == name);
        at.filter(|at| left_out != Some(*at)).map(|at| values[at].1.as_bytes())
    };
    // Half a surrogate pair is no text: no header can say it.
    let halves = arguments
        .is_some_and(|raw| raw.windows(3).any(|escape| escape.eq_ignore_ascii_case(b"\\ud")));
    if !halves {
        assert_eq!(params.check(arguments, |name| line(name, None)), Ok(()));
    }
    for missing in 0..values.len() {
        assert!(params.check(arguments, |name| line(name, Some(missing))).is_err());
    }
}
