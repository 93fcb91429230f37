//! What servers ask, and what they are answered.

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Builder};

use super::world::{Pair, worlds};
use crate::rig::tool;

/// How one question went.
#[derive(Debug)]
struct Went {
    /// What the client was asked.
    asked: Option<Value>,
    /// What the backend was told.
    told: Option<Value>,
    /// The response to the call.
    response: Value,
}

/// What a backend of each family sees of a refusal.
enum Refused {
    /// An error with this code, by a backend with sessions.
    Live(i64),
    /// This error ends the call, by one without.
    Ended(i64),
    /// The user did not answer, by one without.
    Cancelled,
}

fn asks(method: &'static str, params: Value) -> impl Fn(Builder) -> Builder {
    move |builder| builder.tool(tool("t"), Answer::text("done").ask(method, params.clone()))
}

/// Calls the tool that asks, and answers with `result`.
async fn ask(pair: &Pair<'_>, result: Value) -> Went {
    let before = pair.world.backend.replies().len();
    let mut reply = pair.session.request("tools/call", json!({"name": "t"})).await.unwrap();
    let (mut asked, mut response) = (None, Value::Null);
    while let Some(message) = reply.message().await.unwrap() {
        if message["method"].is_string() {
            pair.session.answer(&message, result.clone()).await.unwrap();
            asked = Some(message);
        } else {
            response = message;
            break;
        }
    }
    let told = pair.world.backend.replies().into_iter().skip(before).last();
    Went { asked, told, response }
}

impl Went {
    #[track_caller]
    fn was_asked(&self, params: &Value, told: &Value, pair: &Pair<'_>) {
        let asked = self.asked.as_ref().map(|asked| &asked["params"]);
        assert_eq!(asked, Some(params), "{}: {self:?}", pair.name());
        let result = self.told.as_ref().map(|told| &told["result"]);
        assert_eq!(result, Some(told), "{}: {self:?}", pair.name());
        assert_eq!(self.response["result"]["content"][0]["text"], "done", "{}", pair.name());
    }

    #[track_caller]
    fn was_refused(&self, how: &Refused, pair: &Pair<'_>) {
        assert!(self.asked.is_none(), "{}: {self:?}", pair.name());
        let told = self.told.clone().unwrap_or_default();
        match how {
            Refused::Live(code) => {
                assert_eq!(told["error"]["code"], *code, "{}: {self:?}", pair.name());
                assert_eq!(self.response["result"]["content"][0]["text"], "done");
            }
            Refused::Ended(code) => {
                assert_eq!(self.response["error"]["code"], *code, "{}: {self:?}", pair.name());
            }
            Refused::Cancelled => {
                assert_eq!(told["result"]["action"], "cancel", "{}: {self:?}", pair.name());
            }
        }
    }
}

fn accepted() -> Value {
    json!({"action": "accept", "content": {"a": "x"}})
}

#[tokio::test]
async fn a_form_below_2025_06_18_is_refused() {
    let params = json!({"message": "?", "requestedSchema": {"type": "object", "properties": {}}});
    for world in worlds(asks("elicitation/create", params.clone())).await {
        for pair in world.pairs().await {
            let went = ask(&pair, accepted()).await;
            match (pair.knows("2025-06-18"), world.is_stateless()) {
                (true, _) => went.was_asked(&params, &accepted(), &pair),
                (false, false) => went.was_refused(&Refused::Live(-32601), &pair),
                (false, true) => went.was_refused(&Refused::Ended(-32021), &pair),
            }
        }
    }
}

#[tokio::test]
async fn a_url_below_2025_11_25_is_refused() {
    let params = json!({"mode": "url", "url": "https://example.org", "message": "?",
        "elicitationId": "e"});
    for world in worlds(asks("elicitation/create", params.clone())).await {
        for pair in world.pairs().await {
            let went = ask(&pair, accepted()).await;
            match (pair.client, world.is_stateless()) {
                ("2025-11-25", _) => went.was_asked(&params, &accepted(), &pair),
                (_, true) => went.was_refused(&Refused::Ended(-32021), &pair),
                ("2025-06-18", false) => went.was_refused(&Refused::Live(-32602), &pair),
                (_, false) => went.was_refused(&Refused::Live(-32601), &pair),
            }
        }
    }
}

