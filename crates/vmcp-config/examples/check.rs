//! Reads configurations and says what is in them, or everything that is wrong.
//!
//! `cargo run -p vmcp-config --example check -- FILE…`; without a file it checks a sample with two mistakes.
#![expect(clippy::print_stdout, reason = "an example talks")]

use vmcp_config::{Format, Source, Surroundings, load};

const SAMPLE: &str = "\
name: sample
backends:
  - name: search
    url: https://search.example/mcp
    transprt: sse
aggregation:
  conflict_resolution: prefix
";

fn main() -> std::io::Result<()> {
    let mut sources = Vec::new();
    for name in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&name)?;
        sources.push(Source { name, text, format: Format::Auto });
    }
    if sources.is_empty() {
        let (name, text) = ("sample.yaml".to_owned(), SAMPLE.to_owned());
        sources.push(Source { name, text, format: Format::Auto });
    }
    let around = Surroundings {
        env: &|name| std::env::var(name).ok(),
        file: &|path| std::fs::read_to_string(path),
    };
    let findings = match load(&sources, around) {
        Ok(config) => {
            println!("{}: {} backends", config.name, config.backends.len());
            for backend in &config.backends {
                println!("  {} by {}", backend.id, backend.transport.as_str());
            }
            config.warnings
        }
        Err(findings) => findings.0,
    };
    for finding in findings {
        let source = sources.iter().find(|source| source.name == finding.file);
        println!("{}", finding.render(source.map_or("", |source| &source.text)));
    }
    Ok(())
}
