//! The MCP file of an editor: `mcpServers` (most clients) or `servers` (VS Code).
//!
//! The file belongs to the editor. Its other keys are left alone, but an entry's keys are read strictly: each
//! is understood, or known to matter to the editor only, or an error.

use crate::draft::Draft;
use crate::endpoint::{self, Endpoint, TransportWord};
use crate::field::{Field, Fields};
use crate::model::{BackendId, Config, Network, ToolRules, Transport};
use crate::nearest;
use crate::reading::Reading;
use crate::report::{Place, Report};
use crate::tree::{Kind, Node, Value};

mod login;

pub(crate) use login::{Login, is_authorization, issuer_of};

/// Under these keys stand entries, one per server.
pub(crate) const ROOTS: [&str; 2] = ["mcpServers", "servers"];

/// Keys of an entry that matter to the editor that wrote it, not to who runs the server.
const PRIVATE: [&str; 22] = [
    "autoApprove",
    "alwaysAllow",
    "autoStart",
    "chat.autostart",
    "description",
    "dev",
    "displayName",
    "gallery",
    "icon",
    "iconUrl",
    "icons",
    "id",
    "name",
    "note",
    "notes",
    "sandboxEnabled",
    "source",
    "timeout",
    "toolTimeout",
    "trust",
    "version",
    "$comment",
];

/// Keys of an entry that say how to reach or restrict the server, and are not built.
const NOT_YET: [(&str, &str); 6] = [
    ("envFile", "set the variables before vmcp starts and use `${NAME}` in `env`"),
    ("excludeTools", "use `aggregation.tools` of the YAML"),
    ("disabledTools", "use `aggregation.tools` of the YAML"),
    ("headersHelper", "give the headers in `headers`, from variables"),
    ("authorization_token", "give the token in `headers`"),
    ("sandbox", "remove it, or start the sandbox in `command`"),
];

/// One server as the editor's file has it.
#[derive(Debug)]
pub(crate) struct Entry<'t> {
    pub(crate) name: &'t str,
    pub(crate) id: BackendId,
    pub(crate) at: Place,
    pub(crate) disabled: bool,
    pub(crate) endpoint: Endpoint<'t>,
    pub(crate) tools: Option<Field<'t>>,
    pub(crate) login: Login<'t>,
}

/// Whether a document is an editor's: by its keys, whatever it is written in.
pub(crate) fn is_editor(root: &Node) -> bool {
    let Value::Map(entries) = &root.value else { return false };
    let has = |key: &str| entries.iter().any(|entry| entry.key == key);
    !has("backends") && (ROOTS.iter().any(|root| has(root)) || nested(root).is_some())
}

/// VS Code's settings keep the file under `mcp`.
fn nested(root: &Node) -> Option<&Node> {
    let Value::Map(entries) = &root.value else { return None };
    let inner = &entries.iter().find(|entry| entry.key == "mcp")?.node;
    let Value::Map(members) = &inner.value else { return None };
    members.iter().any(|entry| ROOTS.contains(&entry.key.as_str())).then_some(inner)
}

/// Takes the file apart. Values are left as they are spelled.
pub(crate) fn entries<'t>(root: &'t Node, report: &mut Report) -> Vec<Entry<'t>> {
    let root = nested(root).unwrap_or(root);
    let Some(mut fields) = Field::root(root).fields("an editor's file", report) else {
        return Vec::new();
    };
    let mut servers = Vec::new();
    for key in ROOTS {
        for member in fields.get(key).map(|field| field.members(report)).unwrap_or_default() {
            servers.extend(entry(member, report));
        }
    }
    fields.get("inputs");
    others(&fields, report);
    servers
}

/// The editor's own settings are none of our business; a misspelt root is.
fn others(fields: &Fields<'_>, report: &mut Report) {
    for field in fields.unknown() {
        if let Some(meant) = nearest::nearest(field.key, ROOTS) {
            report
                .warning(field.key_at, format!("`{}` is left alone", field.key))
                .hint(format!("did you mean `{meant}`?"));
        }
    }
}

fn entry<'t>(field: Field<'t>, report: &mut Report) -> Option<Entry<'t>> {
    let what = format!("server `{}`", field.key);
    let mut fields = field.fields(&what, report)?;
    let id = id(field, report);
    let mut endpoint = Endpoint::shared(&mut fields);
    endpoint.word_key = "type";
    for key in ["type", "transport", "transportType"] {
        let Some(word) = fields.get(key) else { continue };
        endpoint.word_key = key;
        endpoint.word = endpoint::transport_word(word, report);
    }
    if let Some(url) = fields.get("serverUrl") {
        endpoint.url = endpoint.url.or(Some(url));
    }
    if let Some(url) = fields.get("httpUrl") {
        endpoint.url = endpoint.url.or(Some(url));
        endpoint.word = endpoint.word.or(Some((TransportWord::StreamableHttp, url.key_at)));
    }
    let disabled = fields.get("disabled").and_then(|field| field.bool(report)) == Some(true)
        || fields.get("enabled").and_then(|field| field.bool(report)) == Some(false);
    let tools = fields.get("includeTools");
    let tools = tools.or(fields.get("tools"));
    let login = Login::of_entry(&mut fields, report);
    if let Some(provider) = fields.get("authProviderType") {
        // The others are credentials of one vendor's cloud.
        provider.choice(&[("dynamic_discovery", ())], report);
    }
    for (key, instead) in NOT_YET {
        if let Some(field) = fields.get(key).filter(|field| !crate::shape::is_off(field.node)) {
            report.not_yet(field.key_at, key).hint(instead);
        }
    }
    private(&mut fields, report);
    fields.finish(report);
    Some(Entry { name: field.key, id: id?, at: field.key_at, disabled, endpoint, tools, login })
}

