//! Heads whole and byte by byte.

use bytes::BytesMut;
use http::{HeaderValue, Request, StatusCode};

use super::{Answer, Target, answer, request};
use crate::NetError;

/// Reads a head that comes so many bytes at a time; gives what is left behind it.
fn read(input: &[u8], at_once: usize) -> Result<Option<(Answer, Vec<u8>)>, NetError> {
    let (mut read, mut seen) = (BytesMut::new(), 0);
    for more in input.chunks(at_once) {
        read.extend_from_slice(more);
        if let Some(answer) = answer(&mut read, &mut seen)? {
            return Ok(Some((answer, read.to_vec())));
        }
    }
    Ok(None)
}

#[test]
fn a_head_is_read_however_it_is_cut() {
    let head = b"HTTP/1.1 404 Not Found\r\nA: 1\r\na:  two \r\nb:\r\n\r\n";
    let input = [&head[..], b"body"].concat();
    for at_once in 1..=input.len() {
        let (answer, left) = read(&input, at_once).unwrap().unwrap();
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        let values: Vec<_> = answer.headers.get_all("a").iter().collect();
        assert_eq!(values, ["1", "two"]);
        assert_eq!(answer.headers["b"], "");
        assert!(b"body".starts_with(&left[..]));
    }
}

#[test]
fn what_is_no_head_is_an_error_and_half_a_head_is_waited_for() {
    for bad in [
        "\0\0\0",
        "GET / HTTP/1.1\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\na : 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: 1\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\na\0: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ] {
        for at_once in [1, 5, bad.len()] {
            assert!(read(bad.as_bytes(), at_once).is_err(), "{bad:?} {at_once}");
        }
    }
    assert!(read(b"HTTP/1.1 200 OK\r\na: 1\r\n", 7).unwrap().is_none());
}

#[test]
fn heads_are_bounded_in_bytes_and_lines() {
    let line = |count| "a: 1\r\n".repeat(count);
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into_bytes();
    assert!(read(&head(&line(100)), 64).unwrap().is_some());
    assert_eq!(read(&head(&line(101)), 64).unwrap_err(), NetError::HeaderTooLarge);
    let long = format!("a: {}\r\n", "x".repeat(super::MAX_HEADER_BYTES));
    for at_once in [64, usize::MAX] {
        assert_eq!(read(&head(&long), at_once).unwrap_err(), NetError::HeaderTooLarge);
    }
}

#[test]
fn a_response_before_the_response_is_passed_over_and_a_change_of_protocol_is_not() {
    let status = |line: &[u8]| read(line, 64).unwrap().unwrap().0.is_interim();
    assert_eq!(status(b"HTTP/1.1 103 Early Hints\r\n\r\n"), Ok(true));
    assert_eq!(status(b"HTTP/1.1 200 OK\r\n\r\n"), Ok(false));
    assert!(status(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").is_err());
}

#[test]
fn the_length_of_what_is_sent_is_ours_to_say() {
    let made = Request::post("http://a.test/mcp?x=1")
        .header("content-length", "9")
        .header("transfer-encoding", "chunked")
        .header("x-key", "v");
    let (parts, ()) = made.body(()).unwrap().into_parts();
    let host = HeaderValue::from_static("a.test");
    let head = request(&parts, Target::Path("/mcp?x=1"), &host, 3);
    let wanted = "POST /mcp?x=1 HTTP/1.1\r\nhost: a.test\r\nx-key: v\r\ncontent-length: 3\r\n\r\n";
    assert_eq!(head, wanted);
    for (path, wanted) in [("", "GET / "), ("?x", "GET /?x "), ("/", "GET / "), ("*", "GET * ")] {
        let (parts, ()) = Request::get("http://a.test/").body(()).unwrap().into_parts();
        let head = request(&parts, Target::Path(path), &host, 0);
        assert!(head.starts_with(wanted.as_bytes()), "{head:?}");
    }
    let (parts, ()) =
        Request::get("http://a.test/").header("host", "b.test").body(()).unwrap().into_parts();
    let head = request(&parts, Target::Whole(&parts.uri), &host, 0);
    assert_eq!(head, "GET http://a.test/ HTTP/1.1\r\nhost: b.test\r\n\r\n");
}
