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