fn private(fields: &mut Fields<'_>, report: &mut Report) {
    for key in PRIVATE {
        // Where the key only describes the server, nothing is lost and nothing need be said.
        let harmless =
            !matches!(key, "autoApprove" | "alwaysAllow" | "timeout" | "toolTimeout" | "trust");
        let Some(field) = fields.get(key).filter(|_| !harmless) else { continue };
        let warning = report.warning(field.key_at, format!("`{key}` matters to the editor only"));
        if key == "timeout" {
            warning.hint("editors disagree on its unit; vmcp's own is `timeout` in the YAML");
        }
    }
}

/// An id of letters, digits, `-` and `_`, as it goes into the names of tools.
fn id(field: Field<'_>, report: &mut Report) -> Option<BackendId> {
    let mut id = String::with_capacity(field.key.len());
    for c in field.key.chars() {
        if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
            id.push(c);
        } else if !id.ends_with('-') {
            id.push('-');
        }
    }
    let id = id.trim_matches('-');
    if id.is_empty() {
        report
            .error(field.key_at, format!("no name can be made of `{}`", field.key))
            .hint("give the server a name with letters or digits");
        return None;
    }
    Some(BackendId::from(&id[..id.len().min(MAX_ID_LEN)]))
}

/// As in the YAML.
const MAX_ID_LEN: usize = 48;

// === impl Entry ===

impl Entry<'_> {
    /// The backend, with its variables filled in.
    pub(crate) fn draft(&self, cx: &mut Reading<'_>) -> Option<Draft> {
        if self.disabled {
            return None;
        }
        if self.starts_vmcp() {
            cx.report
                .warning(self.at, format!("`{}` is vmcp itself and is left out", self.name))
                .hint("a server behind itself would call itself for ever");
            return None;
        }
        let what = format!("server `{}`", self.name);
        let transport = self.endpoint.transport(&what, self.at, cx);
        let headers = self.endpoint.headers(cx);
        let is_process = matches!(transport, Some(Transport::Stdio(_)));
        let auth = self.login.auth_of(&headers, is_process, cx);
        let rules = self.tools.and_then(|field| rules(field, cx));
        Some(Draft {
            id: self.id.clone(),
            at: self.at,
            transport,
            protocol: vmcp_wire::revision::Protocol::default(),
            headers,
            ca_bundle: None,
            timeouts: crate::draft::DraftTimeouts::default(),
            // There is no key for it in such a file, and what stands there is what its user connects to anyway.
            network: Network { private: (!is_process).then_some(true), allow: Vec::new() },
            auth,
            rules,
        })
    }

    pub(crate) fn starts_vmcp(&self) -> bool {
        let Some(Value::Scalar { text, .. }) = self.endpoint.command.map(|field| &field.node.value)
        else {
            return false;
        };
        let program = text.rsplit(['/', '\\']).next().unwrap_or(text);
        matches!(program, "vmcp" | "vmcp.exe")
    }
}

/// Whether a backend is the endpoint that vmcp itself is about to open.
pub(crate) fn is_own_endpoint(transport: &Transport, config: &Config) -> bool {
    let Some(url) = transport.url().map(|url| url.as_url()) else { return false };
    let port = url.port_or_known_default();
    endpoint::is_loopback(url)
        && (url.path() == config.listen.path || Some(url.path()) == config.listen.sse.as_deref())
        && config.listen.addrs.iter().any(|addr| Some(addr.port()) == port)
}

/// `["*"]` is all tools; other names are the only ones.
fn rules(field: Field<'_>, cx: &mut Reading<'_>) -> Option<ToolRules> {
    if field.node.kind() == Kind::Map {
        // Some editors keep per-tool settings under this name.
        let warning = cx.report.warning(field.key_at, format!("`{}` is left alone", field.key));
        warning.hint("only a list of names is understood");
        return None;
    }
    let items = field.items(&mut cx.report);
    let names: Vec<&str> = items.into_iter().filter_map(|item| item.text(&mut cx.report)).collect();
    if names.contains(&"*") {
        return None;
    }
    let filter = names.into_iter().map(str::to_owned).collect();
    Some(ToolRules { filter: Some(filter), ..ToolRules::default() })
}
