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
use crate::tree::Kind;

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
    /// Strategies, below `outgoingAuth.backends`.
    strategies: String,
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
        if endpoint.url.is_some() {
            self.line(
                4,
                "network: {private: true} # as in the editor: it may be in a private network",
            );
        }
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
        self.login(entry, report);
    }

    /// What an editor does about logins without being told has to be told here.
    fn login(&mut self, entry: &Entry<'_>, report: &mut Report) {
        let is_process = match entry.endpoint.word {
            Some((word, _)) => word == TransportWord::Stdio,
            None => entry.endpoint.url.is_none(),
        };
        let headers = entry.endpoint.headers.map(|field| field.members(report)).unwrap_or_default();
        let has_token = headers.iter().any(|member| editor::is_authorization(member.key));
        if is_process || has_token || entry.login.is_off {
            return;
        }
        let lines = self.login_lines(entry, report);
        let id = quoted(entry.id.as_str());
        // Writing to a String cannot fail.
        let _ = writeln!(self.strategies, "    {id}:\n      type: oauth");
        if !lines.is_empty() {
            let _ = writeln!(self.strategies, "      oauth:");
        }
        for line in lines {
            let _ = writeln!(self.strategies, "        {line}");
        }
    }

    fn login_lines(&mut self, entry: &Entry<'_>, report: &mut Report) -> Vec<String> {
        let login = &entry.login;
        if login.key.is_none() {
            return vec!["passive: true".to_owned()];
        }
        let mut lines = Vec::new();
        for (key, field) in [
            ("clientId", login.client_id),
            ("clientSecret", login.client_secret),
            ("callbackPort", login.callback_port),
        ] {
            let Some(field) = field else { continue };
            let text = self.filled(field, report);
            // A port is a number, and stays one.
            let is_number = key == "callbackPort" && text.parse::<u16>().is_ok();
            let value = if is_number { text } else { quoted(&text) };
            lines.push(format!("{key}: {value}"));
        }
        if let Some(field) = login.scopes {
            let items = match field.node.kind() {
                Kind::Seq => field.items(report),
                _ => vec![field],
            };
            let scopes: Vec<String> =
                items.into_iter().map(|item| self.filled(item, report)).collect();
            lines.push(format!("scopes: {}", quoted(&scopes.join(" "))));
        }
        if let Some(field) = login.issuer {
            let text = self.filled(field, report);
            let issuer = editor::issuer_of(field.key, &text).unwrap_or(text);
            lines.push(format!("issuer: {}", quoted(&issuer)));
        }
        lines
    }

    fn value(&mut self, indent: usize, key: &str, field: Field<'_>, report: &mut Report) {
        // A header's value may be a map that says where it is.
        let text = match field.node.kind() {
            Kind::Map => field.node.to_json().to_string(),
            _ => self.text(field, report),
        };
        self.line(indent, &format!("{key}: {text}"));
    }

    /// A scalar, quoted.
    fn text(&mut self, field: Field<'_>, report: &mut Report) -> String {
        quoted(&self.filled(field, report))
    }

    /// A scalar with an editor's inputs turned into variables.
    fn filled(&mut self, field: Field<'_>, report: &mut Report) -> String {
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
        whole
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
        let strategies = if self.strategies.is_empty() {
            String::new()
        } else {
            format!("{STRATEGIES}{}", self.strategies)
        };
        yaml + LABELS + &self.backends + AUTH + &strategies + TAIL
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

const AUTH: &str = r#"
# Who may call vmcp: everybody who can connect, so keep it on the loopback address.
incomingAuth:
  type: anonymous

# As whom vmcp calls the servers. By default nothing is added to what `headers` says.
outgoingAuth:
  source: inline
  default:
    type: unauthenticated
"#;

const STRATEGIES: &str = "  # `passive`: as in the editor, the server says whether a login is needed: `vmcp auth login NAME`.
  backends:
";

const TAIL: &str = r#"
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
