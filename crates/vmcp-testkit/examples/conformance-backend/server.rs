//! The MCP server itself: one for each session, or for each request where there are no sessions.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams,
    CompleteResult, ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResponse, GetTaskParams,
    GetTaskResult, InitializeRequestParams, InitializeResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel,
    PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
    ResourceUpdatedNotificationParam, ServerConfig, SetLevelRequestParams, SubscribeRequestParams,
    SubscriptionFilter, Tool, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::content::{failed, text_block, typed};
use crate::input::{self, Look, Outcome};
use crate::resources::WATCHED;
use crate::shared::{Change, Shared};
use crate::{prompts, resources, tasks, tools};

/// Which revisions are spoken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    Legacy,
    Modern,
    Both,
}

/// The MCP server of one session.
pub(crate) struct Server {
    pub(crate) shared: Arc<Shared>,
    era: Era,
    /// What this client subscribed to, and from which level on it wants log messages.
    wishes: Mutex<Wishes>,
    /// For the streams that are about to listen: the SDK tells a client that its stream is there before it is.
    early: Mutex<VecDeque<Receiver<Change>>>,
}

#[derive(Default)]
struct Wishes {
    subscriptions: HashSet<String>,
    level: Option<LoggingLevel>,
}

// === impl Era ===

impl Era {
    pub(crate) fn parse(text: &str) -> io::Result<Self> {
        match text {
            "legacy" => Ok(Self::Legacy),
            "modern" => Ok(Self::Modern),
            "both" => Ok(Self::Both),
            _ => Err(io::Error::other(format!("unknown era {text}"))),
        }
    }
}

// === impl Server ===

impl Server {
    pub(crate) fn new(shared: Arc<Shared>, era: Era) -> Self {
        Self { shared, era, wishes: Mutex::default(), early: Mutex::default() }
    }

    /// Tells the client of a session; where there are no sessions, [`ServerHandler::listen`] does.
    pub(crate) async fn tell(&self, change: Change, context: &RequestContext<RoleServer>) {
        if is_modern(context) {
            return;
        }
        // A client that is gone misses it.
        let _ = match change {
            Change::Tools => context.peer.notify_tool_list_changed().await,
            Change::Prompts => context.peer.notify_prompt_list_changed().await,
            Change::Watched => {
                let subscribed = self.wishes.lock().subscriptions.contains(WATCHED);
                if !subscribed {
                    return;
                }
                let params = ResourceUpdatedNotificationParam::new(WATCHED);
                context.peer.notify_resource_updated(params).await
            }
        };
    }

    /// Whether this request wants log messages of this level.
    pub(crate) fn logs_at(
        &self,
        level: LoggingLevel,
        context: &RequestContext<RoleServer>,
    ) -> bool {
        if is_modern(context) {
            let wanted = serde_json::to_value(&context.meta).unwrap_or_default();
            let wanted = wanted.get("io.modelcontextprotocol/logLevel").cloned();
            let wanted = wanted.and_then(|level| serde_json::from_value(level).ok());
            return wanted.is_some_and(|wanted| rank(level) >= rank(wanted));
        }
        self.wishes.lock().level.is_none_or(|wanted| rank(level) >= rank(wanted))
    }

    /// Calls a tool that may become a task.
    async fn begin(
        &self,
        name: &str,
        look: Look<'_>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let follows = context.client_capabilities().is_some_and(|client| client.supports_tasks());
        let unknown = || ErrorData::invalid_params("unknown tool", None);
        let step = |look: &Look<'_>| tasks::job(name, look).ok_or_else(unknown)?;
        match input::drive(look, step, !is_modern(context), context).await? {
            Outcome::Complete(job) => tasks::start(self, job, follows).await,
            Outcome::InputRequired(result) => Ok(CallToolResponse::InputRequired(result)),
        }
    }

