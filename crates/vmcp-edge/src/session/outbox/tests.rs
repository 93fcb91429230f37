//! The outbox without a connection: what a reader gets, and what is left for the next one.

use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use vmcp_wire::RawId;

use super::{Broken, EventId, Item, Outbox, Refusal, Rules, Seat};

fn outbox(change: impl FnOnce(&mut Rules)) -> Outbox {
    let mut rules = Rules {
        max_streams: 2,
        max_queue: 4,
        replay_bytes: 16 << 10,
        replay_keep: Duration::from_secs(60),
        prime: None,
    };
    change(&mut rules);
    Outbox::new(rules)
}

fn notice(text: &str) -> Item {
    Item::Notice(Bytes::copy_from_slice(text.as_bytes()))
}

fn response(text: &str) -> Item {
    Item::Response(RawId::number(9), Bytes::copy_from_slice(text.as_bytes()))
}

/// Everything there is to read now, as `id=data` by event, and how it stops.
fn read(outbox: &Outbox, seat: Seat) -> (Vec<String>, &'static str) {
    let mut text = String::new();
    let end = loop {
        match outbox.poll_next(seat, None) {
            Poll::Ready(Some(Ok(bytes))) => text.push_str(&String::from_utf8_lossy(&bytes)),
            Poll::Ready(Some(Err(Broken))) => break "broken",
            Poll::Ready(None) => break "ended",
            Poll::Pending => break "open",
        }
    };
    let field = |event: &str, name: &str| {
        let line = event.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
        line.unwrap_or_default().to_owned()
    };
    let events = text.split("\n\n").filter(|event| !event.is_empty());
    let events = events.map(|event| format!("{}={}", field(event, "id:"), field(event, "data:")));
    (events.collect(), end)
}

fn check(outbox: &Outbox, seat: Seat, expected: &[&str], end: &str) {
    let (events, actual) = read(outbox, seat);
    assert_eq!((events, actual), (expected.iter().map(|&text| text.to_owned()).collect(), end));
}

fn id(text: &str) -> EventId {
    EventId::parse(text).unwrap_or(EventId { kind: super::Kind::Call, stream: 0, seq: 0 })
}

fn seat(result: Result<Seat, Refusal>) -> Seat {
    result.unwrap_or(Seat { stream: 0, reader: 0 })
}

#[test]
fn a_call_stream_is_read_in_order_and_resumed_from_any_event() {
    let outbox = outbox(|rules| rules.prime = Some(Duration::from_secs(1)));
    let reader = outbox.open_call();
    outbox.push(reader.stream, notice("a"));
    outbox.push(reader.stream, response("r"));
    outbox.end(reader.stream);
    check(&outbox, reader, &["c1.0=", "c1.1=a", "c1.2=r"], "ended");
    outbox.leave(reader);

    let again = seat(outbox.resume(id("c1.0")));
    check(&outbox, again, &["c1.1=a", "c1.2=r"], "ended");
    let again = seat(outbox.resume(id("c1.1")));
    check(&outbox, again, &["c1.2=r"], "ended");
    let again = seat(outbox.resume(id("c1.2")));
    check(&outbox, again, &[], "ended");
}

#[test]
fn a_newer_reader_takes_over() {
    let outbox = outbox(|_| {});
    let old = outbox.open_call();
    outbox.push(old.stream, notice("a"));
    check(&outbox, old, &["c1.0=a"], "open");
    let new = seat(outbox.resume(id("c1.0")));
    outbox.push(old.stream, notice("b"));
    check(&outbox, old, &[], "ended");
    check(&outbox, new, &["c1.1=b"], "open");
    // The old one leaving does not disturb the new one.
    outbox.leave(old);
    outbox.push(old.stream, response("r"));
    outbox.end(old.stream);
    check(&outbox, new, &["c1.2=r"], "ended");
}

