//! `application/x-www-form-urlencoded`, read strictly: what a careless client sends is refused, not guessed.

/// The fields in order, decoded. A broken escape or text that is not UTF-8 is an error.
pub(crate) fn parse(form: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = form.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

/// One name or value: `+` is a space, `%XX` a byte.
pub(crate) fn decode(text: &str) -> Result<String, String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (bytes.next().and_then(digit), bytes.next().and_then(digit));
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(format!("broken escape in {text:?}"));
                };
                high << 4 | low
            }
            b'!'..=b'~' => byte,
            _ => return Err(format!("{byte:#04x} stands unescaped in {text:?}")),
        });
    }
    String::from_utf8(decoded).map_err(|_| format!("{text:?} is not UTF-8"))
}

/// Text for a form or a query: everything but unreserved characters (RFC 3986 §2.3) is escaped.
pub(crate) fn encode(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// The fields as one form or query.
pub(crate) fn join(fields: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{}={}", encode(name), encode(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
