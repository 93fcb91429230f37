//! A first YAML from an editor's file: complete, commented, and with variables left as variables.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::diagnostic::Diagnostics;
use crate::editor::{self, Entry};
use crate::endpoint::TransportWord;
use crate::expand::{self, Part};
use crate::field::Field;
use crate::load::{Source, parse};
use crate::reading::variable_for;
use crate::report::{Place, Report};

/// Writes a YAML with the servers of the sources. A server of the same name as an earlier one is left out, and
/// a comment says so. A VS Code input becomes a variable of the environment.
///
/// # Errors
///
/// The findings that make a source unreadable. Whether its values make sense is for [`load`](crate::load()).
pub fn init_yaml(sources: &[Source]) -> Result<String, Diagnostics> {
    let mut report = Report::new(sources.iter().map(|source| source.name.clone()).collect());
    let mut writer = Writer::default();
    for (file, source) in sources.iter().enumerate() {
        let Some(root) = parse(source, file, &mut report) else { continue };
        if !editor::is_editor(&root) {
            report
                .error(root.at, "this is not an editor's MCP file")
                .hint("it has neither `mcpServers` nor `servers`");
            continue;
        }
        for entry in editor::entries(&root, &mut report) {
            writer.entry(&entry, &source.name, &mut report);
        }
    }
    if writer.names.is_empty() && !report.has_errors() {
        report.error(Place::START, "there is no server to write down");
    }
    if report.has_errors() { Err(report.finish()) } else { Ok(writer.finish(sources)) }
}

#[derive(Default)]
struct Writer {
    backends: String,
    names: BTreeSet<String>,
    /// Variables that stand where the editor had inputs.
    inputs: BTreeSet<String>,
}

// === impl Writer ===

impl Writer {
    fn entry(&mut self, entry: &Entry<'_>, file: &str, report: &mut Report) {
        if entry.disabled {
            return self.line(2, &format!("# `{}` is disabled in {file}", entry.name));
        }
        if entry.starts_vmcp() {
            return self.line(2, &format!("# `{}` is vmcp itself: left out", entry.name));
        }
        if self.names.contains(entry.id.as_str()) {
            return self.line(2, &format!("# another `{}` is in {file}: left out", entry.id));
        }
        let endpoint = &entry.endpoint;
        let Some(main) = endpoint.url.or(endpoint.command) else {
            report.error(entry.at, format!("server `{}` needs `url` or `command`", entry.name));
            return;
        };
        self.names.insert(entry.id.as_str().to_owned());
        self.line(2, &format!("# from {file}"));
        self.line(2, &format!("- name: {}", quoted(entry.id.as_str())));
        match endpoint.word.map(|(word, _)| word) {
            _ if endpoint.url.is_none() => self.line(4, "transport: stdio"),
            Some(TransportWord::StreamableHttp) => self.line(4, "transport: streamable-http"),
            Some(TransportWord::Sse) => self.line(4, "transport: sse"),
            _ => self.line(4, "# no transport: streamable HTTP first, then SSE"),
        }
        self.value(4, if endpoint.url.is_some() { "url" } else { "command" }, main, report);
        if let Some(args) = endpoint.args {
            self.line(4, "args:");
            for item in args.items(report) {
                let text = self.text(item, report);
                self.line(6, &format!("- {text}"));
            }
        }
        for (key, field) in [("env", endpoint.env), ("headers", endpoint.headers)] {
            let Some(field) = field else { continue };
            let members = field.members(report);
            self.line(
                4,
                &if members.is_empty() { format!("{key}: {{}}") } else { format!("{key}:") },
            );
            for member in members {
                self.value(6, &quoted(member.key), member, report);
            }
        }
        if let Some(cwd) = endpoint.cwd {
            self.value(4, "cwd", cwd, report);
        }
    }

    fn value(&mut self, indent: usize, key: &str, field: Field<'_>, report: &mut Report) {
        let text = self.text(field, report);
        self.line(indent, &format!("{key}: {text}"));
    }

    /// A scalar, quoted, with an editor's inputs turned into variables.
    fn text(&mut self, field: Field<'_>, report: &mut Report) -> String {
        let mut whole = String::new();
        for (_, part) in expand::parts(field.spelled(report).unwrap_or_default()) {
            match part {
                Part::Escaped => whole.push_str("$${"),
                Part::Text(text) => whole.push_str(text),
                Part::Variable { name, default: None } => {
                    let _ = write!(whole, "${{{name}}}");
                }
                Part::Variable { name, default: Some(default) } => {
                    let _ = write!(whole, "${{{name}:-{default}}}");
                }
                Part::Other(inner) => match inner.strip_prefix("input:") {
                    Some(id) => {
                        let name = variable_for(id);
                        let _ = write!(whole, "${{{name}}}");
                        self.inputs.insert(name);
                    }
                    None => {
                        let _ = write!(whole, "${{{inner}}}");
                    }
                },
            }
        }
        quoted(&whole)
    }

    fn line(&mut self, indent: usize, text: &str) {
        // Writing to a String cannot fail. A file name must not break out of its comment.
        let text = text.replace(['\n', '\r'], " ");
        let _ = writeln!(self.backends, "{:indent$}{text}", "");
    }

    fn finish(self, sources: &[Source]) -> String {
        let files: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        let mut yaml = HEAD.replace("{files}", &files.join(", ").replace(['\n', '\r'], " "));
        if !self.inputs.is_empty() {
            yaml.push_str("#\n# The editor asked for these; set them before vmcp starts:\n");
            for name in &self.inputs {
                let _ = writeln!(yaml, "#   {name}");
            }
        }
        yaml + LABELS + &self.backends + TAIL
    }
}

/// A string as YAML and JSON both read it; plain where nothing can go wrong.
fn quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./@".contains(c))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

const HEAD: &str = "\
# vmcp: one MCP endpoint in front of many MCP servers.
# Made from {files}
#
#   vmcp validate --config THIS_FILE    says what is wrong with it
#   vmcp serve --config THIS_FILE       serves it
#
# Values of `url`, `headers`, `command`, `args`, `env` and `cwd` may use variables of the environment:
# ${VAR}, ${VAR:-default}. Keep secrets in them, not here.
";

const LABELS: &str = r#"
# What clients are told the server is called.
name: vmcp
groupRef: default

# Where clients connect: http://127.0.0.1:4483/mcp
listen: "127.0.0.1:4483"

# The servers behind the endpoint. A child process is shared by all clients; `process: session` starts one for
# each. `timeout: 30s` bounds its calls.
backends:
"#;

const TAIL: &str = r#"
# Who may call vmcp: everybody who can connect, so keep it on the loopback address.
incomingAuth:
  type: anonymous

# As whom vmcp calls the servers: nothing is added to what `headers` says.
outgoingAuth:
  source: inline
  default:
    type: unauthenticated

# What tools are called: `prefix`, `priority` (needs priorityOrder) or `manual` (needs overrides).
aggregation:
  conflictResolution: prefix
  conflictResolutionConfig:
    prefixFormat: "{workload}_"
  # defaultToolVisibility: allow
  # tools:
  #   - workload: NAME_OF_A_BACKEND
  #     filter: [only, these, tools]
  #     overrides:
  #       its_own_name:
  #         name: a_better_name
  #         description: A better description.

# operational:
#   logLevel: info
#   timeouts:
#     default: 60s
#     perWorkload:
#       NAME_OF_A_BACKEND: 5m

# Every bound has a default; for example:
# session:
#   idle: 30m
#   maxSessions: 10000
# limits:
#   maxRequestBytes: 8MiB
"#;
