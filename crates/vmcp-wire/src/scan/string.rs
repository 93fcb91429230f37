//! The inside of strings: where nearly all bytes of a large message are.
//!
//! Short strings are walked byte by byte; from then on `memchr` finds the next quote or backslash
//! and the stretch up to it is checked as a whole, in loops the compiler vectorises.

use memchr::memchr2;

use super::State;
use super::utf8::Utf8;

/// Why scanning stopped.
pub(super) enum Stop {
    /// The chunk is used up.
    Starved,
    /// The closing quote was read.
    Closed,
}

/// Bytes looked at one by one before the bulk search pays for its set-up.
const SHORT: usize = 24;

/// Bytes checked at a time, so that they are still in the nearest cache when checked.
const BLOCK: usize = 16 << 10;

const ESCAPE: &str = "malformed escape";
const CONTROL: &str = "control character in a string";
const UTF8: &str = "not UTF-8";

/// Which bytes need no attention inside a string.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x20;
    while byte < 0x80 {
        plain[byte] = byte != b'"' as usize && byte != b'\\' as usize;
        byte += 1;
    }
    plain
};

/// Scans inside a string, from `at` up to one past the closing quote.
///
/// `state` is one of the three string states, before and after. On error `at` is the bad byte.
pub(super) fn scan(
    state: &mut State,
    utf8: &mut Utf8,
    chunk: &[u8],
    at: &mut usize,
) -> Result<Stop, &'static str> {
    loop {
        if *state == State::Text {
            match text(utf8, chunk, at)? {
                Some(b'"') => return Ok(Stop::Closed),
                Some(_) => *state = State::Escape,
                None => return Ok(Stop::Starved),
            }
        }
        let Some(&byte) = chunk.get(*at) else { return Ok(Stop::Starved) };
        *state = escape(*state, byte).ok_or(ESCAPE)?;
        *at += 1;
    }
}

/// One byte after a backslash.
fn escape(state: State, byte: u8) -> Option<State> {
    match (state, byte) {
        (State::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
            Some(State::Text)
        }
        (State::Escape, b'u') => Some(State::Hex(4)),
        (State::Hex(1), _) if byte.is_ascii_hexdigit() => Some(State::Text),
        (State::Hex(missing), _) if byte.is_ascii_hexdigit() => Some(State::Hex(missing - 1)),
        _ => None,
    }
}

/// Plain text up to and including the next quote or backslash, which is returned.
fn text(utf8: &mut Utf8, chunk: &[u8], at: &mut usize) -> Result<Option<u8>, &'static str> {
    if !utf8.is_open() {
        let head = &chunk[*at..chunk.len().min(*at + SHORT)];
        let plain = head.iter().position(|&byte| !PLAIN[byte as usize]).unwrap_or(head.len());
        *at += plain;
        if let Some(&stop @ (b'"' | b'\\')) = head.get(plain) {
            *at += 1;
            return Ok(Some(stop));
        }
    }
    while *at < chunk.len() {
        let block = &chunk[*at..chunk.len().min(*at + BLOCK)];
        let stop = memchr2(b'"', b'\\', block);
        check(utf8, &block[..stop.unwrap_or(block.len())], at)?;
        if let Some(stop) = stop {
            if utf8.is_open() {
                return Err(UTF8);
            }
            *at += 1;
            return Ok(Some(block[stop]));
        }
    }
    Ok(None)
}

/// Checks a stretch without quotes and backslashes, and moves `at` past it.
fn check(utf8: &mut Utf8, stretch: &[u8], at: &mut usize) -> Result<(), &'static str> {
    let (mut control, mut high) = (false, 0);
    for &byte in stretch {
        control |= byte < 0x20;
        high |= byte;
    }
    if control {
        *at += stretch.iter().position(|&byte| byte < 0x20).unwrap_or_default();
        return Err(CONTROL);
    }
    if (high >= 0x80 || utf8.is_open())
        && let Err(bad) = utf8.take(stretch)
    {
        *at += bad;
        return Err(UTF8);
    }
    *at += stretch.len();
    Ok(())
}
