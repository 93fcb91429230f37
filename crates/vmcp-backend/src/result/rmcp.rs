//! To and from the model types of rmcp, the official Rust SDK (feature `rmcp`).
//!
//! Going there loses what rmcp does not model; coming back, numbers and the order of keys are as rmcp writes them. Who
//! needs every byte stays with this crate's own types.

use bytes::Bytes;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ErrorCode, ErrorData, GetPromptRequestParams,
    GetPromptResult, Prompt, ReadResourceRequestParams, ReadResourceResult, Resource,
    ResourceTemplate, Tool,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use vmcp_wire::method;

use super::{PromptResult, ResourceResult, ToolResult};
use crate::{Call, CapabilityList, RpcError};

/// What a backend offers, in the types of rmcp.
#[derive(Debug, Clone, PartialEq)]
pub struct RmcpCapabilities {
    /// Tools.
    pub tools: Vec<Tool>,
    /// Resources.
    pub resources: Vec<Resource>,
    /// Resource templates.
    pub templates: Vec<ResourceTemplate>,
    /// Prompts.
    pub prompts: Vec<Prompt>,
}

fn read<T: DeserializeOwned>(raw: &Bytes) -> serde_json::Result<T> {
    serde_json::from_slice(raw)
}

fn all<T: DeserializeOwned>(items: &[Bytes]) -> serde_json::Result<Vec<T>> {
    items.iter().map(read).collect()
}

fn write<T: Serialize>(value: &T) -> serde_json::Result<Bytes> {
    serde_json::to_vec(value).map(Bytes::from)
}

/// Conversions both ways; each fails if the JSON is not what the other side models.
macro_rules! convert {
    ($($ours:ident <=> $theirs:ident;)*) => {$(
        impl TryFrom<&$ours> for $theirs {
            type Error = serde_json::Error;

            fn try_from(ours: &$ours) -> serde_json::Result<Self> {
                read(ours.raw())
            }
        }

        impl TryFrom<&$theirs> for $ours {
            type Error = serde_json::Error;

            fn try_from(theirs: &$theirs) -> serde_json::Result<Self> {
                $ours::from_raw(write(theirs)?).map_err(serde::ser::Error::custom)
            }
        }
    )*};
}

convert! {
    ToolResult <=> CallToolResult;
    ResourceResult <=> ReadResourceResult;
    PromptResult <=> GetPromptResult;
}

/// Calls made of the params of rmcp.
macro_rules! call {
    ($($params:ident => $method:expr;)*) => {$(
        impl TryFrom<&$params> for Call {
            type Error = serde_json::Error;

            fn try_from(params: &$params) -> serde_json::Result<Self> {
                Ok(Self::new($method, Some(write(params)?)))
            }
        }
    )*};
}

call! {
    CallToolRequestParams => method::TOOLS_CALL;
    ReadResourceRequestParams => method::RESOURCES_READ;
    GetPromptRequestParams => method::PROMPTS_GET;
}

impl TryFrom<&CapabilityList> for RmcpCapabilities {
    type Error = serde_json::Error;

    fn try_from(list: &CapabilityList) -> serde_json::Result<Self> {
        Ok(Self {
            tools: all(&list.tools)?,
            resources: all(&list.resources)?,
            templates: all(&list.templates)?,
            prompts: all(&list.prompts)?,
        })
    }
}

impl From<&RpcError> for ErrorData {
    /// A code that rmcp has no room for becomes that of an internal error.
    fn from(error: &RpcError) -> Self {
        let code = i32::try_from(error.code()).map_or(ErrorCode::INTERNAL_ERROR, ErrorCode);
        let data = error.data().and_then(|data| serde_json::from_slice(&data).ok());
        Self::new(code, error.message(), data)
    }
}

impl TryFrom<&ErrorData> for RpcError {
    type Error = serde_json::Error;

