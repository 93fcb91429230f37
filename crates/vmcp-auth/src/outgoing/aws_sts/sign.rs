//! Signature Version 4 in the `Authorization` header.
//!
//! Signed are the method, the path, the query, the body, and these headers: `host`, `content-type`, all of MCP
//! (`mcp-…`, the session among them) and all of AWS (`x-amz-…`). The others may change on the way.

use std::time::Duration;

use aws_lc_rs::hmac;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::time::{self, Seconds};
use crate::digest::digest;
use crate::outgoing::OutgoingRequest;
use crate::{AuthFailure, AwsKeys, wall_clock};

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Optional, and not sent: the signature has the hash of the body in any case.
const PAYLOAD: HeaderName = HeaderName::from_static("x-amz-content-sha256");

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How far AWS' clock may be from ours without being followed, in seconds. AWS refuses what is 300 off.
const TOLERANCE: u64 = 240;
/// How long requests may be under way that were signed before the clock was set.
const UNDER_WAY: Duration = Duration::from_secs(60);

/// Signs for one service in one region.
pub(super) struct Signer {
    region: String,
    service: String,
    /// Held to read it or to set it.
    clock: Mutex<Clock>,
}

/// AWS' clock, as far as it is known.
#[derive(Clone, Copy, Default)]
struct Clock {
    /// What it has ahead of ours, in seconds; 0 unless AWS refused a request for that.
    ahead: i64,
    /// When that was found out.
    found: Option<Instant>,
}

// === impl Signer ===

impl Signer {
    pub(super) fn new(region: &str, service: &str) -> Result<Self, String> {
        let fine = |text: &str| {
            let allowed =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            (1..=63).contains(&text.len()) && text.bytes().all(allowed)
        };
        if !fine(region) || !fine(service) {
            return Err("region and service have small letters, digits and `-` only".to_owned());
        }
        let (region, service) = (region.to_owned(), service.to_owned());
        Ok(Self { region, service, clock: Mutex::default() })
    }

    /// Signs a request as of now.
    pub(super) fn sign_now(
        &self,
        request: OutgoingRequest<'_>,
        keys: &AwsKeys,
    ) -> Result<(), AuthFailure> {
        let now = self.clock.lock().now();
        self.sign(request, keys, now)
    }

    /// Sets the clock by a response; whether that makes a difference that a signature is refused for, or has just made
    /// it: requests that were under way meanwhile were signed by the old one.
    pub(super) fn follow(&self, response: &HeaderMap) -> bool {
        let Some(there) = time::parse_date(response) else { return false };
        let mut clock = self.clock.lock();
        if there.abs_diff(clock.now()) > TOLERANCE {
            let ahead = i64::try_from(there).ok().zip(i64::try_from(wall_clock::seconds()).ok());
            clock.ahead = ahead.map_or(0, |(there, here)| there - here);
            clock.found = Some(Instant::now());
        }
        clock.found.is_some_and(|found| found.elapsed() < UNDER_WAY)
    }

    /// Signs a request as of this time; what there was of a signature goes.
    fn sign(
        &self,
        request: OutgoingRequest<'_>,
        keys: &AwsKeys,
        at: Seconds,
    ) -> Result<(), AuthFailure> {
        let OutgoingRequest { method, uri, headers, body } = request;
        headers.remove(AUTHORIZATION);
        headers.remove(PAYLOAD);
        let time = time::basic(at);
        headers.insert(DATE, header(&time)?);
        headers.insert(TOKEN, sensitive(keys.session_token.expose_secret())?);
        let (names, canonical) = canonical(method, uri, headers, body)?;
        let scope = self.scope(&time);
        let signature = self.signature(keys, &time, &canonical);
        let id = &keys.access_key_id;
        let value = format!(
            "{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
        );
        headers.insert(AUTHORIZATION, sensitive(&value)?);
        Ok(())
    }

    /// The signature of a canonical request, in hexadecimal digits.
    fn signature(&self, keys: &AwsKeys, time: &str, canonical: &[u8]) -> String {
        let scope = self.scope(time);
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex(&digest(canonical)));
        hex(mac(self.key(keys, date(time)).as_ref(), to_sign.as_bytes()).as_ref())
    }

    /// What a key of one day is good for.
    fn scope(&self, time: &str) -> String {
        format!("{}/{}/{}/aws4_request", date(time), self.region, self.service)
    }

    /// The key of one day.
    fn key(&self, keys: &AwsKeys, date: &str) -> hmac::Tag {
        let secret = Zeroizing::new(format!("AWS4{}", keys.secret_access_key.expose_secret()));
        let of_date = mac(secret.as_bytes(), date.as_bytes());
        let of_region = mac(of_date.as_ref(), self.region.as_bytes());
        let of_service = mac(of_region.as_ref(), self.service.as_bytes());
        mac(of_service.as_ref(), b"aws4_request")
    }
}

