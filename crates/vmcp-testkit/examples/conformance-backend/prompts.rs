//! Fills prompts.

use rmcp::ErrorData;
use rmcp::model::{GetPromptRequestParams, GetPromptResult};
use serde_json::{Value, json};

use crate::content::{image_block, resource_block, text_block, typed};

/// The prompt that needs input of the client; see `input.rs`.
pub(crate) const WITH_INPUT: &str = "test_input_required_result_prompt";

pub(crate) fn get(params: &GetPromptRequestParams) -> Result<GetPromptResult, ErrorData> {
    let argument = |name: &str| {
        let value = params.arguments.as_ref().and_then(|arguments| arguments.get(name));
        let value = value.map(|value| serde_json::to_value(value).unwrap_or_default());
        value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    match params.name.as_str() {
        "test_simple_prompt" => said(vec![text_block("This is a simple prompt for testing.")]),
        "test_prompt_with_arguments" => {
            let (first, second) = (argument("arg1"), argument("arg2"));
            said(vec![text_block(format!(
                "Prompt with arguments: arg1='{first}', arg2='{second}'"
            ))])
        }
        "test_prompt_with_embedded_resource" => {
            let text = "Embedded resource content for testing.";
            said(vec![
                resource_block(&argument("resourceUri"), "text/plain", text),
                text_block("Please process the embedded resource above."),
            ])
        }
        "test_prompt_with_image" => {
            said(vec![image_block(), text_block("Please analyze the image above.")])
        }
        "test_prompt_come_and_go" => said(vec![text_block("This prompt comes and goes.")]),
        name => Err(ErrorData::invalid_params(format!("unknown prompt: {name}"), None)),
    }
}

/// A result in which the user says these blocks.
pub(crate) fn said(blocks: Vec<Value>) -> Result<GetPromptResult, ErrorData> {
    let message = |content: Value| json!({"role": "user", "content": content});
    typed(json!({"messages": blocks.into_iter().map(message).collect::<Vec<_>>()}))
}
