//! The operators' pages: health, readiness, status, metrics. States without addresses.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde::Serialize;
use vmcp_gateway::{BackendState, Status};

use crate::edge::Edge;
use crate::respond::body::ReplyBody;
use crate::respond::{Rejection, page};

const TEXT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

#[derive(Serialize)]
struct StatusPage<'a> {
    name: &'a str,
    version: &'static str,
    group_ref: &'a str,
    healthy: bool,
    sessions: usize,
    backends: Vec<BackendLine<'a>>,
}

#[derive(Serialize)]
struct BackendLine<'a> {
    name: &'a str,
    health: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mcp_revision: Option<&'static str>,
    /// Who was told what it offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    /// How long ago it confirmed that.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
    sessions: usize,
    tools: usize,
    resources: usize,
    templates: usize,
    prompts: usize,
}

/// Answers a path that is not the endpoint's.
pub(crate) fn answer(edge: &Arc<Edge>, head: &Parts) -> Result<Response<ReplyBody>, Rejection> {
    let page = match head.uri.path() {
        "/health" => health,
        "/readyz" => ready,
        "/status" => status,
        "/metrics" => metrics,
        _ => return Err(Rejection::new(StatusCode::NOT_FOUND, "there is nothing here")),
    };
    if head.method != Method::GET && head.method != Method::HEAD {
        return Err(Rejection::method_not_allowed("GET, HEAD"));
    }
    let mut response = page(edge)?;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

type Page = Result<Response<ReplyBody>, Rejection>;

/// The process runs.
fn health(_edge: &Arc<Edge>) -> Page {
    json(StatusCode::OK, &Ready { status: "ok", reason: None })
}

/// New clients are welcome, and would find something.
fn ready(edge: &Arc<Edge>) -> Page {
    let reason = if edge.tasks.draining().is_cancelled() {
        Some("stopping")
    } else {
        // One slow backend must not hold back the others, so one that was tried to an end is enough.
        let backends = edge.gateway.status().backends;
        let tried = |state| state != BackendState::Connecting;
        let any = backends.is_empty() || backends.iter().any(|backend| tried(backend.state));
        (!any).then_some("connecting")
    };
    match reason {
        None => json(StatusCode::OK, &Ready { status: "ready", reason }),
        _ => json(StatusCode::SERVICE_UNAVAILABLE, &Ready { status: "not_ready", reason }),
    }
}

/// The backends and how they are.
fn status(edge: &Arc<Edge>) -> Page {
    let Status { name, backends, .. } = &edge.gateway.status();
    let lines: Vec<BackendLine<'_>> = backends
        .iter()
        .map(|backend| BackendLine {
            name: backend.id.as_str(),
            health: backend.state.as_str(),
            reason: backend.reason.map(|reason| reason.as_str()),
            advice: backend.advice(),
            mcp_revision: backend.revision,
            source: backend.source.map(|source| source.as_str()),
            age_seconds: backend.age.map(|age| age.as_secs()),
            sessions: backend.sessions,
            tools: backend.offers.tools,
            resources: backend.offers.resources,
            templates: backend.offers.templates,
            prompts: backend.offers.prompts,
        })
        .collect();
    let page = StatusPage {
        name,
        version: env!("CARGO_PKG_VERSION"),
        group_ref: &edge.config.group,
        healthy: backends.iter().any(|backend| backend.state.is_fine()),
        sessions: edge.sessions.count(),
        backends: lines,
    };
    json(StatusCode::OK, &page)
}

/// Everything that is counted.
fn metrics(edge: &Arc<Edge>) -> Page {
    let text = edge.metrics.text(edge.sessions.count()).map_err(|_| Rejection::internal())?;
    Ok(page::content(TEXT, ReplyBody::whole(text.into())))
}

fn json(status: StatusCode, value: &impl Serialize) -> Page {
    let bytes = serde_json::to_vec(value).map_err(|_| Rejection::internal())?;
    let mut response = page::json(Bytes::from(bytes));
    *response.status_mut() = status;
    Ok(response)
}
