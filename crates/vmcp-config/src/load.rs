//! From texts to a [`Config`]: parse, read the backends, read what speaks about them, join, check.

use std::io;
use std::path::Path;

use crate::conflict::{self, OverridePlace};
use crate::credentials::Credentials;
use crate::diagnostic::Diagnostics;
use crate::draft::Draft;
use crate::editor;
use crate::field::{Field, Fields};
use crate::model::{Aggregation, BackendId, Config, Naming, PrefixFormat};
use crate::reading::Reading;
use crate::report::{Place, Report};
use crate::toolhive::{self, Given, Sections};
use crate::tree::{self, Node, SyntaxError};

/// One text to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name in findings, usually a path.
    pub name: String,
    /// The text itself.
    pub text: String,
    /// What it is written in.
    pub format: Format,
}

/// What a text is written in. Whose file it is, ToolHive's or an editor's, shows in its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// JSON if it starts with `{` or a JSON comment, else YAML.
    #[default]
    Auto,
    /// YAML.
    Yaml,
    /// JSON; comments and trailing commas are fine.
    Json,
}

/// What a configuration refers to and does not hold itself. This crate asks for it; the caller answers.
#[derive(Clone, Copy)]
pub struct Surroundings<'e> {
    /// A variable of the environment.
    pub env: &'e dyn Fn(&str) -> Option<String>,
    /// The text of a file that holds a secret. The path is absolute.
    pub file: &'e dyn Fn(&Path) -> io::Result<String>,
}

/// Reads all sources as one configuration.
///
/// # Errors
///
/// All findings of the run, warnings included, if at least one of them is an error.
pub fn load(sources: &[Source], around: Surroundings<'_>) -> Result<Config, Diagnostics> {
    let names = sources.iter().map(|source| source.name.clone()).collect();
    let mut cx = Reading::new(names, around);
    let documents: Vec<Node> = sources
        .iter()
        .enumerate()
        .filter_map(|(file, source)| parse(source, file, &mut cx.report))
        .collect();
    let all_parsed = documents.len() == sources.len();

    let (editors, files): (Vec<&Node>, Vec<&Node>) =
        documents.iter().partition(|root| editor::is_editor(root));
    let mut top = Fields::default();
    for root in &files {
        if let Some(fields) = Field::root(root).fields("the configuration", &mut cx.report) {
            top.extend(fields);
        }
    }
    let mut drafts = toolhive::backends(&mut top, &mut cx);
    for root in &editors {
        for entry in editor::entries(root, &mut cx.report) {
            drafts.extend(entry.draft(&mut cx));
        }
    }
    drafts.sort_by_key(|draft| draft.at);
    let drafts = unique(drafts, &mut cx.report);
    let ids: Vec<BackendId> = drafts.iter().map(|draft| draft.id.clone()).collect();
    let sections = toolhive::sections(top, &ids, &mut cx);
    let (config, overrides) = join(drafts, sections, files.is_empty(), &mut cx);

    // Without the text that failed to parse, further findings would only mislead.
    if all_parsed {
        no_backends(&config, &mut cx);
        conflict::check(&config, &overrides, &mut cx.report);
    }
    finish(config, cx.report)
}

/// The configuration of `vmcp serve` without any file: defaults, and no backends.
pub fn demo() -> Config {
    Config { name: "vmcp-demo".to_owned(), ..Config::default() }
}

/// One text as a tree.
pub(crate) fn parse(source: &Source, file: usize, report: &mut Report) -> Option<Node> {
    let start = source.text.trim_start_matches('\u{feff}').trim_start();
    let json = match source.format {
        Format::Json => true,
        Format::Yaml => false,
        Format::Auto => start.starts_with(['{', '/']),
    };
    let parsed = if json {
        tree::parse_json(&source.text, file, report)
    } else {
        tree::parse_yaml(&source.text, file, report)
    };
    match parsed {
        Ok(root) if root.is_null() => {
            report.error(root.at, "the file is empty");
            None
        }
        Ok(root) => Some(root),
        Err(SyntaxError { at, message, hint }) => {
            report.error(at, message).hint = hint;
            None
        }
    }
}

/// Two backends of one name are an error, and the first one stays.
fn unique(drafts: Vec<Draft>, report: &mut Report) -> Vec<Draft> {
    let mut kept: Vec<Draft> = Vec::with_capacity(drafts.len());
    for draft in drafts {
        match kept.iter().find(|first| first.id == draft.id) {
            Some(first) => {
                let place = report.name(first.at);
                report
                    .error(draft.at, format!("a second backend is called `{}`", draft.id))
                    .hint(format!("the first one is at {place}; rename one of them"));
            }
            None => kept.push(draft),
        }
    }
    kept
}

/// Joins what the backends say with what is said about them.
fn join(
    drafts: Vec<Draft>,
    sections: Sections,
    only_editors: bool,
    cx: &mut Reading<'_>,
) -> (Config, Vec<OverridePlace>) {
    let Sections { mut config, aggregation, incoming, auth, calls, passed } = sections;
    let mut credentials = Credentials::new(auth, incoming);
    let alone = only_editors && drafts.len() == 1;
    let given = aggregation.unwrap_or_else(|| without_rules(alone));
    config.aggregation = given.aggregation;
    for mut draft in drafts {
        if let Some(rules) = draft.rules.take() {
            config.aggregation.tools.entry(draft.id.clone()).or_insert(rules);
        }
        draft.timeouts.call = draft.timeouts.call.or(calls.backends.get(&draft.id).copied());
        let auth = credentials.choose(&mut draft, cx);
        let at = draft.at;
        let Some(backend) = draft.finish(auth, calls.default) else { continue };
        if editor::is_own_endpoint(&backend.transport, &config) {
            cx.report
                .warning(at, format!("`{}` is vmcp's own endpoint and is left out", backend.id))
                .hint("a server behind itself would call itself for ever");
            continue;
        }
        config.backends.push(backend);
    }
    credentials.finish(&mut config.assumed, cx);
    toolhive::check_passed(&passed, &config, &mut cx.report);
    (config, given.overrides)
}

/// A single server from an editor keeps its names: with one server there is nothing to tell apart.
fn without_rules(alone: bool) -> Given {
    let format = if alone { PrefixFormat::none() } else { PrefixFormat::default() };
    let aggregation = Aggregation { naming: Naming::Prefix { format }, ..Aggregation::default() };
    Given { aggregation, ..Given::default() }
}

fn no_backends(config: &Config, cx: &mut Reading<'_>) {
    if config.backends.is_empty() && !cx.report.has_errors() {
        cx.report
            .error(Place::START, "there are no backends")
            .hint("add one to `backends` (YAML) or `mcpServers` (JSON)");
    }
}

fn finish(mut config: Config, report: Report) -> Result<Config, Diagnostics> {
    if report.has_errors() {
        return Err(report.finish());
    }
    config.warnings = report.finish().0;
    Ok(config)
}
