//! The inside of strings: where nearly all bytes of a large message are.
//!
//! Eight bytes are looked at together, which suits the many short strings. A stretch that goes on
//! is then searched by `memchr`, and checked as a whole in a loop that the compiler vectorises.

use memchr::memchr2;

use super::State;
use super::fault::Fault;
use super::utf8::Utf8;

/// Why scanning stopped.
pub(super) enum Stop {
    /// The chunk is used up.
    Starved,
    /// The closing quote was read.
    Closed,
}

/// Words looked at before the set-up of the bulk search pays.
const SHORT: usize = 8;

/// Bytes checked at a time, so that they are still in the nearest cache when checked.
const BLOCK: usize = 16 << 10;

/// Scans inside a string, from `at` up to one past the closing quote.
///
/// `state` is one of the three string states, before and after. On error `at` is the bad byte.
pub(super) fn scan(
    state: &mut State,
    utf8: &mut Utf8,
    chunk: &[u8],
    at: &mut usize,
) -> Result<Stop, Fault> {
    loop {
        if *state == State::Text {
            match text(utf8, chunk, at)? {
                Some(b'"') => return Ok(Stop::Closed),
                Some(_) => *state = State::Escape,
                None => return Ok(Stop::Starved),
            }
        }
        let Some(&byte) = chunk.get(*at) else { return Ok(Stop::Starved) };
        *state = escape(*state, byte).ok_or(Fault::Escape)?;
        *at += 1;
    }
}

/// One byte after a backslash.
fn escape(state: State, byte: u8) -> Option<State> {
    match (state, byte) {
        (State::Escape, _) if is_letter_of_escape(byte) => Some(State::Text),
        (State::Escape, b'u') => Some(State::Hex(4)),
        (State::Hex(1), _) if byte.is_ascii_hexdigit() => Some(State::Text),
        (State::Hex(missing), _) if byte.is_ascii_hexdigit() => Some(State::Hex(missing - 1)),
        _ => None,
    }
}

#[inline(always)]
fn is_letter_of_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')
}

/// Where a string that is plain ASCII and ends within a few words ends, its quote included.
#[inline(always)]
pub(super) fn short(chunk: &[u8], from: usize) -> Option<usize> {
    let at = first_notable(chunk, from);
    (chunk.get(at) == Some(&b'"')).then_some(at + 1)
}

/// Text up to and including the closing quote, or the backslash of an escape that needs a closer
/// look; that byte is returned.
#[inline]
fn text(utf8: &mut Utf8, chunk: &[u8], at: &mut usize) -> Result<Option<u8>, Fault> {
    if utf8.is_open() {
        return bulk(utf8, chunk, at);
    }
    loop {
        *at = first_notable(chunk, *at);
        match (chunk.get(*at), chunk.get(*at + 1)) {
            (Some(b'\\'), Some(&letter)) if is_letter_of_escape(letter) => *at += 2,
            (Some(&stop @ (b'"' | b'\\')), _) => {
                *at += 1;
                return Ok(Some(stop));
            }
            _ => return bulk(utf8, chunk, at),
        }
    }
}

/// The first byte that needs attention, or one that is not far behind `from`.
#[inline(always)]
fn first_notable(chunk: &[u8], from: usize) -> usize {
    let mut at = from;
    for _ in 0..SHORT {
        let Some(word) = chunk.get(at..).and_then(<[u8]>::first_chunk) else { break };
        let notable = notable(u64::from_le_bytes(*word));
        if notable != 0 {
            return at + (notable.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at
}

/// The high bit of the first byte that is a quote, a backslash, a control character or not ASCII.
/// Bits above it mean nothing.
#[inline(always)]
fn notable(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    // In a byte below 128, subtracting sets the high bit exactly when it borrows; a borrow
    // disturbs higher bytes only.
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (word | control | quote | backslash) & (ONES * 0x80)
}

/// The same as [`text`], for long stretches and characters outside ASCII.
#[inline(never)]
fn bulk(utf8: &mut Utf8, chunk: &[u8], at: &mut usize) -> Result<Option<u8>, Fault> {
    while *at < chunk.len() {
        let block = &chunk[*at..chunk.len().min(*at + BLOCK)];
        let stop = memchr2(b'"', b'\\', block);
        check(utf8, &block[..stop.unwrap_or(block.len())], at)?;
        if let Some(stop) = stop {
            if utf8.is_open() {
                return Err(Fault::Utf8);
            }
            *at += 1;
            return Ok(Some(block[stop]));
        }
    }
    Ok(None)
}

/// Checks a stretch without quotes and backslashes, and moves `at` past it.
fn check(utf8: &mut Utf8, stretch: &[u8], at: &mut usize) -> Result<(), Fault> {
    let (mut lowest, mut bits) = (u8::MAX, 0);
    for &byte in stretch {
        lowest = lowest.min(byte);
        bits |= byte;
    }
    let control = (lowest < 0x20).then(|| stretch.iter().position(|&byte| byte < 0x20)).flatten();
    let text = &stretch[..control.unwrap_or(stretch.len())];
    if (bits >= 0x80 || utf8.is_open())
        && let Err(bad) = utf8.take(text)
    {
        *at += bad;
        return Err(Fault::Utf8);
    }
    *at += text.len();
    if control.is_some() { Err(Fault::Control) } else { Ok(()) }
}
