//! One connected client, and what the checks do with it.

use std::error::Error;

use rmcp::RoleClient;
use rmcp::model::{
    CallToolRequestParams, GetPromptRequestParams, LoggingLevel, ProtocolVersion,
    ReadResourceRequestParams, RequestMetaObject, SubscribeRequestParams, SubscriptionFilter,
    UnsubscribeRequestParams,
};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RunningService, Subscription};
use serde::Serialize;
use serde_json::Value;
use tokio::process::Child;

use crate::asked::{Client, Heard};
use crate::dial;

/// What a check returns: why it failed, in words.
pub(crate) type Checked<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Which revisions the client speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    Legacy,
    Modern,
}

/// One connected client.
pub(crate) struct Peer {
    era: Era,
    prefix: String,
    running: RunningService<RoleClient, Client>,
    pub(crate) heard: Heard,
    /// The server, if it is a process of ours.
    _child: Option<Child>,
}

/// Changes reach the client as long as this is there, and until it is [ended](Peer::stop_watching).
pub(crate) struct Watching {
    uri: Option<String>,
    stream: Option<Subscription>,
}

// === impl Peer ===

impl Peer {
    pub(crate) async fn connect(era: Era, url: &str, prefix: &str) -> Checked<Self> {
        let heard = Heard::default();
        let client = Client { heard: heard.clone() };
        let lifecycle = match era {
            Era::Legacy => ClientLifecycleMode::Initialize,
            Era::Modern => ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            },
        };
        let (running, child) = match url.strip_prefix("stdio:") {
            Some(command) => {
                let (child, pipes) = dial::process(command)?;
                (client.serve_with_lifecycle(pipes, lifecycle).await?, Some(child))
            }
            None => (client.serve_with_lifecycle(dial::http(url)?, lifecycle).await?, None),
        };
        Ok(Self { era, prefix: prefix.to_owned(), running, heard, _child: child })
    }

    pub(crate) async fn close(self) -> Checked {
        self.running.cancel().await?;
        Ok(())
    }

    pub(crate) fn stateless(&self) -> bool {
        self.era == Era::Modern
    }

    pub(crate) fn running(&self) -> &RunningService<RoleClient, Client> {
        &self.running
    }

    /// The parameters of a call, which wants to hear what the tool writes down.
    pub(crate) fn params(&self, name: &str, arguments: &Value) -> CallToolRequestParams {
        let mut params = CallToolRequestParams::new(format!("{}{name}", self.prefix));
        params.arguments = arguments.as_object().cloned();
        if self.stateless() {
            let mut meta = RequestMetaObject::new();
            meta.set_log_level(LoggingLevel::Debug);
            params.meta = Some(meta);
        }
        params
    }

    /// The result of a tool.
    pub(crate) async fn tool(&self, name: &str, arguments: Value) -> Checked<Value> {
        json(self.running.call_tool(self.params(name, &arguments)).await?)
    }

    /// The text of a tool that succeeds.
    pub(crate) async fn text(&self, name: &str, arguments: Value) -> Checked<String> {
        let result = self.tool(name, arguments).await?;
        let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        if result["isError"] == true { Err(text.into()) } else { Ok(text) }
    }

    pub(crate) async fn tools(&self) -> Checked<Vec<String>> {
        Ok(self.running.list_all_tools().await?.into_iter().map(|tool| tool.name.into()).collect())
    }

    pub(crate) fn tool_name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The name of a prompt, which need not have the prefix that the tools have.
    pub(crate) async fn prompt_name(&self, name: &str) -> Checked<String> {
        let prefixed = format!("{}{name}", self.prefix);
        let prompts = self.running.list_all_prompts().await?;
        let found = prompts.iter().find(|prompt| prompt.name == prefixed || prompt.name == name);
        Ok(found.ok_or_else(|| format!("there is no prompt {name}"))?.name.clone())
    }

    pub(crate) async fn prompt(&self, name: &str, arguments: Value) -> Checked<Value> {
        let name = self.prompt_name(name).await?;
        let mut params = GetPromptRequestParams::new(name);
        params.arguments = serde_json::from_value(arguments)?;
        json(self.running.get_prompt(params).await?)
    }

    /// The first content of a resource.
    pub(crate) async fn resource(&self, uri: &str) -> Checked<Value> {
        let result = self.running.read_resource(ReadResourceRequestParams::new(uri)).await?;
        Ok(json(result)?["contents"][0].take())
    }

    /// Changes of the tools, or of one resource, reach this client from now on. With a session it hears of lists anyway.
    pub(crate) async fn watch(&self, uri: Option<&str>) -> Checked<Watching> {
        let mut watching = Watching { uri: uri.map(str::to_owned), stream: None };
        if self.stateless() {
            let mut filter = SubscriptionFilter::new();
            match uri {
                Some(uri) => filter.resource_subscriptions = Some(vec![uri.to_owned()]),
                None => filter.tools_list_changed = Some(true),
            }
            let stream = self.running.listen(filter.clone()).await?;
            equal(stream.acknowledged(), &filter)?;
            watching.stream = Some(stream);
        } else if let Some(uri) = uri {
            self.running.subscribe(SubscribeRequestParams::new(uri)).await?;
        }
        Ok(watching)
    }

    /// Waits for one more notification of this method than there were.
    pub(crate) async fn hear(
        &self,
        watching: &mut Watching,
        method: &str,
        before: usize,
    ) -> Checked {
        while let Some(stream) = &mut watching.stream {
            let next = stream.next().await?.ok_or("the stream of changes ended")?;
            self.heard.note(&next);
            if self.heard.of(method).len() > before {
                return Ok(());
            }
        }
        self.heard.until(method, before + 1).await;
        Ok(())
    }

    pub(crate) async fn stop_watching(&self, mut watching: Watching) -> Checked {
        if let Some(stream) = &mut watching.stream {
            stream.cancel().await?;
        } else if let Some(uri) = watching.uri {
            self.running.unsubscribe(UnsubscribeRequestParams::new(uri)).await?;
        }
        Ok(())
    }
}

/// What the SDK read, written again.
pub(crate) fn json(value: impl Serialize) -> Checked<Value> {
    Ok(serde_json::to_value(value)?)
}

#[expect(clippy::needless_pass_by_value, reason = "what is compared is mostly made for it")]
pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Checked {
    if found == expected {
        return Ok(());
    }
    Err(format!("expected {expected:?}, found {found:?}").into())
}