    fn try_from(error: &ErrorData) -> serde_json::Result<Self> {
        write(error).map(Self::from_raw)
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock, ErrorCode, ErrorData};
    use serde_json::json;

    use super::{PromptResult, ResourceResult, RmcpCapabilities, ToolResult};
    use crate::{Call, CapabilityList, RpcError};

    #[test]
    fn results_go_there_and_come_back() {
        let raw = r#"{"content":[{"type":"text","text":"a"},{"type":"resource_link","uri":"x:1","name":"n"}],"structuredContent":[1.5,null],"isError":true,"_meta":{"k":1}}"#;
        let ours = ToolResult::from_raw(raw).unwrap();
        let theirs = CallToolResult::try_from(&ours).unwrap();
        assert!(matches!(&theirs.content[0], ContentBlock::Text(text) if text.text == "a"));
        assert_eq!(theirs.is_error, Some(true));
        assert_eq!(theirs.structured_content, Some(json!([1.5, null])));
        let back = ToolResult::try_from(&theirs).unwrap();
        let value = |raw: &[u8]| serde_json::from_slice::<serde_json::Value>(raw).unwrap();
        assert_eq!(value(back.raw()), value(raw.as_bytes()));

        let resource = r#"{"contents":[{"uri":"x:1","text":"t"},{"uri":"x:2","blob":"AA=="}]}"#;
        let ours = ResourceResult::from_raw(resource).unwrap();
        let theirs = rmcp::model::ReadResourceResult::try_from(&ours).unwrap();
        assert_eq!(theirs.contents.len(), 2);
        assert_eq!(
            value(ResourceResult::try_from(&theirs).unwrap().raw()),
            value(resource.as_bytes())
        );

        let prompt = r#"{"messages":[{"role":"assistant","content":{"type":"text","text":"t"}}]}"#;
        let ours = PromptResult::from_raw(prompt).unwrap();
        let theirs = rmcp::model::GetPromptResult::try_from(&ours).unwrap();
        assert_eq!(value(PromptResult::try_from(&theirs).unwrap().raw()), value(prompt.as_bytes()));
    }

    #[test]
    fn what_rmcp_does_not_model_is_an_error_and_stays_with_us() {
        let ours = ToolResult::from_raw(r#"{"content":[{"type":"hologram"}]}"#).unwrap();
        assert!(CallToolResult::try_from(&ours).is_err());
        assert_eq!(ours.content()[0].raw(), r#"{"type":"hologram"}"#);
    }

    #[test]
    fn params_become_calls() {
        let arguments = json!({"a": 1}).as_object().cloned().unwrap();
        let params = CallToolRequestParams::new("t").with_arguments(arguments);
        let call = Call::try_from(&params).unwrap();
        assert_eq!(call.method, "tools/call");
        assert_eq!(call.params.unwrap(), r#"{"name":"t","arguments":{"a":1}}"#);
    }

    #[test]
    fn lists_and_errors_convert() {
        let list = CapabilityList {
            tools: vec![r#"{"name":"t","inputSchema":{"type":"object"},"title":"T"}"#.into()],
            prompts: vec![r#"{"name":"p"}"#.into()],
            ..CapabilityList::default()
        };
        let theirs = RmcpCapabilities::try_from(&list).unwrap();
        assert_eq!((theirs.tools[0].name.as_ref(), theirs.prompts.len()), ("t", 1));

        let ours = RpcError::from_raw(r#"{"code":-32002,"message":"m","data":{"a":1}}"#);
        let theirs = ErrorData::from(&ours);
        assert_eq!((theirs.code, theirs.data.clone()), (ErrorCode(-32002), Some(json!({"a": 1}))));
        assert_eq!(RpcError::try_from(&theirs).unwrap().code(), -32002);
        let far = RpcError::from_raw(r#"{"code":99999999999,"message":"m"}"#);
        assert_eq!(ErrorData::from(&far).code, ErrorCode::INTERNAL_ERROR);
    }
}
