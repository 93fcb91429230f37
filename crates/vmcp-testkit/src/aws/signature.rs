//! Signature Version 4, from AWS's description of it, on the verifying side.
//!
//! Path and query are taken as they stand on the wire. What is encoded there is encoded once more in the path (every
//! service but S3 wants that), while query parameters are decoded first and so are encoded once.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use http::{HeaderMap, Method};

/// What the `Authorization` header of a verified request said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigV4Scope {
    /// The access key id.
    pub key_id: String,
    /// The date of the signing key: `20150830`.
    pub date: String,
    /// The region.
    pub region: String,
    /// The service.
    pub service: String,
    /// The names of the headers that the signature covers, in lower case.
    pub headers: Vec<String>,
}

/// Verifies the signature of one request; `secret` finds the secret key of an access key id.
///
/// Checks the signature alone, with all that AWS demands to be covered by it: neither the time nor the scope is
/// compared with anything. The error says what is wrong, with the canonical request where the signature differs.
pub fn verify_sigv4(
    method: &Method,
    path_and_query: &str,
    headers: &HeaderMap,
    body: &[u8],
    secret: impl FnOnce(&str) -> Option<String>,
) -> Result<SigV4Scope, String> {
    let mut authorizations = headers.get_all("authorization").iter();
    let authorization = authorizations.next().and_then(|value| value.to_str().ok());
    let authorization = authorization.ok_or("no Authorization header")?;
    if authorizations.next().is_some() {
        return Err("more than one Authorization header".to_owned());
    }
    let (scope, signature) = parse(authorization)?;
    check_covered(headers, &scope)?;
    let payload = hex(digest(&SHA256, body).as_ref());
    if let Some(said) = headers.get("x-amz-content-sha256")
        && said.as_bytes() != payload.as_bytes()
    {
        return Err(format!("x-amz-content-sha256 is {said:?}, the body's hash is {payload}"));
    }
    let date = text(headers, "x-amz-date")?;
    if !date.starts_with(&scope.date) {
        return Err(format!("x-amz-date {date} is not of the scope's {}", scope.date));
    }
    let canonical = canonical(method, path_and_query, headers, &scope.headers, &payload)?;
    let credential = format!("{}/{}/{}/aws4_request", scope.date, scope.region, scope.service);
    let hash = hex(digest(&SHA256, &canonical).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{credential}\n{hash}");
    let secret = secret(&scope.key_id).ok_or_else(|| format!("unknown key {:?}", scope.key_id))?;
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [scope.date.as_str(), &scope.region, &scope.service, "aws4_request"] {
        key = mac(&key, part.as_bytes());
    }
    if hex(&mac(&key, to_sign.as_bytes())) != signature {
        let canonical = String::from_utf8_lossy(&canonical);
        return Err(format!("the signature differs; to be signed:\n{to_sign}\n---\n{canonical}"));
    }
    Ok(scope)
}

/// `AWS4-HMAC-SHA256 Credential=ID/DATE/REGION/SERVICE/aws4_request, SignedHeaders=a;b, Signature=HEX`.
fn parse(authorization: &str) -> Result<(SigV4Scope, String), String> {
    let broken = || format!("not an Authorization of SigV4: {authorization:?}");
    let members = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(broken)?;
    let members: BTreeMap<&str, &str> =
        members.split(',').filter_map(|member| member.trim().split_once('=')).collect();
    let member = |name: &str| members.get(name).copied().ok_or_else(broken);
    let credential: Vec<&str> = member("Credential")?.split('/').collect();
    let [key_id, date, region, service, "aws4_request"] = credential[..] else {
        return Err(broken());
    };
    let headers: Vec<String> = member("SignedHeaders")?.split(';').map(str::to_owned).collect();
    let scope = SigV4Scope {
        key_id: key_id.to_owned(),
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        headers,
    };
    Ok((scope, member("Signature")?.to_owned()))
}

/// The host and all headers of AWS's own must be signed, the content type where there is one, each name once and in
/// order; here also the session of MCP, which no stranger may swap.
fn check_covered(headers: &HeaderMap, scope: &SigV4Scope) -> Result<(), String> {
    let signed = &scope.headers;
    if !signed.is_sorted_by(|one, next| one < next) {
        return Err(format!("SignedHeaders are not sorted: {signed:?}"));
    }
    let must = |name: &str| {
        name.starts_with("x-amz-") || matches!(name, "host" | "content-type" | "mcp-session-id")
    };
    let names = headers.keys().map(http::HeaderName::as_str).filter(|name| must(name));
    for name in names.chain(["host", "x-amz-date"]) {
        if !signed.iter().any(|one| one == name) {
            return Err(format!("{name} is not signed"));
        }
    }
    match signed.iter().find(|name| !headers.contains_key(name.as_str())) {
        Some(name) => Err(format!("{name} is signed but not there")),
        None => Ok(()),
    }
}

fn canonical(
    method: &Method,
    path_and_query: &str,
    headers: &HeaderMap,
    signed: &[String],
    payload: &str,
) -> Result<Vec<u8>, String> {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let mut text =
        format!("{method}\n{}\n{}\n", canonical_path(path), canonical_query(query)?).into_bytes();
    for name in signed {
        text.extend([name.as_bytes(), b":"].concat());
        let values = headers.get_all(name).iter().map(|value| squeeze(value.as_bytes()));
        text.extend(values.collect::<Vec<_>>().join(&b','));
        text.push(b'\n');
    }
    text.extend(format!("\n{}\n{payload}", signed.join(";")).into_bytes());
    Ok(text)
}

/// Without dot segments and empty ones (RFC 3986 §6.2.2.3), each segment encoded as it stands.
fn canonical_path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    let ends = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end)) && !kept.is_empty();
    let kept: Vec<String> = kept.iter().map(|segment| encode(segment.as_bytes())).collect();
    format!("/{}{}", kept.join("/"), if ends { "/" } else { "" })
}

/// Names and values decoded as a form's are, encoded again, sorted.
fn canonical_query(query: &str) -> Result<String, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((encode(&decode(name)?), encode(&decode(value)?)))
        })
        .collect::<Result<Vec<_>, String>>()?;
    pairs.sort();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Ok(pairs.join("&"))
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        decoded.push(match (first, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap_or_default();
                rest = after;
                u8::from_str_radix(digits, 16).map_err(|_| format!("broken escape in {text:?}"))?
            }
            (b'%', _) => return Err(format!("broken escape in {text:?}")),
            (byte, _) => *byte,
        });
    }
    Ok(decoded)
}

/// All but unreserved characters become `%XX`.
fn encode(bytes: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(*byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    bytes.iter().map(escape).collect()
}

/// A header's value without blanks around it and with single spaces inside.
fn squeeze(value: &[u8]) -> Vec<u8> {
    let words = value.trim_ascii().split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, String> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.ok_or_else(|| format!("no {name}"))
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
