//! What can be asked for.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use vmcp_config::{Listen, ListenError};

/// One MCP endpoint in front of many MCP servers.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// A ToolHive vMCP YAML or an editor's MCP JSON; may be given several times.
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,

    /// How log lines are written to stderr. Which ones: RUST_LOG, for example RUST_LOG=vmcp=debug.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 it failed, or the tool answered with an error; 2 wrong usage;
3 explain: it may not be asked for; 64 bad configuration.";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve MCP over HTTP; without --config, a demo with two small backends.
    Serve(ServeArgs),
    /// Serve MCP over stdin and stdout, for clients that start their servers.
    Stdio,
    /// List the tools of all backends, or call one.
    Tools(ToolsArgs),
    /// Log in to backends that have a login of their own (OAuth), and out again.
    Auth(AuthArgs),
    /// Say everything that is wrong with a configuration, and what was understood.
    Validate(ValidateArgs),
    /// Say whether a caller sees a tool, resource or prompt and may ask for it, and what decides that.
    Explain(ExplainArgs),
    /// Write a commented YAML from an editor's file.
    Init(InitArgs),
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address to listen on instead of the configured one; may be given several times.
    #[arg(long, value_name = "HOST:PORT", value_parser = listen_addr, conflicts_with_all = ["host", "port"])]
    pub(crate) listen: Vec<SocketAddr>,

    /// Host to listen on; with --port, or on 4483.
    #[arg(long)]
    pub(crate) host: Option<String>,

    /// Port to listen on; with --host, or on 127.0.0.1.
    #[arg(long)]
    pub(crate) port: Option<u16>,
}

/// Arguments of `tools`.
#[derive(Debug, Args)]
pub(crate) struct ToolsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ToolsCommand>,
}

/// What `tools` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum ToolsCommand {
    /// List the tools, as clients see them.
    Ls {
        /// The raw tools as a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Call a tool: progress goes to stderr, the result to stdout.
    Call(CallArgs),
}

/// Arguments of `tools call`.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// The tool's name, as `tools ls` shows it.
    pub(crate) name: String,

    /// All arguments as one JSON object.
    #[arg(long, value_name = "JSON", conflicts_with = "pairs")]
    pub(crate) args: Option<String>,

    /// Arguments one by one; a value is JSON where the tool wants something else than a string.
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) pairs: Vec<String>,

    /// Print the raw result object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `auth`.
#[derive(Debug, Args)]
pub(crate) struct AuthArgs {
    #[command(subcommand)]
    pub(crate) command: AuthCommand,
}

/// What `auth` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Log in to a backend, in the browser.
    Login(LoginArgs),
    /// Forget a backend's login, and revoke its tokens where the issuer offers it.
    Logout {
        /// The backend's name.
        name: String,
    },
    /// List the logins: issuer, scopes, expiry; never a token.
    Status {
        /// The backend's name; all if there is none.
        name: Option<String>,
        /// As a JSON array.
        #[arg(long)]
        json: bool,
    },
}

/// Arguments of `auth login`.
#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// The backend's name.
    pub(crate) name: String,

    /// Only show the URL. On another machine than the browser's: `ssh -L PORT:127.0.0.1:PORT`, and --port.
    #[arg(long)]
    pub(crate) no_browser: bool,

    /// The port of 127.0.0.1 that the browser comes back to, instead of the configured or a free one.
    #[arg(long)]
    pub(crate) port: Option<u16>,

    /// Scopes to ask for in addition; may be given several times.
    #[arg(long, value_name = "SCOPES")]
    pub(crate) scope: Vec<String>,
}

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// How findings are written.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: LogFormat,

    /// Also connect to the backends, and report which answer and which names collide.
    #[arg(long)]
    pub(crate) live: bool,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The advertised name, or the URI of a resource.
    pub(crate) name: String,

    /// What it is.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) kind: ExplainKind,

    /// The claims of the caller's token, as a JSON object with `sub`; without, nobody in particular.
    #[arg(long = "as", value_name = "CLAIMS.json")]
    pub(crate) claims: Option<PathBuf>,

    /// The arguments, as one JSON object.
    #[arg(long, value_name = "JSON")]
    pub(crate) arguments: Option<String>,

    /// As a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `explain` can tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ExplainKind {
    /// A tool.
    #[default]
    Tool,
    /// A resource.
    Resource,
    /// A prompt.
    Prompt,
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// An editor's MCP JSON; without it, the well-known places are looked at.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Vec<PathBuf>,

    /// Where to write; `-` is stdout.
    #[arg(short, long, value_name = "FILE", default_value = "vmcp.yaml")]
    pub(crate) output: PathBuf,

    /// Overwrite the output if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

// === impl ServeArgs ===

impl ServeArgs {
    /// The addresses asked for; empty if none were.
    pub(crate) fn addrs(&self) -> Result<Vec<SocketAddr>, ListenError> {
        if self.host.is_none() && self.port.is_none() {
            return Ok(self.listen.clone());
        }
        let host = self.host.as_deref().unwrap_or("127.0.0.1");
        let port = self.port.unwrap_or(4483);
        // An IPv6 address needs brackets before a port, and may come with them.
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let text =
            if bare.contains(':') { format!("[{bare}]:{port}") } else { format!("{bare}:{port}") };
        Ok(vec![Listen::addr(&text)?])
    }
}

fn listen_addr(text: &str) -> Result<SocketAddr, ListenError> {
    Listen::addr(text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Cli, Command, Parser};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn host_and_port_complete_each_other() {
        let check = |args: &[&str], wanted: &str| {
            let cli = Cli::parse_from([&["vmcp", "serve"], args].concat());
            let Command::Serve(args) = cli.command else { return assert_eq!("serve", wanted) };
            let addrs: Vec<String> =
                args.addrs().unwrap_or_default().iter().map(ToString::to_string).collect();
            assert_eq!(addrs.join(" "), wanted);
        };
        check(&[], "");
        check(&["--port", "1"], "127.0.0.1:1");
        check(&["--host", "0.0.0.0"], "0.0.0.0:4483");
        check(&["--host", "::1", "--port", "2"], "[::1]:2");
        check(&["--host", "localhost"], "127.0.0.1:4483");
        check(&["--listen", "127.0.0.1:3", "--listen", "[::1]:4"], "127.0.0.1:3 [::1]:4");
        check(&["--host", "example.com"], "");
    }
}
