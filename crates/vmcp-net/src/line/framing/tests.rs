//! Bodies whole and byte by byte, and what must not pass for one.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use super::{Framing, Step, of};
use crate::line::head::Answer;

fn answer(version: Version, status: u16, lines: &[(&'static str, &'static str)]) -> Answer {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Answer { status: StatusCode::from_u16(status).unwrap(), version, headers }
}

/// Reads a body of which `input` is all that comes, so many bytes at a time; gives what is left behind it.
fn body(mut framing: Framing, input: &[u8], at_once: usize) -> Result<(Vec<u8>, Vec<u8>), String> {
    let (mut read, mut whole) = (BytesMut::new(), Vec::new());
    let mut rest = input.chunks(at_once);
    loop {
        match framing.step(&mut read)? {
            Step::Data(data) => {
                whole.extend_from_slice(&data);
                framing.look_ahead(&mut read);
            }
            Step::End => {
                return Ok((whole, [&read[..], &rest.collect::<Vec<_>>().concat()].concat()));
            }
            Step::More => match rest.next() {
                Some(more) => read.extend_from_slice(more),
                None => framing.close()?,
            },
        }
    }
}

fn chunked(input: &[u8], at_once: usize) -> Result<(Vec<u8>, Vec<u8>), String> {
    let answer = answer(Version::HTTP_11, 200, &[("transfer-encoding", "chunked")]);
    body(of(&Method::POST, &answer).unwrap().0, input, at_once)
}

#[test]
fn chunks_are_read_however_they_are_cut() {
    let input = b"5\r\nhello\r\n1 ;a=\"b\"\r\n,\r\n0006\r\n world\r\n0\r\nx: y\r\n\r\nHTTP/1.1";
    for at_once in 1..=input.len() {
        let (whole, left) = chunked(input, at_once).unwrap();
        assert_eq!(whole, b"hello, world", "{at_once}");
        assert_eq!(left, b"HTTP/1.1", "{at_once}");
    }
}

#[test]
fn what_is_no_chunk_is_an_error_however_it_is_cut() {
    let long = format!("1;{}\r\na\r\n", "x".repeat(20_000));
    let many = format!("{}0\r\n\r\n", "1;0123456789\r\na\r\n".repeat(2_000));
    let trailers = format!("0\r\n{}\r\n", "a: 0123456789\r\n".repeat(2_000));
    for bad in [
        "5\r\nhello",
        "5\r\nhello\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\r\nhello\r\n0\r\n\r\n",
        "\r\n",
        ";a\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-1\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "g\r\n",
        "10000000000000000\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "0\r\n",
        "0\r\nx: y\n\r\n",
        &long,
        &many,
        &trailers,
    ] {
        for at_once in [1, 2, 3, 7, bad.len().max(1)] {
            assert!(chunked(bad.as_bytes(), at_once).is_err(), "{bad:.40} {at_once}");
        }
    }
}

#[test]
fn an_error_that_was_seen_ahead_is_told_next() {
    let answer = answer(Version::HTTP_11, 200, &[("transfer-encoding", "chunked")]);
    let mut framing = of(&Method::POST, &answer).unwrap().0;
    let mut input = BytesMut::from("1\r\na\r\nno\r\n0\r\n\r\n");
    assert_eq!(framing.step(&mut input), Ok(Step::Data(Bytes::from_static(b"a"))));
    framing.look_ahead(&mut input);
    assert!(framing.step(&mut input).is_err());
    assert!(framing.step(&mut input).is_err());
    assert!(!framing.is_done());
}

#[test]
fn a_length_is_exactly_that() {
    let length = |input| body(Framing::Length(5), input, 2);
    assert_eq!(length(b"hello").unwrap(), (b"hello".to_vec(), Vec::new()));
    assert_eq!(length(b"hello, world").unwrap().0, b"hello");
    assert!(length(b"hell").is_err());
    assert_eq!(body(Framing::Close, b"hello", 2).unwrap().0, b"hello");
}

#[test]
fn a_header_says_how_a_body_ends() {
    let check = |version, method: Method, status, lines: &[_], wanted: Option<(&str, bool)>| {
        let framed = of(&method, &answer(version, status, lines)).ok().map(|(framing, lasts)| {
            let kind = match framing {
                Framing::Length(length) => length.to_string(),
                Framing::Chunked(_) => "chunked".to_owned(),
                Framing::Close => "close".to_owned(),
                Framing::Broken(why) => why,
            };
            (kind, lasts)
        });
        let wanted = wanted.map(|(kind, lasts)| (kind.to_owned(), lasts));
        assert_eq!(framed, wanted, "{version:?} {method} {status} {lines:?}");
    };
    let (new, old) = (Version::HTTP_11, Version::HTTP_10);
    let (length, coding, connection) = ("content-length", "transfer-encoding", "connection");
    check(new, Method::POST, 200, &[(length, "5")], Some(("5", true)));
    check(new, Method::POST, 200, &[(length, "5"), (length, "5")], Some(("5", true)));
    check(new, Method::POST, 200, &[(length, "5, 5")], Some(("5", true)));
    check(new, Method::POST, 200, &[(length, "5"), (length, "6")], None);
    for bad in ["", "+5", "-5", "5 5", "0x5", "5,", "18446744073709551616"] {
        check(new, Method::POST, 200, &[(length, bad)], None);
    }
    check(new, Method::POST, 200, &[], Some(("close", false)));
    check(new, Method::HEAD, 200, &[(length, "5")], Some(("0", true)));
    check(new, Method::POST, 204, &[(length, "5")], Some(("0", true)));
    check(new, Method::GET, 304, &[(coding, "chunked")], Some(("0", true)));
    check(new, Method::POST, 200, &[(coding, "Chunked")], Some(("chunked", true)));
    check(new, Method::POST, 200, &[(coding, "gzip, chunked")], Some(("chunked", true)));
    check(
        new,
        Method::POST,
        200,
        &[(coding, "gzip"), (coding, "chunked")],
        Some(("chunked", true)),
    );
    check(new, Method::POST, 200, &[(coding, "chunked"), (length, "5")], Some(("chunked", false)));
    check(new, Method::POST, 200, &[(coding, "chunked, gzip")], Some(("close", false)));
    check(new, Method::POST, 200, &[(coding, "xchunked")], Some(("close", false)));
    check(old, Method::POST, 200, &[(coding, "chunked")], None);
    check(new, Method::POST, 200, &[(length, "5"), (connection, "x, Close")], Some(("5", false)));
    check(old, Method::POST, 200, &[(length, "5")], Some(("5", false)));
    check(old, Method::POST, 200, &[(length, "5"), (connection, "keep-alive")], Some(("5", true)));
}