#[tokio::test]
async fn an_error_that_wants_a_url_below_2025_11_25_is_an_error_with_its_message() {
    let error = r#"{"code":-32042,"message":"log in","data":{"elicitations":[{"mode":"url","elicitationId":"e","url":"u","message":"m"}]}}"#;
    let build = |builder: Builder| builder.tool(tool("t"), Answer::error_object(error));
    for world in worlds(build).await.into_iter().filter(|world| !world.is_stateless()) {
        for pair in world.pairs().await {
            let text = pair.text("t").await;
            assert!(text.contains(error), "{}: {text}", pair.name());
        }
    }
}

#[tokio::test]
async fn titled_choices_below_2025_11_25_are_enum_and_enum_names() {
    let form = |field: Value| json!({"message": "?", "requestedSchema": {"type": "object", "properties": {"a": field}}});
    let new = form(json!({"type": "string",
        "oneOf": [{"const": "x", "title": "X"}, {"const": "y", "title": "Y"}]}));
    let old = form(json!({"type": "string", "enum": ["x", "y"], "enumNames": ["X", "Y"]}));
    for world in worlds(asks("elicitation/create", new.clone())).await {
        for pair in world.pairs().await.into_iter().filter(|pair| pair.knows("2025-06-18")) {
            let went = ask(&pair, accepted()).await;
            let params = if pair.knows("2025-11-25") { &new } else { &old };
            went.was_asked(params, &accepted(), &pair);
        }
    }
}

#[tokio::test]
async fn several_answers_below_2025_11_25_are_refused() {
    let field = json!({"type": "array", "items": {"type": "string", "enum": ["x", "y"]}});
    let params =
        json!({"message": "?", "requestedSchema": {"type": "object", "properties": {"a": field}}});
    let several = json!({"action": "accept", "content": {"a": ["x", "y"]}});
    for world in worlds(asks("elicitation/create", params.clone())).await {
        for pair in world.pairs().await.into_iter().filter(|pair| pair.knows("2025-06-18")) {
            let went = ask(&pair, several.clone()).await;
            match (pair.knows("2025-11-25"), world.is_stateless()) {
                (true, _) => went.was_asked(&params, &several, &pair),
                (false, false) => went.was_refused(&Refused::Live(-32602), &pair),
                (false, true) => went.was_refused(&Refused::Cancelled, &pair),
            }
        }
    }
}

/// A model's answer that every revision has.
fn sampled() -> Value {
    json!({"role": "assistant", "content": {"type": "text", "text": "s"}, "model": "m"})
}

fn sample(content: &Value) -> Value {
    json!({"messages": [{"role": "user", "content": content}], "maxTokens": 1})
}

#[tokio::test]
async fn tools_and_lists_of_content_in_sampling_below_2025_11_25_are_refused() {
    let text = json!({"type": "text", "text": "x"});
    let tools = json!([{"name": "n", "inputSchema": {"type": "object"}}]);
    let mut with_tools = sample(&text);
    with_tools["tools"] = tools;
    let mut with_choice = sample(&text);
    with_choice["toolChoice"] = json!({"mode": "none"});
    // Without sessions, tools are refused before anybody is asked; what only the client's revision lacks ends the call.
    let table = [(with_tools, 1005), (with_choice, 1005), (sample(&json!([text])), -32602)];
    for (params, ended) in table {
        for world in worlds(asks("sampling/createMessage", params.clone())).await {
            for pair in world.pairs().await {
                let went = ask(&pair, sampled()).await;
                match (pair.knows("2025-11-25"), world.is_stateless()) {
                    (true, _) => went.was_asked(&params, &sampled(), &pair),
                    (false, false) => went.was_refused(&Refused::Live(-32602), &pair),
                    (false, true) => went.was_refused(&Refused::Ended(ended), &pair),
                }
            }
        }
    }
}

#[tokio::test]
async fn audio_in_sampling_below_2025_03_26_is_refused() {
    let params = sample(&json!({"type": "audio", "data": "UklGRg==", "mimeType": "audio/wav"}));
    for world in worlds(asks("sampling/createMessage", params.clone())).await {
        for pair in world.pairs().await {
            let went = ask(&pair, sampled()).await;
            match (pair.knows("2025-03-26"), world.is_stateless()) {
                (true, _) => went.was_asked(&params, &sampled(), &pair),
                (false, false) => went.was_refused(&Refused::Live(-32602), &pair),
                (false, true) => went.was_refused(&Refused::Ended(-32602), &pair),
            }
        }
    }
}

#[tokio::test]
async fn a_plain_question_is_asked_under_every_revision() {
    for (method, params, result) in [
        ("roots/list", json!({}), json!({"roots": [{"uri": "file:///r", "name": "r"}]})),
        ("sampling/createMessage", sample(&json!({"type": "text", "text": "audio"})), sampled()),
    ] {
        for world in worlds(asks(method, params.clone())).await {
            for pair in world.pairs().await {
                ask(&pair, result.clone()).await.was_asked(&params, &result, &pair);
            }
        }
    }
}