#[test]
fn ids_of_other_streams_and_kinds_and_of_the_future_are_refused() {
    let outbox = outbox(|_| {});
    let reader = outbox.open_call();
    outbox.push(reader.stream, notice("a"));
    for bad in ["c1.1", "c2.0", "g1.0", "g2.0"] {
        assert_eq!(outbox.resume(id(bad)), Err(Refusal::Gone), "{bad}");
    }
    for bad in ["", "c", "1.0", "c1", "c1.", "c-1.0", "c+1.0", "c1.99999999999999999999", "x1.0"] {
        assert_eq!(EventId::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_stream_with_one_event_and_no_id_before_it_keeps_nothing() {
    let outbox = outbox(|_| {});
    let reader = outbox.open_call();
    outbox.push(reader.stream, response("r"));
    outbox.end(reader.stream);
    check(&outbox, reader, &["c1.0=r"], "ended");
    outbox.leave(reader);
    assert!(outbox.state.lock().streams.is_empty());
    assert_eq!(outbox.state.lock().held, 0);
}

#[test]
fn each_message_outside_calls_goes_to_one_stream_the_newest() {
    let outbox = outbox(|_| {});
    outbox.outside(notice("before"));
    let first = seat(outbox.open_standalone());
    check(&outbox, first, &["g1.0=before"], "open");
    let second = seat(outbox.open_standalone());
    assert_eq!(outbox.open_standalone(), Err(Refusal::Full));
    outbox.outside(notice("both open"));
    check(&outbox, first, &[], "open");
    check(&outbox, second, &["g2.0=both open"], "open");
    outbox.leave(second);
    outbox.outside(notice("one open"));
    check(&outbox, first, &["g1.1=one open"], "open");
}

#[test]
fn what_a_stream_did_not_deliver_goes_to_the_next_one() {
    let outbox = outbox(|rules| rules.prime = Some(Duration::from_secs(1)));
    let first = seat(outbox.open_standalone());
    outbox.outside(notice("taken"));
    check(&outbox, first, &["g1.0=", "g1.1=taken"], "open");
    outbox.outside(notice("not taken"));
    outbox.leave(first);
    outbox.outside(notice("later"));
    // A resumed stream gives what it delivered after the id, then what waited.
    let again = seat(outbox.resume(id("g1.0")));
    check(&outbox, again, &["g1.1=taken", "g1.3=not taken", "g1.4=later"], "open");
    outbox.leave(again);
    // One that is forgotten is replaced.
    outbox.sweep(Instant::now() + Duration::from_secs(61));
    outbox.outside(notice("much later"));
    let fresh = seat(outbox.resume(id("g1.4")));
    check(&outbox, fresh, &["g2.0=", "g2.1=much later"], "open");
}

#[test]
fn too_many_notifications_lose_the_oldest_and_never_a_request_or_response() {
    let outbox = outbox(|rules| rules.max_queue = 2);
    outbox.outside(Item::Firm(Bytes::from_static(b"ask")));
    for text in ["1", "2", "3"] {
        outbox.outside(notice(text));
    }
    let reader = seat(outbox.open_standalone());
    check(&outbox, reader, &["g1.0=ask", "g1.1=3"], "open");

    let call = outbox.open_call();
    outbox.push(call.stream, notice("seen"));
    check(&outbox, call, &["c2.0=seen"], "open");
    outbox.leave(call);
    for text in ["1", "2", "3"] {
        outbox.push(call.stream, notice(text));
    }
    outbox.push(call.stream, response("r"));
    outbox.end(call.stream);
    let again = seat(outbox.resume(id("c2.0")));
    check(&outbox, again, &["c2.3=3", "c2.4=r"], "ended");
}

#[test]
fn a_response_that_was_forgotten_is_answered_by_an_error() {
    let outbox = outbox(|rules| rules.replay_bytes = 300);
    let call = outbox.open_call();
    outbox.push(call.stream, notice("a"));
    outbox.push(call.stream, response(&"r".repeat(200)));
    outbox.end(call.stream);
    check(&outbox, call, &["c1.0=a", &format!("c1.1={}", "r".repeat(200))], "ended");
    outbox.leave(call);
    let next = outbox.open_call();
    outbox.push(next.stream, notice(&"n".repeat(200)));
    let again = seat(outbox.resume(id("c1.0")));
    let (events, end) = read(&outbox, again);
    assert_eq!((events.len(), end), (1, "ended"));
    assert!(events[0].contains(r#""id":9,"error""#), "{events:?}");
}

#[test]
fn a_long_response_passes_once_and_is_not_kept() {
    let outbox = outbox(|rules| rules.prime = Some(Duration::from_secs(1)));
    let call = outbox.open_call();
    let part = || Item::Part(Bytes::from_static(b"part"));
    assert!(outbox.push_part(call.stream, Item::Begin(RawId::number(9))));
    assert!(outbox.push_part(call.stream, part()));
    check(&outbox, call, &["c1.0=", "c1.1=part"], "open");
    assert!(outbox.push_part(call.stream, part()));
    outbox.leave(call);
    // The writer learns that nobody reads, and goes on to the end.
    assert!(!outbox.push_part(call.stream, part()));
    outbox.end(call.stream);
    let again = seat(outbox.resume(id("c1.0")));
    let (events, end) = read(&outbox, again);
    assert_eq!((events.len(), end), (1, "ended"));
    assert!(events[0].contains(r#""reason":"not_kept""#), "{events:?}");
}

#[test]
fn a_stream_that_breaks_inside_an_event_does_not_end_properly() {
    let outbox = outbox(|_| {});
    let call = outbox.open_call();
    outbox.push_part(call.stream, Item::Begin(RawId::number(9)));
    outbox.break_off(call.stream);
    assert_eq!(read(&outbox, call).1, "broken");
}

#[test]
fn a_writer_waits_for_a_reader_that_is_slow_but_not_for_one_that_is_gone() {
    let outbox = outbox(|_| {});
    let call = outbox.open_call();
    let waker = std::task::Waker::noop();
    let mut cx = std::task::Context::from_waker(waker);
    outbox.push(call.stream, notice(&"n".repeat(70 << 10)));
    assert!(outbox.poll_room(call.stream, &mut cx).is_pending());
    assert_eq!(read(&outbox, call).1, "open");
    assert!(outbox.poll_room(call.stream, &mut cx).is_ready());
    outbox.push(call.stream, notice(&"n".repeat(70 << 10)));
    outbox.leave(call);
    assert!(outbox.poll_room(call.stream, &mut cx).is_ready());
}

#[test]
fn nothing_grows_with_the_number_of_calls() {
    let outbox = outbox(|rules| rules.prime = Some(Duration::from_secs(1)));
    for _ in 0..1000 {
        let call = outbox.open_call();
        outbox.push(call.stream, response("r"));
        outbox.end(call.stream);
        assert_eq!(read(&outbox, call).1, "ended");
        outbox.leave(call);
    }
    {
        let state = outbox.state.lock();
        assert_eq!(state.streams.len(), super::MAX_KEPT_STREAMS);
        assert_eq!(state.held, state.streams.iter().map(super::Stream::held).sum::<usize>());
    }
    outbox.sweep(Instant::now() + Duration::from_secs(61));
    let state = outbox.state.lock();
    assert_eq!((state.streams.capacity(), state.held), (0, 0));
}

#[test]
fn a_closed_outbox_ends_all_readers_and_takes_nothing_more() {
    let outbox = outbox(|_| {});
    let (call, get) = (outbox.open_call(), seat(outbox.open_standalone()));
    outbox.close();
    outbox.outside(notice("a"));
    outbox.push(call.stream, notice("b"));
    check(&outbox, call, &[], "ended");
    check(&outbox, get, &[], "ended");
    let late = seat(outbox.open_standalone());
    check(&outbox, late, &[], "ended");
}