// === impl Clock ===

impl Clock {
    fn now(self) -> Seconds {
        wall_clock::seconds().saturating_add_signed(self.ahead)
    }
}

fn date(time: &str) -> &str {
    time.get(..8).unwrap_or_default()
}

/// The names of the signed headers, and the canonical request.
fn canonical(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(String, Vec<u8>), AuthFailure> {
    let host = match headers.get(HOST) {
        Some(host) => host.as_bytes().to_vec(),
        None => host(uri)?.into_bytes(),
    };
    let mut names: Vec<&str> =
        headers.keys().filter(|name| is_signed(name)).map(HeaderName::as_str).collect();
    names.push(HOST.as_str());
    names.sort_unstable();
    names.dedup();
    let mut text = Vec::with_capacity(1024);
    text.extend_from_slice(method.as_str().as_bytes());
    text.push(b'\n');
    path(uri.path().as_bytes(), &mut text);
    text.push(b'\n');
    query(uri.query().unwrap_or_default(), &mut text);
    text.push(b'\n');
    for name in &names {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        if *name == HOST.as_str() {
            text.extend_from_slice(&host);
        } else {
            for (place, value) in headers.get_all(*name).iter().enumerate() {
                if place > 0 {
                    text.push(b',');
                }
                single_spaced(value.as_bytes(), &mut text);
            }
        }
        text.push(b'\n');
    }
    let names = names.join(";");
    text.extend_from_slice(format!("\n{names}\n{}", hex(&digest(body))).as_bytes());
    Ok((names, text))
}

fn is_signed(name: &HeaderName) -> bool {
    let text = name.as_str();
    *name == CONTENT_TYPE || text.starts_with("mcp-") || text.starts_with("x-amz-")
}

/// The host as it will be sent: without the scheme's own port.
fn host(uri: &Uri) -> Result<String, AuthFailure> {
    let failure = || AuthFailure::Unavailable("a URL without a host cannot be signed".to_owned());
    let host = uri.host().ok_or_else(failure)?;
    Ok(match (uri.port_u16(), uri.scheme_str()) {
        (None, _) | (Some(443), Some("https")) | (Some(80), Some("http")) => host.to_owned(),
        (Some(port), _) => format!("{host}:{port}"),
    })
}

/// The path without empty and dot segments, each segment encoded as it stands on the wire: what is encoded there is so
/// twice, as every service but S3 wants it.
fn path(path: &[u8], text: &mut Vec<u8>) {
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut directory = true;
    for segment in path.split(|byte| *byte == b'/') {
        directory = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    for segment in &segments {
        text.push(b'/');
        segment.iter().for_each(|byte| encode(*byte, text));
    }
    if directory || segments.is_empty() {
        text.push(b'/');
    }
}

/// The parameters, each decoded and encoded in the one way that counts, sorted by name and then by value.
fn query(query: &str, text: &mut Vec<u8>) {
    let mut parameters: Vec<(Vec<u8>, Vec<u8>)> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (recoded(name.as_bytes()), recoded(value.as_bytes()))
        })
        .collect();
    parameters.sort_unstable();
    for (place, (name, value)) in parameters.iter().enumerate() {
        if place > 0 {
            text.push(b'&');
        }
        text.extend_from_slice(name);
        text.push(b'=');
        text.extend_from_slice(value);
    }
}

/// A `+` is a space, as in a form. A `%` that begins no escape stands for itself.
fn recoded(text: &[u8]) -> Vec<u8> {
    let mut coded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let byte = match (*byte, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            (byte, _) => byte,
        };
        encode(byte, &mut coded);
    }
    coded
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Unreserved characters (RFC 3986 §2.3) stand for themselves.
fn encode(byte: u8, text: &mut Vec<u8>) {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        text.push(byte);
    } else {
        text.extend_from_slice(format!("%{byte:02X}").as_bytes());
    }
}

/// A header's value as it arrives, without spaces and tabs around it (RFC 9110 §5.5), and with one space where there
/// are more.
fn single_spaced(value: &[u8], text: &mut Vec<u8>) {
    let words = value.trim_ascii().split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    for (place, word) in words.enumerate() {
        if place > 0 {
            text.push(b' ');
        }
        text.extend_from_slice(word);
    }
}

fn mac(key: &[u8], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn header(text: &str) -> Result<HeaderValue, AuthFailure> {
    HeaderValue::from_str(text)
        .map_err(|_| AuthFailure::Unavailable("the keys cannot be sent in a header".to_owned()))
}

fn sensitive(text: &str) -> Result<HeaderValue, AuthFailure> {
    let mut value = header(text)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
