//! What was understood of a configuration. No secret, no argument and no header value is shown.

use serde_json::{Value, json};
use vmcp_config::{Backend, Config, Naming, OutgoingAuth, ProcessScope, Transport, Visibility};

use crate::say;

/// For people.
pub(super) fn text(config: &Config) -> String {
    let listen: Vec<String> =
        config.listen.addrs.iter().map(|addr| config.listen.url(*addr)).collect();
    let mut lines = vec![
        format!("{}: {}", config.name, say::count(config.backends.len(), "backend")),
        format!("  listens at {}", listen.join(", ")),
        format!("  names tools by {}", naming(&config.aggregation.naming)),
    ];
    if config.aggregation.exclude_all {
        lines.push("  shows no tools at all".to_owned());
    } else if config.aggregation.default_visibility == Visibility::Deny {
        lines.push("  shows only the tools that have a rule".to_owned());
    }
    if !config.assumed.is_empty() {
        lines.push(format!("  not given, so: {}", config.assumed.join("; ")));
    }
    let rows: Vec<Vec<String>> = config.backends.iter().map(|one| row(config, one)).collect();
    lines.push(String::new());
    lines.push(say::table(&rows));
    lines.join("\n")
}

/// For programs.
pub(super) fn machine(config: &Config) -> Value {
    let backend = |backend: &Backend| {
        json!({
            "id": backend.id.as_str(),
            "transport": backend.transport.as_str(),
            "target": target(&backend.transport),
            "auth": auth(&backend.auth),
            "headers": backend.headers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "callTimeoutMs": backend.timeouts.call.as_millis() as u64,
        })
    };
    json!({
        "name": config.name,
        "group": config.group,
        "listen": config.listen.addrs,
        "path": config.listen.path,
        "sse": config.listen.sse,
        "naming": naming(&config.aggregation.naming),
        "assumed": config.assumed,
        "backends": config.backends.iter().map(backend).collect::<Vec<_>>(),
    })
}

fn row(config: &Config, backend: &Backend) -> Vec<String> {
    let mut notes = Vec::new();
    if is_worth_a_note(&backend.auth) {
        notes.push(format!("auth {}", auth(&backend.auth)));
    }
    let headers: Vec<&str> = backend.headers.iter().map(|(name, _)| name.as_str()).collect();
    if !headers.is_empty() {
        notes.push(format!("sends {}", headers.join(", ")));
    }
    if let Transport::Stdio(stdio) = &backend.transport
        && stdio.process == ProcessScope::PerSession
    {
        notes.push("a process per session".to_owned());
    }
    if let Some(rules) = config.aggregation.tools.get(&backend.id) {
        match &rules.filter {
            _ if rules.exclude_all => notes.push("no tools shown".to_owned()),
            Some(filter) => notes.push(format!("{} shown", say::count(filter.len(), "tool"))),
            None => {}
        }
        if !rules.overrides.is_empty() {
            notes.push(say::count(rules.overrides.len(), "override"));
        }
    }
    vec![
        format!("  {}", backend.id),
        backend.transport.as_str().to_owned(),
        target(&backend.transport),
        notes.join("; "),
    ]
}

/// Not where nothing is added, or nothing unless somebody logged in.
fn is_worth_a_note(auth: &OutgoingAuth) -> bool {
    !matches!(auth, OutgoingAuth::Unauthenticated)
        && !matches!(auth, OutgoingAuth::OAuth(oauth) if oauth.passive)
}

fn target(transport: &Transport) -> String {
    match transport {
        Transport::Stdio(stdio) if stdio.args.is_empty() => stdio.command.clone(),
        Transport::Stdio(stdio) => {
            format!("{} + {}", stdio.command, say::count(stdio.args.len(), "argument"))
        }
        other => other.url().map(ToString::to_string).unwrap_or_default(),
    }
}

fn auth(auth: &OutgoingAuth) -> String {
    match auth {
        OutgoingAuth::HeaderInjection(header) => format!("header_injection of {}", header.name),
        other => other.strategy().to_owned(),
    }
}

fn naming(naming: &Naming) -> String {
    match naming {
        Naming::Prefix { format } if format.as_str().is_empty() => "their own names".to_owned(),
        Naming::Prefix { format } => format!("prefix {}", format.as_str()),
        Naming::Priority { order, .. } => {
            let order: Vec<&str> = order.iter().map(|id| id.as_str()).collect();
            format!("priority of {}", order.join(", "))
        }
        Naming::Manual => "overrides (manual)".to_owned(),
    }
}
