//! The tools that need nothing of the client.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::ProgressNotification;
use rmcp::model::{
    CallToolResult, ClientCapabilities, LoggingLevel, LoggingMessageNotification,
    ServerNotification,
};
use rmcp::service::{RequestContext, RoleServer};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::content::{WAV, blocks, failed, image_block, resource_block, text, text_block, typed};
use crate::front::{RETRY, StreamEnd};
use crate::server::{Server, is_modern};
use crate::shared::Change;

/// How long a tool works between two notifications.
const WORK: Duration = Duration::from_millis(50);

type Called = Result<CallToolResult, ErrorData>;

pub(crate) async fn call(
    server: &Server,
    name: &str,
    arguments: &Value,
    context: &RequestContext<RoleServer>,
) -> Called {
    match name {
        "test_simple_text" => text("This is a simple text response for testing."),
        "test_image_content" => blocks(&[image_block()]),
        "test_audio_content" => {
            blocks(&[json!({"type": "audio", "data": WAV, "mimeType": "audio/wav"})])
        }
        "test_embedded_resource" => {
            let content = "This is an embedded resource content.";
            blocks(&[resource_block("test://embedded-resource", "text/plain", content)])
        }
        "test_multiple_content_types" => blocks(&[
            text_block("Multiple content types test:"),
            image_block(),
            resource_block(
                "test://mixed-content-resource",
                "application/json",
                r#"{"test":"data","value":123}"#,
            ),
        ]),
        "test_error_handling" => failed("This tool intentionally returns an error for testing"),
        "test_structured" => {
            let value = json!({"ratio": 0.5, "name": "half"});
            typed(json!({"content": [text_block(value.to_string())], "structuredContent": value}))
        }
        "test_custom_header" => text(format!("region {}", arguments["region"])),
        "json_schema_2020_12_tool" => text(arguments.to_string()),
        "greet" => text(format!("Hello, {}!", arguments["name"].as_str().unwrap_or("you"))),
        "test_come_and_go" => text("still there"),
        "test_tool_with_logging" | "test_logging_tool" => log(server, name, context).await,
        "test_tool_with_progress" => progress(context).await,
        "test_slow" => slow(server, arguments, context).await,
        "test_cancellations" => text(server.shared.cancelled.load(Ordering::Relaxed).to_string()),
        "test_reconnection" => reconnection(context).await,
        "test_missing_capability" => missing(context),
        "test_trigger_tool_change" => {
            server.shared.extra_tool.fetch_xor(true, Ordering::Relaxed);
            server.shared.changed(Change::Tools);
            server.tell(Change::Tools, context).await;
            text("The tools changed.")
        }
        "test_trigger_prompt_change" => {
            server.shared.extra_prompt.fetch_xor(true, Ordering::Relaxed);
            server.shared.changed(Change::Prompts);
            server.tell(Change::Prompts, context).await;
            text("The prompts changed.")
        }
        "test_trigger_resource_update" => {
            server.shared.changed(Change::Watched);
            server.tell(Change::Watched, context).await;
            text("The resource changed.")
        }
        _ => Err(ErrorData::invalid_params(format!("unknown tool: {name}"), None)),
    }
}

async fn log(server: &Server, name: &str, context: &RequestContext<RoleServer>) -> Called {
    let messages: &[&str] = match name {
        "test_logging_tool" => &["One log message"],
        _ => &["Tool execution started", "Tool processing data", "Tool execution completed"],
    };
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            tokio::time::sleep(WORK).await;
        }
        if server.logs_at(LoggingLevel::Info, context) {
            let params = json!({"level": "info", "logger": "conformance", "data": message});
            let notification = LoggingMessageNotification::new(params_of(params)?);
            notify(context, ServerNotification::LoggingMessageNotification(notification)).await;
        }
    }
    text("The log messages are written.")
}

async fn progress(context: &RequestContext<RoleServer>) -> Called {
    for (index, progress) in [0, 50, 100].into_iter().enumerate() {
        if index > 0 {
            tokio::time::sleep(WORK).await;
        }
        if let Some(token) = context.meta.get_progress_token() {
            let params = json!({"progressToken": token, "progress": progress, "total": 100});
            let notification = ProgressNotification::new(params_of(params)?);
            notify(context, ServerNotification::ProgressNotification(notification)).await;
        }
    }
    text("The progress is complete.")
}

async fn slow(server: &Server, arguments: &Value, context: &RequestContext<RoleServer>) -> Called {
    let time =
        Duration::from_secs_f64(arguments["seconds"].as_f64().unwrap_or(60.0).clamp(0.0, 300.0));
    match tokio::time::timeout(time, context.ct.cancelled()).await {
        Ok(()) => {
            server.shared.cancelled.fetch_add(1, Ordering::Relaxed);
            text("cancelled")
        }
        Err(_) => text("not cancelled"),
    }
}

async fn reconnection(context: &RequestContext<RoleServer>) -> Called {
    // Without sessions there is nothing to come back to.
    if is_modern(context) {
        return text("The stream stays open.");
    }
    let parts = context.extensions.get::<http::request::Parts>();
    if let Some(end) = parts.and_then(|parts| parts.extensions.get::<StreamEnd>()) {
        tokio::time::sleep(WORK).await;
        end.end();
        // The SDK's session loses an answer that is there before the client comes back for it.
        tokio::time::sleep(3 * RETRY).await;
    }
    text("The answer comes after the stream was closed.")
}

fn missing(context: &RequestContext<RoleServer>) -> Called {
    let capabilities = context.client_capabilities();
    if capabilities.is_some_and(|capabilities| capabilities.sampling.is_some()) {
        return text("The client can sample.");
    }
    let needed: ClientCapabilities = params_of(json!({"sampling": {}}))?;
    Err(ErrorData::missing_required_client_capability(needed))
}

fn params_of<T: DeserializeOwned>(params: Value) -> Result<T, ErrorData> {
    serde_json::from_value(params)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

async fn notify(context: &RequestContext<RoleServer>, notification: ServerNotification) {
    // A client that is gone misses it.
    let _ = context.peer.send_notification(notification).await;
}
