//! Results of every shape, and that nothing of them is lost.

use bytes::Bytes;

use super::{ContentKind, PromptResult, ResourceBody, ResourceResult, Role, ToolResult};

fn tool(raw: &'static str) -> ToolResult {
    ToolResult::from_raw(raw).unwrap()
}

fn kinds(raw: &'static str) -> Vec<ContentKind> {
    tool(raw).content().into_iter().map(|item| item.kind).collect()
}

#[test]
fn every_kind_of_content_is_told_apart() {
    let raw = r#"{"content":[
        {"type":"text","text":"a\u0062"},
        {"type":"image","data":"AAEC","mimeType":"image/png"},
        {"type":"audio","data":"!","mimeType":"audio/wav"},
        {"type":"resource","resource":{"uri":"x:1","text":"t"}},
        {"type":"resource","resource":{"uri":"x:2","blob":"AA==","mimeType":"b/c"}},
        {"type":"resource_link","uri":"x:3","name":"n","mimeType":"d/e"}]}"#;
    let kinds = kinds(raw);
    assert_eq!(kinds[0], ContentKind::Text("ab".to_owned()));
    let ContentKind::Image(image) = &kinds[1] else { panic!("{kinds:?}") };
    assert_eq!(
        (image.decode(), image.mime_type.as_deref()),
        (Some(vec![0, 1, 2]), Some("image/png"))
    );
    let ContentKind::Audio(audio) = &kinds[2] else { panic!("{kinds:?}") };
    assert_eq!(audio.decode(), None);
    let ContentKind::Resource(text) = &kinds[3] else { panic!("{kinds:?}") };
    assert_eq!((text.uri.as_str(), &text.body), ("x:1", &ResourceBody::Text("t".to_owned())));
    let ContentKind::Resource(blob) = &kinds[4] else { panic!("{kinds:?}") };
    let ResourceBody::Blob(body) = &blob.body else { panic!("{blob:?}") };
    assert_eq!(body.decode(), Some(vec![0]));
    let ContentKind::ResourceLink(link) = &kinds[5] else { panic!("{kinds:?}") };
    assert_eq!((link.uri.as_str(), link.name.as_str()), ("x:3", "n"));
}

#[test]
fn unknown_kinds_and_members_keep_every_byte() {
    let raw = r#"{ "content" : [ {"type":"hologram","n":1.0e0,"_meta":{"k":[]},"text":"t"}, {"text":"no type"}, 7 ],"later":{"a":1.50}}"#;
    let result = tool(raw);
    let content = result.content();
    assert_eq!(content[0].kind, ContentKind::Other("hologram".to_owned()));
    assert_eq!(content[0].raw(), r#"{"type":"hologram","n":1.0e0,"_meta":{"k":[]},"text":"t"}"#);
    assert_eq!(content[0].get("n").unwrap(), "1.0e0");
    assert_eq!(content[0].meta().unwrap(), r#"{"k":[]}"#);
    assert_eq!(content[1].kind, ContentKind::Other(String::new()));
    assert_eq!(
        (content[2].raw(), &content[2].kind),
        (&Bytes::from("7"), &ContentKind::Other(String::new()))
    );
    assert_eq!(result.get("later").unwrap(), r#"{"a":1.50}"#);
    assert_eq!(result.raw(), raw);
}

#[test]
fn a_known_kind_without_what_it_needs_is_another() {
    for item in
        [r#"{"type":"text"}"#, r#"{"type":"image","mimeType":"i/p"}"#, r#"{"type":"resource"}"#]
    {
        let raw = format!(r#"{{"content":[{item}]}}"#);
        let kind = ToolResult::from_raw(raw).unwrap().content().remove(0).kind;
        assert!(matches!(kind, ContentKind::Other(name) if !name.is_empty()), "{item}");
    }
}

#[test]
fn structured_content_is_of_any_type_and_never_made_up() {
    for value in [r#"{"a":1.0}"#, "[1,2]", "\"s\"", "1e3", "true", "null"] {
        let raw = format!(r#"{{"content":[],"structuredContent": {value} }}"#);
        assert_eq!(ToolResult::from_raw(raw).unwrap().structured_content().unwrap(), value);
    }
    let text = tool(r#"{"content":[{"type":"text","text":"{\"a\":1}"}]}"#);
    assert_eq!(text.structured_content(), None);
    assert_eq!(text.text(), r#"{"a":1}"#);
}

#[test]
fn an_error_of_the_tool_is_a_result() {
    assert!(tool(r#"{"isError":true}"#).is_error());
    for raw in [r#"{}"#, r#"{"isError":false}"#, r#"{"isError":"true"}"#] {
        assert!(!tool(raw).is_error(), "{raw}");
    }
    assert_eq!(tool("{}").content(), []);
}

#[test]
fn text_and_bytes_of_a_resource_stay_apart() {
    let raw = r#"{"contents":[{"uri":"a","text":"x","mimeType":"t/p"},{"uri":"b","blob":"AA=="},
        {"uri":"c","text":"x","blob":"AA=="},{"uri":"d","v":1.0}],"_meta":{"m":1.0}}"#;
    let result = ResourceResult::from_raw(raw).unwrap();
    let contents = result.contents();
    assert_eq!(contents[0].body, ResourceBody::Text("x".to_owned()));
    assert_eq!(contents[0].mime_type.as_deref(), Some("t/p"));
    assert!(matches!(contents[1].body, ResourceBody::Blob(_)));
    assert_eq!(contents[2].body, ResourceBody::Other);
    assert_eq!(
        (contents[3].uri.as_str(), contents[3].get("v").unwrap()),
        ("d", Bytes::from("1.0"))
    );
    assert_eq!(result.meta().unwrap(), r#"{"m":1.0}"#);
}

#[test]
fn messages_of_a_prompt_keep_role_and_content() {
    let raw = r#"{"description":"d","messages":[
        {"role":"user","content":{"type":"text","text":"Hello!"},"x":1.0},
        {"role":"assistant","content":{"type":"image","data":"","mimeType":"i/p"}},
        {"role":"system","content":[]}, {}]}"#;
    let result = PromptResult::from_raw(raw).unwrap();
    let messages = result.messages();
    assert_eq!(result.description().as_deref(), Some("d"));
    assert_eq!((&messages[0].role, messages[0].content.as_text()), (&Role::User, Some("Hello!")));
    assert_eq!(messages[0].get("x").unwrap(), "1.0");
    assert!(matches!(
        (&messages[1].role, &messages[1].content.kind),
        (Role::Assistant, ContentKind::Image(_))
    ));
    assert_eq!(messages[2].role, Role::Other("system".to_owned()));
    assert_eq!(
        (messages[2].content.raw(), messages[3].content.raw()),
        (&Bytes::from("[]"), &Bytes::new())
    );
}

#[test]
fn what_is_no_object_is_no_result() {
    for raw in ["", "[]", "1", "{", "{}x"] {
        let error = ToolResult::from_raw(raw).unwrap_err();
        assert!(error.to_string().starts_with("a result must be a JSON object"), "{raw}");
    }
}
