//! Tools (and a prompt) that need something of the client before they can answer.
//!
//! What they need is decided by a function of the answers so far, round by round. Whether the client is then asked in
//! the middle of the call or told to call again with its answers depends on its era alone; so each of these tools
//! works in both, also where the suite uses it in one only.

use futures_util::future::try_join_all;
use rmcp::model::{CallToolResult, ErrorData, InputRequiredResult, InputResponses};
use rmcp::model::{CustomRequest, ServerRequest};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value, json};

use crate::content::{text, typed};
use crate::shared::Shared;

/// Where a tool is after looking at the answers.
pub(crate) enum Step<T> {
    /// It has all it needs.
    Done(T),
    /// It needs these, by key, and possibly its state back.
    Needs(Map<String, Value>, Option<String>),
}

/// What is known when a tool looks.
pub(crate) struct Look<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) arguments: Value,
    pub(crate) answers: InputResponses,
    pub(crate) state: Option<String>,
    pub(crate) can_elicit: bool,
}

/// What came of it.
pub(crate) enum Outcome<T> {
    Complete(T),
    InputRequired(InputRequiredResult),
}

type Stepped<T> = Result<Step<T>, ErrorData>;

/// Goes on until the tool is done, or until the client has to call again.
pub(crate) async fn drive<T>(
    mut look: Look<'_>,
    step: impl Fn(&Look<'_>) -> Stepped<T>,
    asks_directly: bool,
    context: &RequestContext<RoleServer>,
) -> Result<Outcome<T>, ErrorData> {
    loop {
        let (requests, state) = match step(&look)? {
            Step::Done(result) => return Ok(Outcome::Complete(result)),
            Step::Needs(requests, state) => (requests, state),
        };
        if !asks_directly {
            let mut result = json!({"resultType": "input_required", "inputRequests": requests});
            if let Some(state) = state {
                result["requestState"] = json!(state);
            }
            return typed(result).map(Outcome::InputRequired);
        }
        look.answers.clear();
        look.state = state;
        // All at once, as a client that is told to call again gets them.
        let asked = requests.into_iter().map(async |(key, mut request)| {
            let method = request["method"].as_str().unwrap_or_default().to_owned();
            let answer = ask(context, &method, request["params"].take()).await?;
            Ok::<_, ErrorData>((key, answer))
        });
        look.answers.extend(try_join_all(asked).await?);
    }
}

/// Asks the client in the middle of a call.
async fn ask(
    context: &RequestContext<RoleServer>,
    method: &str,
    params: Value,
) -> Result<Value, ErrorData> {
    let request = ServerRequest::CustomRequest(CustomRequest::new(method, Some(params)));
    let failed = |error: String| ErrorData::internal_error(error, None);
    let result =
        context.peer.send_request(request).await.map_err(|error| failed(error.to_string()))?;
    serde_json::to_value(result).map_err(|error| failed(error.to_string()))
}

/// The tools of this kind; `None` for any other name.
pub(crate) fn tool(name: &str, look: &Look<'_>) -> Option<Stepped<CallToolResult>> {
    Some(match name {
        "test_sampling" => sampled(look),
        "test_elicitation" => {
            let message = look.arguments["message"].as_str().unwrap_or("Who are you?");
            elicited(look, message, &user_schema(), "User response")
        }
        "test_elicitation_sep1034_defaults" => {
            elicited(look, "Please check these", &defaults_schema(), "Elicitation completed")
        }
        "test_elicitation_sep1330_enums" => {
            elicited(look, "Please choose", &enums_schema(), "Elicitation completed")
        }
        "test_streaming_elicitation" => {
            elicited(look, "What is your name?", &greet_schema(), "Elicitation completed")
        }
        "test_input_required_result_elicitation" => greet(look),
        "test_input_required_result_sampling" => {
            let request = sample("What is the capital of France?", 100);
            one(look, "capital_question", request, |answer| answer["content"]["text"].clone())
        }
        "test_input_required_result_list_roots" => {
            one(look, "client_roots", roots(), |answer| answer["roots"].clone())
        }
        "test_input_required_result_request_state"
        | "test_input_required_result_tampered_state" => confirm(look),
        "test_input_required_result_multiple_inputs" => three(look),
        "test_input_required_result_multi_round" => rounds(look),
        "test_input_required_result_capabilities" => fitting(look),
        _ => return None,
    })
}

/// The prompt of this kind: the text of its message.
pub(crate) fn prompt(look: &Look<'_>) -> Stepped<String> {
    let schema = object(&json!({"context": {"type": "string"}}), &["context"]);
    match look.answers.get("user_context") {
        Some(answer) => {
            Ok(Step::Done(format!("Use this context: {}", answer["content"]["context"])))
        }
        None => {
            let request = elicit("What context should the prompt use?", &schema);
            Ok(needs([("user_context", request)], None))
        }
    }
}

fn sampled(look: &Look<'_>) -> Stepped<CallToolResult> {
    let Some(answer) = look.answers.get("sample") else {
        let prompt = look.arguments["prompt"].as_str().unwrap_or_default();
        return Ok(needs([("sample", sample(prompt, 100))], None));
    };
    let said = answer["content"]["text"].as_str().unwrap_or_default();
    Ok(Step::Done(text(format!("LLM response: {said}"))?))
}

fn elicited(
    look: &Look<'_>,
    message: &str,
    schema: &Value,
    prefix: &str,
) -> Stepped<CallToolResult> {
    let Some(answer) = look.answers.get("form") else {
        return Ok(needs([("form", elicit(message, schema))], None));
    };
    let action = answer["action"].as_str().unwrap_or_default();
    let result = format!("{prefix}: action={action}, content={}", answer["content"]);
    Ok(Step::Done(text(result)?))
}

fn greet(look: &Look<'_>) -> Stepped<CallToolResult> {
    let name = look.answers.get("user_name").and_then(|answer| answer["content"]["name"].as_str());
    match name {
        Some(name) => Ok(Step::Done(text(format!("Hello, {name}!"))?)),
        None => {
            let schema = greet_schema();
            Ok(needs([("user_name", elicit("What is your name?", &schema))], None))
        }
    }
}

fn one(
    look: &Look<'_>,
    key: &str,
    request: Value,
    of_interest: impl Fn(&Value) -> Value,
) -> Stepped<CallToolResult> {
    match look.answers.get(key) {
        Some(answer) => Ok(Step::Done(text(of_interest(answer).to_string())?)),
        None => Ok(needs([(key, request)], None)),
    }
}

fn confirm(look: &Look<'_>) -> Stepped<CallToolResult> {
    let round = round(look)?;
    match (look.answers.get("confirm"), round) {
        (Some(_), Some(_)) => Ok(Step::Done(text("state-ok")?)),
        _ => {
            let schema = object(&json!({"ok": {"type": "boolean"}}), &["ok"]);
            let request = elicit("Please confirm", &schema);
            Ok(needs([("confirm", request)], Some(look.shared.state(1))))
        }
    }
}

fn three(look: &Look<'_>) -> Stepped<CallToolResult> {
    round(look)?;
    let keys = ["user_name", "greeting", "client_roots"];
    if keys.iter().all(|key| look.answers.contains_key(*key)) {
        return Ok(Step::Done(text(json!(look.answers).to_string())?));
    }
    let schema = greet_schema();
    let requests =
        [elicit("What is your name?", &schema), sample("Generate a greeting", 50), roots()];
    Ok(needs(keys.into_iter().zip(requests), Some(look.shared.state(1))))
}

fn rounds(look: &Look<'_>) -> Stepped<CallToolResult> {
    let asked = |key: &str, question: &str, field: &str, next: u32| {
        let schema = object(&json!({field: {"type": "string"}}), &[field]);
        Ok(needs([(key, elicit(question, &schema))], Some(look.shared.state(next))))
    };
    match round(look)? {
        Some(1) if look.answers.contains_key("step1") => {
            asked("step2", "Step 2: What is your favorite color?", "color", 2)
        }
        Some(2) if look.answers.contains_key("step2") => Ok(Step::Done(text("Two rounds done.")?)),
        Some(2) => asked("step2", "Step 2: What is your favorite color?", "color", 2),
        _ => asked("step1", "Step 1: What is your name?", "name", 1),
    }
}

fn fitting(look: &Look<'_>) -> Stepped<CallToolResult> {
    if !look.answers.is_empty() {
        return Ok(Step::Done(text(json!(look.answers).to_string())?));
    }
    let mut requests = vec![("question", sample("What is the capital of France?", 100))];
    if look.can_elicit {
        let schema = greet_schema();
        requests.push(("user_name", elicit("What is your name?", &schema)));
    }
    Ok(needs(requests, None))
}

/// The round that the echoed state stands for; an error if it is not one of ours.
fn round(look: &Look<'_>) -> Result<Option<u32>, ErrorData> {
    let Some(state) = &look.state else { return Ok(None) };
    match look.shared.round(state) {
        Some(round) => Ok(Some(round)),
        None => Err(ErrorData::invalid_params("requestState is not one of ours", None)),
    }
}

pub(crate) fn needs<'a, T>(
    requests: impl IntoIterator<Item = (&'a str, Value)>,
    state: Option<String>,
) -> Step<T> {
    let requests = requests.into_iter().map(|(key, request)| (key.to_owned(), request)).collect();
    Step::Needs(requests, state)
}

pub(crate) fn elicit(message: &str, schema: &Value) -> Value {
    let params = json!({"message": message, "requestedSchema": schema});
    json!({"method": "elicitation/create", "params": params})
}

fn sample(prompt: &str, max_tokens: u32) -> Value {
    let message = json!({"role": "user", "content": {"type": "text", "text": prompt}});
    let params = json!({"messages": [message], "maxTokens": max_tokens});
    json!({"method": "sampling/createMessage", "params": params})
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}

fn object(properties: &Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

/// A form with one field: a name.
pub(crate) fn greet_schema() -> Value {
    object(&json!({"name": {"type": "string"}}), &["name"])
}

fn user_schema() -> Value {
    let properties = json!({
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    });
    object(&properties, &["username", "email"])
}

fn defaults_schema() -> Value {
    let properties = json!({
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true},
    });
    object(&properties, &[])
}

fn enums_schema() -> Value {
    let titled = |first: &str| {
        let titles = [("value1", first), ("value2", "Second"), ("value3", "Third")];
        titles.map(|(value, title)| json!({"const": value, "title": title}))
    };
    let options = ["option1", "option2", "option3"];
    let properties = json!({
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {"type": "string", "oneOf": titled("First Option")},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled("First Choice")}},
    });
    object(&properties, &[])
}
