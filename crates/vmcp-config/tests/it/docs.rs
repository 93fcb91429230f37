//! docs/configuration.md: its examples are read, and it names every key.

use std::path::Path;

use vmcp_config::{Diagnostics, Format, Source, Surroundings};

const PAGE: &str = include_str!("../../../../docs/configuration.md");

/// Every variable and every file of an example is there.
const AROUND: Surroundings<'static> = Surroundings {
    env: &|name| Some(format!("{name}-value")),
    file: &|path: &Path| match path.extension() {
        Some(extension) if extension == "pem" => Ok("-----BEGIN PRIVATE KEY-----\n".to_owned()),
        // Keys, each another one.
        _ if path.to_string_lossy().contains("seal") => {
            Ok(format!("{:064x}\n", path.as_os_str().len()))
        }
        _ => Ok("value\n".to_owned()),
    },
};

/// The blocks of one language, each with the line that it starts in.
fn blocks(language: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = PAGE.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim() == format!("```{language}") {
            let text: Vec<&str> = lines
                .by_ref()
                .map(|(_, line)| line)
                .take_while(|line| line.trim() != "```")
                .collect();
            blocks.push((number + 1, text.join("\n") + "\n"));
        }
    }
    blocks
}

/// Backends for an example that is about another section.
fn with_backends(text: &str) -> String {
    if text.contains("backends:\n- ") || text.contains("backends:\n  - ") {
        return text.to_owned();
    }
    let mut backends = String::from("backends:\n");
    for name in ["git", "search", "crm", "mail", "cloud", "notes"] {
        backends
            .push_str(&format!("  - {{name: {name}, url: 'https://{name}.example.com/mcp'}}\n"));
    }
    backends + text
}

fn load(name: &str, text: String) -> Result<vmcp_config::Config, Diagnostics> {
    vmcp_config::load(&[Source { name: name.to_owned(), text, format: Format::Auto }], AROUND)
}

#[test]
fn every_example_is_read() {
    let yaml = blocks("yaml");
    assert!(yaml.len() >= 9, "{} examples", yaml.len());
    for (line, text) in yaml {
        let text = with_backends(&text);
        if let Err(found) = load(&format!("example of line {line}"), text.clone()) {
            panic!("{found}\n{text}");
        }
    }
    for (line, text) in blocks("json") {
        if let Err(found) = load(&format!("example of line {line}"), text.clone()) {
            panic!("{found}\n{text}");
        }
    }
}

#[test]
fn there_is_an_example_of_every_strategy() {
    let mut seen = Vec::new();
    for (_, text) in blocks("yaml") {
        let Ok(config) = load("example", with_backends(&text)) else { continue };
        seen.extend(config.backends.iter().map(|one| one.auth.strategy().to_owned()));
    }
    for strategy in [
        "header_injection",
        "token_exchange",
        "client_credentials",
        "upstream_inject",
        "xaa",
        "aws_sts",
        "oauth",
    ] {
        assert!(seen.iter().any(|one| one == strategy), "no example of `{strategy}`");
    }
}

/// What a map may hold, it tells whoever writes something else into it.
#[test]
fn every_setting_of_a_strategy_is_named() {
    let named: Vec<&str> = PAGE
        .split('`')
        .skip(1)
        .step_by(2)
        .flat_map(|span| span.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .collect();
    for (word, block) in [
        ("header_injection", "headerInjection"),
        ("token_exchange", "tokenExchange"),
        ("client_credentials", "clientCredentials"),
        ("upstream_inject", "upstreamInject"),
        ("xaa", "xaa"),
        ("aws_sts", "awsSts"),
        ("oauth", "oauth"),
    ] {
        let text = with_backends(&format!(
            "outgoingAuth: {{default: {{type: {word}, {block}: {{qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq: 1}}}}}}\n"
        ));
        let found = load("f", text).unwrap_err().to_string();
        let known = found.split_once("(known here: ").unwrap().1.split_once(')').unwrap().0;
        for key in known.split('`').skip(1).step_by(2) {
            assert!(named.contains(&key), "`{key}` of `{block}` is not in docs/configuration.md");
        }
    }
}
