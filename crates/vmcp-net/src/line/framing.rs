//! Where the body of a response ends (RFC 9112, §6 and §7), and whether its connection is of use afterwards.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, Method, StatusCode, Version, header};
use memchr::memchr;

use super::head::{Answer, malformed};
use crate::NetError;

/// Bytes of all that chunks bring besides data: their extensions, and the trailers.
const MAX_EXTRAS: usize = 16 * 1024;
/// Digits of a chunk's size.
const MAX_DIGITS: usize = 16;

/// What is still to come of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes.
    Length(u64),
    Chunked(Chunked),
    /// All until the connection ends.
    Close,
    /// What follows is no part of a body, for this reason.
    Broken(String),
}

/// Where a body in chunks stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunked {
    at: At,
    /// Bytes of extensions and trailers so far.
    extras: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum At {
    Size,
    Data(u64),
    /// The line break after data.
    Break,
    Trailers,
}

/// What follows in a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Data(Bytes),
    End,
    /// More has to be read first.
    More,
}

/// How a response's body is framed, and whether another exchange may follow it.
pub(super) fn of(method: &Method, answer: &Answer) -> Result<(Framing, bool), NetError> {
    let Answer { status, version, headers } = answer;
    let closes = has_token(headers, header::CONNECTION, "close");
    let kept = *version == Version::HTTP_11 || has_token(headers, header::CONNECTION, "keep-alive");
    let lasts = kept && !closes;
    let bodiless = matches!(*status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if *method == Method::HEAD || bodiless {
        return Ok((Framing::DONE, lasts));
    }
    let length = length(headers)?;
    let Some(last) = headers.get_all(header::TRANSFER_ENCODING).iter().next_back() else {
        return Ok(match length {
            Some(length) => (Framing::Length(length), lasts),
            None => (Framing::Close, false),
        });
    };
    if *version == Version::HTTP_10 {
        return Err(malformed("a transfer encoding is of a later version"));
    }
    let last = last.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
    match last.trim_ascii().eq_ignore_ascii_case(b"chunked") {
        // A length besides is overruled, and whoever wrote both is not trusted with another exchange.
        true => Ok((Framing::Chunked(Chunked::NEW), lasts && length.is_none())),
        false => Ok((Framing::Close, false)),
    }
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let mut values = headers.get_all(name).into_iter();
    values.any(|value| {
        let mut tokens = value.as_bytes().split(|byte| *byte == b',');
        tokens.any(|other| other.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    })
}

/// The length that was said, however often, as long as it is the same.
fn length(headers: &HeaderMap) -> Result<Option<u64>, NetError> {
    let mut said = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        for length in value.as_bytes().split(|byte| *byte == b',') {
            let length = number(length.trim_ascii(), 10);
            let length = length.ok_or_else(|| malformed("the content length is no number"))?;
            if said.replace(length).is_some_and(|other| other != length) {
                return Err(malformed("there are two content lengths"));
            }
        }
    }
    Ok(said)
}

/// Digits and nothing else.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    if !digits.iter().all(|digit| char::from(*digit).is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

// === impl Framing ===

impl Framing {
    /// Nothing more comes.
    pub(super) const DONE: Self = Self::Length(0);

    pub(super) fn is_done(&self) -> bool {
        *self == Self::DONE
    }

    /// How much is still to come, if that was said.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::Close | Self::Broken(_) => None,
        }
    }

    /// Takes what comes next out of what was read.
    pub(super) fn step(&mut self, input: &mut BytesMut) -> Result<Step, String> {
        match self {
            Self::Length(0) => Ok(Step::End),
            Self::Length(left) => Ok(take(left, input)),
            Self::Close => Ok(take(&mut { u64::MAX }, input)),
            Self::Broken(why) => Err(why.clone()),
            Self::Chunked(chunked) => {
                let step = chunked.step(input)?;
                if step == Step::End {
                    *self = Self::DONE;
                }
                Ok(step)
            }
        }
    }

    /// Takes what is there between two chunks, or behind the last. What is wrong with it is told by the next step.
    pub(super) fn look_ahead(&mut self, input: &mut BytesMut) {
        let Self::Chunked(chunked) = self else { return };
        match chunked.until_data(input) {
            Ok(Some(Step::End)) => *self = Self::DONE,
            Ok(_) => {}
            Err(why) => *self = Self::Broken(why),
        }
    }

    /// The connection ended.
    pub(super) fn close(&mut self) -> Result<(), String> {
        match self {
            Self::Close => *self = Self::DONE,
            Self::Length(_) | Self::Chunked(_) | Self::Broken(_) => {
                return Err("the connection was closed before its end".to_owned());
            }
        }
        Ok(())
    }
}

/// As much of the data that is `left` as there is.
fn take(left: &mut u64, input: &mut BytesMut) -> Step {
    if input.is_empty() {
        return Step::More;
    }
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= length as u64;
    Step::Data(input.split_to(length).freeze())
}

// === impl Chunked ===

impl Chunked {
    const NEW: Self = Self { at: At::Size, extras: 0 };

    fn step(&mut self, input: &mut BytesMut) -> Result<Step, String> {
        if let Some(step) = self.until_data(input)? {
            return Ok(step);
        }
        let At::Data(left) = &mut self.at else { return Ok(Step::More) };
        let step = take(left, input);
        if *left == 0 {
            self.at = At::Break;
        }
        Ok(step)
    }

    /// Goes on until data follows; `None` if it does.
    fn until_data(&mut self, input: &mut BytesMut) -> Result<Option<Step>, String> {
        loop {
            match self.at {
                At::Data(_) => return Ok(None),
                At::Break => {
                    if input.len() < 2 {
                        return Ok(Some(Step::More));
                    }
                    if !input.starts_with(b"\r\n") {
                        return Err("a chunk is longer than it says".to_owned());
                    }
                    input.advance(2);
                    self.at = At::Size;
                }
                At::Size => {
                    let Some(line) = self.line(input)? else { return Ok(Some(Step::More)) };
                    self.at = match self.size(&line)? {
                        0 => At::Trailers,
                        size => At::Data(size),
                    };
                }
                At::Trailers => {
                    let Some(line) = self.line(input)? else { return Ok(Some(Step::More)) };
                    if line.is_empty() {
                        return Ok(Some(Step::End));
                    }
                    self.charge(line.len())?;
                }
            }
        }
    }

    /// A line without its end.
    fn line(&self, input: &mut BytesMut) -> Result<Option<BytesMut>, String> {
        let Some(end) = memchr(b'\n', input) else {
            return match input.len() > MAX_EXTRAS {
                true => Err("a line between chunks is too long".to_owned()),
                false => Ok(None),
            };
        };
        let mut line = input.split_to(end + 1);
        line.truncate(end);
        match line.split_last() {
            Some((b'\r', text)) if !text.contains(&b'\r') => line.truncate(end - 1),
            _ => return Err("a line between chunks has a bare line break".to_owned()),
        }
        Ok(Some(line))
    }

    fn size(&mut self, line: &[u8]) -> Result<u64, String> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, rest) = line.split_at(digits);
        let rest = rest.trim_ascii_start();
        self.charge(rest.len())?;
        let known = (1..=MAX_DIGITS).contains(&digits.len()) && matches!(rest, [] | [b';', ..]);
        let size = known.then(|| number(digits, 16)).flatten();
        size.ok_or_else(|| "the size of a chunk is no number".to_owned())
    }

    fn charge(&mut self, bytes: usize) -> Result<(), String> {
        self.extras += bytes;
        match self.extras > MAX_EXTRAS {
            true => Err("there are too many trailers or extensions of chunks".to_owned()),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