    fn look(&self, context: &RequestContext<RoleServer>) -> Look<'_> {
        let capabilities = context.client_capabilities();
        Look {
            shared: &self.shared,
            arguments: Value::Null,
            answers: Default::default(),
            state: None,
            can_elicit: capabilities.is_some_and(|capabilities| capabilities.elicitation.is_some()),
        }
    }
}

/// Whether the request belongs to the era without sessions.
pub(crate) fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

fn rank(level: LoggingLevel) -> usize {
    let levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
    let name = serde_json::to_value(level).unwrap_or_default();
    levels.iter().position(|other| name == *other).unwrap_or_default()
}

type Context = RequestContext<RoleServer>;
type Page = Option<PaginatedRequestParams>;

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let info = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {
                "tools": {"listChanged": true},
                "prompts": {"listChanged": true},
                "resources": {"subscribe": true, "listChanged": true},
                "logging": {},
                "completions": {},
                "extensions": {"io.modelcontextprotocol/tasks": {}},
            },
            "serverInfo": {"name": "conformance-backend", "version": "1.0.0"},
            "instructions": "Every fixture of the conformance suite.",
        });
        serde_json::from_value(info).unwrap_or_default()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        let known = ProtocolVersion::KNOWN_VERSIONS;
        let wanted = |version: &&ProtocolVersion| match self.era {
            Era::Both => true,
            Era::Legacy => **version < ProtocolVersion::V_2026_07_28,
            Era::Modern => **version >= ProtocolVersion::V_2026_07_28,
        };
        Cow::Owned(known.iter().filter(wanted).cloned().collect())
    }

    async fn initialize(
        &self,
        params: InitializeRequestParams,
        context: Context,
    ) -> Result<InitializeResult, ErrorData> {
        if self.era == Era::Modern {
            // Left to itself, the SDK would agree on a revision that it was told not to speak.
            let data = json!({"supported": ["2026-07-28"], "requested": params.protocol_version});
            let code = ErrorCode::UNSUPPORTED_PROTOCOL_VERSION;
            return Err(ErrorData::new(code, "Unsupported protocol version", Some(data)));
        }
        context.peer.set_peer_info(params.clone());
        let mut result = self.negotiate_initialize(&params)?;
        // There are no extensions in the era with sessions.
        result.capabilities.extensions = None;
        Ok(result)
    }

    async fn get_task(
        &self,
        params: GetTaskParams,
        _: Context,
    ) -> Result<GetTaskResult, ErrorData> {
        self.shared.tasks.get_task(&params.task_id).map(GetTaskResult::new)
    }

    async fn update_task(&self, params: UpdateTaskParams, _: Context) -> Result<(), ErrorData> {
        self.shared.tasks.update_task(&params.task_id, params.input_responses)
    }

    async fn cancel_task(&self, params: CancelTaskParams, _: Context) -> Result<(), ErrorData> {
        self.shared.tasks.cancel_task(&params.task_id)
    }

    async fn list_tools(&self, _: Page, _: Context) -> Result<ListToolsResult, ErrorData> {
        let catalogue = &self.shared.catalogue;
        let extra = self.shared.extra_tool.load(Ordering::Relaxed).then_some(&catalogue.extra_tool);
        let tools: Vec<_> = catalogue.tools.iter().chain(extra).collect();
        typed(json!({"tools": tools}))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.shared.catalogue.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = params.arguments.map_or(Value::Null, Value::Object);
        let mut look = self.look(&context);
        look.arguments = arguments.clone();
        look.answers = params.input_responses.unwrap_or_default();
        look.state = params.request_state;
        if tasks::job(&params.name, &look).is_some() {
            return self.begin(&params.name, look, &context).await;
        }
        if input::tool(&params.name, &look).is_none() {
            let result = tools::call(self, &params.name, &arguments, &context).await?;
            return Ok(CallToolResponse::Complete(result));
        }
        let step = |look: &Look<'_>| {
            let unknown = || ErrorData::invalid_params("unknown tool", None);
            input::tool(&params.name, look).ok_or_else(unknown)?
        };
        Ok(match input::drive(look, step, !is_modern(&context), &context).await {
            Ok(Outcome::Complete(result)) => CallToolResponse::Complete(result),
            Ok(Outcome::InputRequired(result)) => CallToolResponse::InputRequired(result),
            // The client cannot, or does not want to.
            Err(error) if error.code == rmcp::model::ErrorCode::INTERNAL_ERROR => {
                CallToolResponse::Complete(failed(error.message)?)
            }
            Err(error) => return Err(error),
        })
    }

    async fn list_prompts(&self, _: Page, _: Context) -> Result<ListPromptsResult, ErrorData> {
        let catalogue = &self.shared.catalogue;
        let extra = self.shared.extra_prompt.load(Ordering::Relaxed);
        let extra = extra.then_some(&catalogue.extra_prompt);
        let prompts: Vec<_> = catalogue.prompts.iter().chain(extra).collect();
        typed(json!({"prompts": prompts}))
    }

    async fn get_prompt(
        &self,
        params: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        if params.name != prompts::WITH_INPUT {
            return prompts::get(&params).map(GetPromptResponse::Complete);
        }
        let mut look = self.look(&context);
        look.answers = params.input_responses.unwrap_or_default();
        let outcome = input::drive(look, input::prompt, !is_modern(&context), &context).await?;
        Ok(match outcome {
            Outcome::Complete(text) => {
                GetPromptResponse::Complete(prompts::said(vec![text_block(text)])?)
            }
            Outcome::InputRequired(result) => GetPromptResponse::InputRequired(result),
        })
    }

    async fn list_resources(&self, _: Page, _: Context) -> Result<ListResourcesResult, ErrorData> {
        typed(json!({"resources": self.shared.catalogue.resources}))
    }

    async fn list_resource_templates(
        &self,
        _: Page,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        typed(json!({"resourceTemplates": self.shared.catalogue.resource_templates}))
    }

    async fn read_resource(
        &self,
        params: ReadResourceRequestParams,
        _: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resources::read(&params.uri).map(ReadResourceResponse::Complete)
    }

    async fn complete(
        &self,
        params: CompleteRequestParams,
        _: Context,
    ) -> Result<CompleteResult, ErrorData> {
        let known = ["paris", "park", "party", "test", "testing"];
        let begun = &params.argument.value;
        let values: Vec<_> = known.into_iter().filter(|word| word.starts_with(begun)).collect();
        let total = values.len();
        typed(json!({"completion": {"values": values, "total": total, "hasMore": false}}))
    }

    async fn set_level(&self, params: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        self.wishes.lock().level = Some(params.level);
        Ok(())
    }

    async fn subscribe(&self, params: SubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        self.wishes.lock().subscriptions.insert(params.uri);
        Ok(())
    }

    async fn unsubscribe(
        &self,
        params: UnsubscribeRequestParams,
        _: Context,
    ) -> Result<(), ErrorData> {
        self.wishes.lock().subscriptions.remove(&params.uri);
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.early.lock().push_back(self.shared.changes.subscribe());
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let early = self.early.lock().pop_front();
        let mut changes = early.unwrap_or_else(|| self.shared.changes.subscribe());
        loop {
            let change = tokio::select! {
                change = changes.recv() => change,
                () = context.cancelled() => return Ok(()),
            };
            let sink = context.sink();
            // The sink refuses what the client did not ask for.
            let _ = match change {
                Ok(Change::Tools) => sink.notify_tool_list_changed().await,
                Ok(Change::Prompts) => sink.notify_prompt_list_changed().await,
                Ok(Change::Watched) => sink.notify_resource_updated(WATCHED).await,
                Err(RecvError::Lagged(_)) => Ok(()),
                Err(RecvError::Closed) => return Ok(()),
            };
        }
    }
}
