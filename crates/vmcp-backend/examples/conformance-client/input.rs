//! What the user says: arguments of tools, answers to forms.

use serde_json::{Map, Value, json};

/// Arguments that a tool takes, made up from its schema. A tool that wants to see a schema gets the first other
/// tool's, as it was received.
pub(crate) fn arguments(tool: &Value, tools: &[Value]) -> Value {
    let properties = tool["inputSchema"]["properties"].as_object();
    let value = |(name, schema): (&String, &Value)| {
        let other = tools.iter().find(|other| other["name"] != tool["name"]);
        let value = match (name.as_str(), other) {
            ("schema", Some(other)) => other["inputSchema"].clone(),
            _ => sample(schema),
        };
        (name.clone(), value)
    };
    Value::Object(properties.into_iter().flatten().map(value).collect())
}

/// The answer to what a server asks; `None` to what there is nobody for.
pub(crate) fn answer(question: &Value) -> Option<Value> {
    if question["method"] != "elicitation/create" {
        return None;
    }
    let properties = question["params"]["requestedSchema"]["properties"].as_object();
    let content: Map<String, Value> = properties
        .into_iter()
        .flatten()
        .filter_map(|(name, schema)| Some((name.clone(), schema.get("default")?.clone())))
        .collect();
    Some(json!({"action": "accept", "content": content}))
}

fn sample(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("number" | "integer") => json!(2),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!("text"),
    }
}
