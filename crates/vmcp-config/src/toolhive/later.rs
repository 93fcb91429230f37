//! Keys of parts that are not built: known, checked, and refused by name.

use crate::field::{Field, Fields};
use crate::reading::Reading;
use crate::shape::Shape::{Any, Bool, Dict, Duration, List, Map, Number, OneOf, Ref, Text};
use crate::shape::{self, Shape};
use crate::tree::Value;

/// A key of the format, and what it looks like.
type Known = (&'static str, Shape);

/// Refuses the top-level sections.
pub(super) fn refuse(top: &mut Fields<'_>, cx: &mut Reading<'_>) {
    refuse_in(top, "", SECTIONS, cx);
    if let Some(field) = top.get("optimizer") {
        // Here the mere presence of the section switches it on.
        shape::check(field, &OPTIMIZER, &mut cx.report);
        cx.report.not_yet(field.key_at, "optimizer");
    }
    if let Some(field) = top.get("sessionStorage") {
        shape::check(field, &SESSION_STORAGE, &mut cx.report);
        refuse_unless(field, "provider", "memory", "sessionStorage.provider", cx);
    }
    if let Some(field) = top.get("telemetry") {
        refuse_telemetry(field, cx);
    }
}

/// Refuses those of the `known` keys that are there and not switched off.
pub(super) fn refuse_in(
    fields: &mut Fields<'_>,
    section: &str,
    known: &'static [Known],
    cx: &mut Reading<'_>,
) {
    for (key, shape) in known {
        let Some(field) = fields.get(key) else { continue };
        shape::check(field, shape, &mut cx.report);
        if !shape::is_off(field.node) {
            let dot = if section.is_empty() { "" } else { "." };
            cx.report.not_yet(field.key_at, &format!("{section}{dot}{key}"));
        }
    }
}

/// `operational.failureHandling`: what vmcp does anyway is fine, the rest would have to act.
pub(super) fn refuse_failure_handling(field: Field<'_>, cx: &mut Reading<'_>) {
    let Some(mut fields) = field.fields("`failureHandling`", &mut cx.report) else { return };
    refuse_in(&mut fields, "operational.failureHandling", FAILURE_HANDLING, cx);
    if let Some(mode) = fields.get("partialFailureMode") {
        let fails = mode.choice(&[("best_effort", false), ("fail", true)], &mut cx.report);
        if fails == Some(true) {
            cx.report
                .not_yet(mode.at(), "operational.failureHandling.partialFailureMode: fail")
                .hint("a broken backend costs its own tools only: `best_effort`");
        }
    }
    fields.finish(&mut cx.report);
}

/// `telemetry`: `/metrics` is always there, so that may be asked for; an exporter may not.
fn refuse_telemetry(field: Field<'_>, cx: &mut Reading<'_>) {
    let Some(mut fields) = field.fields("`telemetry`", &mut cx.report) else { return };
    if let Some(path) = fields.get("enablePrometheusMetricsPath")
        && path.bool(&mut cx.report) == Some(false)
    {
        cx.report
            .not_yet(path.at(), "telemetry.enablePrometheusMetricsPath: false")
            .hint("`/metrics` is always there");
    }
    refuse_in(&mut fields, "telemetry", TELEMETRY, cx);
    fields.finish(&mut cx.report);
}

/// Refuses a section unless its `key` has the one value that vmcp knows.
fn refuse_unless(field: Field<'_>, key: &str, wanted: &str, name: &str, cx: &mut Reading<'_>) {
    let Value::Map(entries) = &field.node.value else { return };
    let Some(entry) = entries.iter().find(|entry| entry.key == key) else { return };
    if let Value::Scalar { text, .. } = &entry.node.value
        && text != wanted
    {
        cx.report.not_yet(entry.node.at, &format!("{name}: {text}"));
    }
}

// --- the tables: the format's own words ---

pub(super) const OIDC: &[Known] = &[
    ("clientId", Text),
    ("clientSecretEnv", Text),
    ("introspectionUrl", Text),
    ("protectedResourceAllowPrivateIp", Bool),
];

pub(super) const TOOL_RULES: &[Known] = &[("toolConfigRef", Map(&[("name*", Text)]))];

const FAILURE_HANDLING: &[Known] = &[
    ("healthCheckInterval", Duration),
    ("unhealthyThreshold", Number),
    ("healthCheckTimeout", Duration),
    ("statusReportingInterval", Duration),
    (
        "circuitBreaker",
        Map(&[("enabled", Bool), ("failureThreshold", Number), ("timeout", Duration)]),
    ),
];

const TELEMETRY: &[Known] = &[
    ("endpoint", Text),
    ("serviceName", Text),
    ("serviceVersion", Text),
    ("tracingEnabled", Bool),
    ("metricsEnabled", Bool),
    ("samplingRate", Number),
    ("headers", Dict(&Text)),
    ("insecure", Bool),
    ("prometheusPort", Number),
    ("metricsOnTransportPort", Bool),
    ("environmentVariables", List(&Text)),
    ("customAttributes", Dict(&Text)),
    ("useLegacyAttributes", Bool),
    ("caCertPath", Text),
];

static OPTIMIZER: Shape = Map(&[
    ("embeddingService", Text),
    ("embeddingServiceTimeout", Duration),
    ("embeddingProvider", OneOf(&["tei", "openai"])),
    ("embeddingModel", Text),
    ("embeddingHeaders", Dict(&Text)),
    ("maxToolsToReturn", Number),
    ("hybridSearchSemanticRatio", Number),
    ("semanticDistanceThreshold", Number),
]);

static SESSION_STORAGE: Shape = Map(&[
    ("provider*", OneOf(&["memory", "redis"])),
    ("address", Text),
    ("db", Number),
    ("keyPrefix", Text),
]);

const SECTIONS: &[Known] = &[
    ("compositeTools", List(&COMPOSITE_TOOL)),
    ("compositeToolRefs", List(&Map(&[("name*", Text)]))),
    (
        "audit",
        Map(&[
            ("enabled", Bool),
            ("component", Text),
            ("eventTypes", List(&Text)),
            ("excludeEventTypes", List(&Text)),
            ("includeRequestData", Bool),
            ("includeResponseData", Bool),
            ("detectApplicationErrors", Bool),
            ("maxDataSize", Number),
            ("maxDelegationDepth", Number),
            ("logFile", Text),
        ]),
    ),
    (
        "codeMode",
        Map(&[
            ("enabled", Bool),
            ("stepLimit", Number),
            ("parallelMaxConcurrency", Number),
            ("toolCallTimeout", Duration),
        ]),
    ),
    (
        "rateLimiting",
        Map(&[
            ("shared", BUCKET),
            ("perUser", BUCKET),
            ("tools", List(&Map(&[("name*", Text), ("shared", BUCKET), ("perUser", BUCKET)]))),
        ]),
    ),
];

const BUCKET: Shape = Map(&[("maxTokens*", Number), ("refillPeriod*", Duration)]);

static COMPOSITE_TOOL: Shape = Map(&[
    ("name*", Text),
    ("description*", Text),
    ("parameters", Dict(&Any)),
    ("timeout", Duration),
    ("steps*", List(&STEP)),
    ("output", Map(&[("properties*", Dict(&OUTPUT)), ("required", List(&Text))])),
    ("annotations", Dict(&Any)),
]);

static STEP: Shape = Map(&[
    ("id*", Text),
    ("type", OneOf(&["tool", "elicitation", "forEach"])),
    ("tool", Text),
    ("arguments", Dict(&Any)),
    ("condition", Text),
    ("dependsOn", List(&Text)),
    (
        "onError",
        Map(&[
            ("action*", OneOf(&["abort", "continue", "retry"])),
            ("retryCount", Number),
            ("retryDelay", Duration),
        ]),
    ),
    ("timeout", Duration),
    ("message", Text),
    ("schema", Dict(&Any)),
    ("onDecline", ON_ANSWER),
    ("onCancel", ON_ANSWER),
    ("defaultResults", Dict(&Any)),
    ("collection", Text),
    ("itemVar", Text),
    ("maxParallel", Number),
    ("maxIterations", Number),
    ("step", Ref(&STEP)),
]);

const ON_ANSWER: Shape = Map(&[("action*", OneOf(&["skip_remaining", "abort", "continue"]))]);

static OUTPUT: Shape = Map(&[
    ("type*", OneOf(&["string", "integer", "number", "boolean", "object", "array"])),
    ("description*", Text),
    ("value", Text),
    ("properties", Dict(&Ref(&OUTPUT))),
    ("default", Any),
]);
