//! What becomes of questions that the revision of a client cannot say.

use vmcp_wire::revision::Revision;
use vmcp_wire::{Limits, Message, RawId, rpc};

use super::{Asked, asked};

const SAMPLE: &str = "sampling/createMessage";
const ELICIT: &str = "elicitation/create";

fn ask(revision: Revision, method: &str, params: &str) -> Asked {
    let request = rpc::request(&RawId::number(1), method, Some(params.as_bytes()));
    asked(revision, &Message::parse(request, &Limits::default()).unwrap())
}

/// Under which revisions a request is refused, oldest first.
fn refused(method: &str, params: &str) -> [bool; 4] {
    Revision::HANDSHAKES.map(|revision| matches!(ask(revision, method, params), Asked::Refused(_)))
}

#[test]
fn what_the_clients_model_cannot_read_is_refused() {
    let message =
        |content: &str| format!(r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#);
    let table = [
        (message(r#"{"type":"text","text":"audio"}"#), [false; 4]),
        (message(r#"{"type":"audio","data":"","mimeType":"a/b"}"#), [true, false, false, false]),
        (message(r#"[{"type":"text","text":"x"}]"#), [true, true, true, false]),
        (
            message(r#"{"type":"tool_use","id":"1","name":"n","input":{}}"#),
            [true, true, true, false],
        ),
        (message(r#"{"type":"tool_result","content":[]}"#), [true, true, true, false]),
        (r#"{"messages":[],"tools":[]}"#.to_owned(), [true, true, true, false]),
        (r#"{"messages":[],"toolChoice":{"mode":"none"}}"#.to_owned(), [true, true, true, false]),
        (r#"{"messages":[],"tools":null}"#.to_owned(), [false; 4]),
        (r#"{"messages":3}"#.to_owned(), [false; 4]),
    ];
    for (params, expected) in table {
        assert_eq!(refused(SAMPLE, &params), expected, "{params}");
    }
    assert_eq!(refused("vendor/ask", r#"{"messages":[],"tools":[]}"#), [false; 4]);
}

#[test]
fn titled_choices_are_written_in_the_old_way() {
    let params = r#"{"message":"?", "requestedSchema":{"type":"object","properties":{"a":{"type":"string","title":"A","oneOf":[{"const":"x\"","title":"X"}, {"const":"y"}],"default":"y"},"b":{"enum":["p"],"type":"string"},"c":{"anyOf":[{"title":"Z","const":"z"}],"n":1.0}}}}"#;
    let instead = r#"{"message":"?", "requestedSchema":{"type":"object","properties":{"a":{"type":"string","title":"A","default":"y","enum":["x\"","y"],"enumNames":["X","y"]},"b":{"enum":["p"],"type":"string"},"c":{"n":1.0,"enum":["z"],"enumNames":["Z"]}}}}"#;
    assert_eq!(ask(Revision::V2025_06_18, ELICIT, params), Asked::Instead(instead.into()));
    assert_eq!(ask(Revision::V2025_11_25, ELICIT, params), Asked::AsItCame);
}

#[test]
fn choices_that_the_old_way_does_not_have_are_refused() {
    let with = |field: &str| {
        format!(r#"{{"message":"?","requestedSchema":{{"properties":{{"f":{field}}}}}}}"#)
    };
    for field in [
        r#"{"type":"array","items":{"type":"string","enum":["a"]}}"#,
        r#"{"type":"array","items":{"anyOf":[{"const":"a","title":"A"}]}}"#,
        r#"{"oneOf":[{"const":1,"title":"A"}]}"#,
        r#"{"oneOf":[{"type":"string"}]}"#,
        r#"{"oneOf":7}"#,
    ] {
        assert_eq!(refused(ELICIT, &with(field)), [true, true, true, false], "{field}");
    }
    for field in [r#"{"type":"string","enum":["a"],"enumNames":["A"]}"#, r#"{"type":"boolean"}"#] {
        assert_eq!(ask(Revision::V2025_06_18, ELICIT, &with(field)), Asked::AsItCame);
    }
    assert_eq!(ask(Revision::V2025_06_18, ELICIT, r#"{"message":"?"}"#), Asked::AsItCame);
}
