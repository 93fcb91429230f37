//! The crate as its users see it: texts in, a configuration or findings out.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod backends;
mod bad;
mod callers;
mod catalogues;
mod clients_bad;
mod docs;
mod editors;
mod logins;
mod marked;
mod properties;
mod protocols;
mod seals;
mod strategies;
mod strategies_bad;
mod tls;
mod toolhive;

use std::path::Path;

use vmcp_config::{Config, Diagnostics, Format, Source, Surroundings};

/// Variables the tests may use.
fn env(name: &str) -> Option<String> {
    let value = match name {
        "TOKEN" => "s3cret",
        "HOME" => "/home/me",
        "EMPTY" => "",
        "SEAL_KEY" => "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "TWO_LINES" => "a\nb",
        _ => return None,
    };
    Some(value.to_owned())
}

const KEY: &str = "PRIVATE KEY";

/// Files the tests may use.
fn file(path: &Path) -> std::io::Result<String> {
    match path.to_str() {
        Some("/run/secret") => Ok("f1le-s3cret\n".to_owned()),
        Some("/run/seal") => Ok(format!("{}\n", "0F".repeat(31) + "01")),
        Some("/run/empty") => Ok("\n".to_owned()),
        Some("/run/key.pem") => Ok(format!("-----BEGIN {KEY}-----\nMAAA\n-----END {KEY}-----\n")),
        Some("/run/locked.pem") => Ok("-----BEGIN ENCRYPTED PRIVATE KEY-----\n".to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    }
}

const AROUND: Surroundings<'static> = Surroundings { env: &env, file: &file };

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned(), format: Format::Auto }
}

fn load(text: &str) -> Result<Config, Diagnostics> {
    vmcp_config::load(&[source("f", text)], AROUND)
}

/// A configuration that must load, with its warnings as text.
fn loads(text: &str) -> (Config, Vec<String>) {
    match load(text) {
        Ok(config) => {
            let warnings = config.warnings.iter().map(ToString::to_string).collect();
            (config, warnings)
        }
        Err(found) => panic!("{found}\n{text}"),
    }
}