#[tokio::test]
async fn who_declared_nothing_is_asked_nothing() {
    for method in ["elicitation/create", "sampling/createMessage", "roots/list"] {
        for world in worlds(asks(method, json!({"message": "?", "messages": []}))).await {
            for client in super::world::CLIENTS {
                let session = world.rig.session(client).await;
                let pair = Pair { client, world: &world, session };
                let went = ask(&pair, json!({})).await;
                match world.is_stateless() {
                    false => went.was_refused(&Refused::Live(-32601), &pair),
                    true => went.was_refused(&Refused::Ended(-32021), &pair),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_backend_is_told_only_of_what_the_clients_revision_has() {
    let build = |builder: Builder| builder.tool(tool("t"), Answer::text("done"));
    for world in worlds(build).await {
        for pair in world.pairs().await {
            pair.tool("t").await;
            let declared = if world.is_stateless() {
                let called = world.backend.heard("tools/call").pop().unwrap().json();
                called["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"].clone()
            } else {
                let opened = world.backend.heard("initialize").pop().unwrap().json();
                assert_eq!(opened["params"]["protocolVersion"], pair.client, "the client's own");
                opened["params"]["capabilities"].clone()
            };
            let expected = match pair.client {
                "2024-11-05" | "2025-03-26" => json!({"sampling": {}, "roots": {}}),
                "2025-06-18" => json!({"sampling": {}, "elicitation": {"form": {}}, "roots": {}}),
                _ => super::world::everything(),
            };
            assert_eq!(declared, expected, "{}", pair.name());
        }
    }
}

#[tokio::test]
async fn an_answer_of_one_block_is_that_block_below_2025_11_25() {
    let text = json!({"type": "text", "text": "s"});
    let list = json!({"role": "assistant", "content": [text.clone()], "model": "m"});
    let single = json!({"role": "assistant", "content": text, "model": "m"});
    let params = sample(&json!({"type": "text", "text": "x"}));
    for world in worlds(asks("sampling/createMessage", params.clone())).await {
        let has_lists = world.revision >= "2025-11-25";
        let told = if has_lists { &list } else { &single };
        for pair in world.pairs().await {
            ask(&pair, list.clone()).await.was_asked(&params, told, &pair);
        }
        // A client without a session goes through the same.
        let before = world.backend.replies().len();
        let client = world.stateless();
        let fulfilled =
            client.fulfil("tools/call", json!({"name": "t"}), |_, _| list.clone()).await.unwrap();
        assert_eq!(fulfilled.0["result"]["content"][0]["text"], "done", "{}", world.revision);
        let reply = world.backend.replies().into_iter().skip(before).last().unwrap();
        assert_eq!(reply["result"], *told, "{}", world.revision);
    }
}

#[tokio::test]
async fn an_answer_that_the_backends_revision_cannot_say_is_an_error_to_it() {
    let text = json!({"type": "text", "text": "s"});
    let audio = json!({"type": "audio", "data": "UklGRg==", "mimeType": "audio/wav"});
    let params = sample(&text);
    for (content, since) in [(audio, "2025-03-26"), (json!([text.clone(), text]), "2025-11-25")] {
        let answer = json!({"role": "assistant", "content": content, "model": "m"});
        for world in worlds(asks("sampling/createMessage", params.clone())).await {
            for pair in world.pairs().await {
                let went = ask(&pair, answer.clone()).await;
                if world.revision >= since {
                    went.was_asked(&params, &answer, &pair);
                } else {
                    assert!(went.asked.is_some(), "{}", pair.name());
                    let code = &went.told.as_ref().unwrap()["error"]["code"];
                    assert_eq!(*code, -32603, "{}: {went:?}", pair.name());
                }
            }
        }
    }
}

#[tokio::test]
async fn the_end_of_what_a_client_cannot_have_been_asked_is_not_told() {
    let build = |builder: Builder| {
        let told = json!({"elicitationId": "e"});
        builder.tool(
            tool("t"),
            Answer::text("done").notify("notifications/elicitation/complete", told),
        )
    };
    for world in worlds(build).await.into_iter().filter(|world| !world.is_stateless()) {
        for pair in world.pairs().await {
            let text = pair.text("t").await;
            let told = text.contains("notifications/elicitation/complete");
            assert_eq!(told, pair.knows("2025-11-25"), "{}: {text}", pair.name());
        }
    }
}
