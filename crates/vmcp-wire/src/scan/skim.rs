//! The common case, fast: runs of short plain tokens that lie in one chunk.
//!
//! Most of a structured message is that, and most of the cost of a state machine is going through
//! its state for every token. So below the marks this loop runs ahead as long as everything is
//! plain, and stops *before* whatever is not: an escape, an exponent, a long text, the end of the
//! chunk, a fault. It decides nothing that the states do not decide too, and finds no faults: what
//! it does not like, it leaves to them. Without it the scanner would accept the same, slower.

use super::number;
use super::stack::Stack;
use super::string;

/// Between which tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Key,
    FirstKey,
    Colon,
    Value,
    FirstElement,
    AfterValue,
}

/// Moves `at` ahead, and tells between which tokens it is then. Stays below the marks.
pub(super) fn skim(
    mut place: Place,
    stack: &mut Stack,
    max_depth: usize,
    chunk: &[u8],
    at: &mut usize,
) -> Place {
    let mut here = *at;
    // One turn is one member or element, as far as it goes: key, colon, value, comma.
    while let Some(byte) = token(chunk, &mut here) {
        if matches!(place, Place::Key | Place::FirstKey) {
            if byte != b'"' {
                break;
            }
            let Some(end) = string::short(chunk, here + 1) else { break };
            here = end;
            place = Place::Colon;
            if chunk.get(here) == Some(&b':') {
                here += 1;
                place = Place::Value;
            }
            continue;
        }
        if matches!(place, Place::Value | Place::FirstElement) {
            if matches!(byte, b'{' | b'[') && stack.depth() < max_depth {
                stack.push(byte == b'{');
                here += 1;
                place = if byte == b'{' { Place::FirstKey } else { Place::FirstElement };
                continue;
            }
            let Some(end) = scalar(byte, chunk, here) else { break };
            here = end;
            place = Place::AfterValue;
            if chunk.get(here) == Some(&b',') {
                here += 1;
                place = after_comma(stack);
            }
            continue;
        }
        place = match (place, byte) {
            (Place::Colon, b':') => Place::Value,
            (Place::AfterValue, b',') => after_comma(stack),
            (Place::AfterValue, b'}' | b']')
                if stack.depth() > 2 && stack.in_object() == (byte == b'}') =>
            {
                stack.pop();
                Place::AfterValue
            }
            _ => break,
        };
        here += 1;
    }
    *at = here;
    place
}

/// The next byte that is no whitespace.
#[inline(always)]
fn token(chunk: &[u8], at: &mut usize) -> Option<u8> {
    while let Some(&byte) = chunk.get(*at) {
        if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            return Some(byte);
        }
        *at += 1;
    }
    None
}

#[inline(always)]
fn after_comma(stack: &Stack) -> Place {
    if stack.in_object() { Place::Key } else { Place::Value }
}

/// Where a string, number or literal ends.
#[inline(always)]
fn scalar(first: u8, chunk: &[u8], at: usize) -> Option<usize> {
    match first {
        b'"' => string::short(chunk, at + 1),
        b't' => word(chunk, at, b"true"),
        b'n' => word(chunk, at, b"null"),
        b'f' => word(chunk, at + 1, b"alse"),
        _ => number::short(chunk, at),
    }
}

#[inline(always)]
fn word(chunk: &[u8], at: usize, word: &[u8; 4]) -> Option<usize> {
    (chunk.get(at..)?.first_chunk() == Some(word)).then_some(at + 4)
}
