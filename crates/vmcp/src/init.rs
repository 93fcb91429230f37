//! `vmcp init`: a commented YAML from what an editor has.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use vmcp_config::{Severity, Source};

use crate::cli::InitArgs;
use crate::exit::Failure;
use crate::{clients, say, sources};

/// Writes the YAML and says what was found.
pub(crate) fn run(args: &InitArgs) -> Result<ExitCode, Failure> {
    let to_stdout = args.output == Path::new("-");
    if !to_stdout && !args.force && args.output.exists() {
        let text = format!("{} is there already; --force overwrites it", args.output.display());
        return Err(Failure::Other(anyhow::anyhow!(text)));
    }
    let sources = if args.from.is_empty() { well_known()? } else { sources::read(&args.from)? };
    let yaml = vmcp_config::init_yaml(&sources)
        .map_err(|findings| Failure::config(&findings, &sources))?;
    if to_stdout {
        say::out(yaml.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    write(&args.output, &yaml, args.force)
        .with_context(|| format!("cannot write {}", args.output.display()))?;
    let path = args.output.display();
    say::out(&format!("wrote {path}"));
    say::out(&format!("next: vmcp validate --config {path}, then vmcp serve --config {path}"));
    Ok(ExitCode::SUCCESS)
}

/// The files in the well-known places that have servers in them.
fn well_known() -> Result<Vec<Source>, Failure> {
    let home = sources::variable("HOME").map(PathBuf::from);
    let places = clients::places(home.as_deref());
    let mut found = Vec::new();
    for place in &places {
        if !place.path.is_file() {
            continue;
        }
        let source = sources::read(std::slice::from_ref(&place.path))?.remove(0);
        // Most of these files hold other settings too, and perhaps no server.
        match vmcp_config::init_yaml(std::slice::from_ref(&source)) {
            Ok(_) => {
                say::err(&format!("found {}: {}", place.client, place.path.display()));
                found.push(source);
            }
            Err(findings) => {
                let first = findings.0.iter().find(|one| one.severity == Severity::Error);
                let why = first.map(ToString::to_string).unwrap_or_default();
                say::err(&format!("left out {}: {why}", place.client));
            }
        }
    }
    if found.is_empty() {
        let looked: Vec<String> =
            places.iter().map(|place| format!("  {}", place.path.display())).collect();
        let text = format!(
            "no editor's file with servers in it; looked at\n{}\nname one with --from FILE",
            looked.join("\n")
        );
        return Err(Failure::Other(anyhow::anyhow!(text)));
    }
    Ok(found)
}

/// The file may hold secrets that stood in the editor's: only its owner may read it.
fn write(path: &Path, text: &str, force: bool) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    let mut options = std::fs::OpenOptions::new();
    options.write(true).mode(0o600);
    // Without --force the file must be new at this very moment, not only when it was looked for.
    let options =
        if force { options.create(true).truncate(true) } else { options.create_new(true) };
    options.open(path)?.write_all(text.as_bytes())
}
