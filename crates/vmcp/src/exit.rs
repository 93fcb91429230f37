//! How the process ends: 0 done, 1 it failed, 2 wrong usage (clap's own), 64 bad configuration.

use std::process::ExitCode;

use vmcp_config::Diagnostics;

use crate::say;

/// A bad configuration; the number other servers use for it too (`EX_USAGE` of sysexits).
pub(crate) const BAD_CONFIG: u8 = 64;
/// Wrong usage that clap cannot see.
pub(crate) const USAGE: u8 = 2;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Findings about the configuration, each already with its source line.
    Config(String),
    /// Asked for in a wrong way.
    Usage(String),
    /// Anything else.
    Other(anyhow::Error),
}

// === impl Failure ===

impl Failure {
    /// Findings of texts that are at hand.
    pub(crate) fn config(findings: &Diagnostics, sources: &[vmcp_config::Source]) -> Self {
        Self::Config(say::findings(&findings.0, sources))
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Tells why on stderr.
    pub(crate) fn report(self) -> ExitCode {
        let (text, code) = match self {
            Self::Config(text) => (text, BAD_CONFIG),
            Self::Usage(text) => (format!("error: {text}"), USAGE),
            // The chain of causes on one line.
            Self::Other(error) => (format!("error: {error:#}"), 1),
        };
        say::err(text.trim_end());
        ExitCode::from(code)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}
