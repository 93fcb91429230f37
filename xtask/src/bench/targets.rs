//! What is measured side by side: nothing in the middle, nginx in the middle, vmcp in the middle.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::backend::LISTENING;
use super::load::Destination;
use crate::process::{Running, free_address};
use crate::{shell, subject};

/// A destination with its name, and the process that makes it one.
pub(super) struct Target {
    /// The name in tables.
    pub name: &'static str,
    /// Where the load goes.
    pub to: Destination,
    /// Kept so that it runs on; `None` for the direct way.
    _middle: Option<Running>,
}

/// All targets and the backend behind them.
pub(super) struct Targets {
    /// In the order of the tables.
    pub all: Vec<Target>,
    /// The version nginx gives of itself, if it takes part.
    pub nginx: Option<String>,
    _backend: Running,
}

/// Starts everything. Without nginx if `fetch` is false and none is at hand.
pub(super) fn start(root: &Path, cache: &Path, vmcp: &Path, fetch: bool) -> Result<Targets> {
    let folder = cache.join("bench");
    fs::create_dir_all(&folder)?;
    let mut command = shell::command(root, std::env::current_exe()?);
    command.arg("bench-backend").stdout(Stdio::piped());
    let mut backend_process = Running::start("the backend", &mut command)?;
    let backend: SocketAddr = backend_process.announced(LISTENING)?.parse()?;
    let mut all = vec![target("direct", backend, backend, None)];
    let mut version = None;
    if let Some(program) = nginx_program(&folder, fetch)? {
        let (address, process) = nginx(&program, backend, &folder)?;
        version = Some(nginx_version(&program)?);
        all.push(target("nginx", address, backend, Some(process)));
    }
    let vmcp = subject::start(vmcp, backend, &folder)?;
    all.push(target("vmcp", vmcp.address, backend, Some(vmcp.process)));
    Ok(Targets { all, nginx: version, _backend: backend_process })
}

fn target(
    name: &'static str,
    address: SocketAddr,
    backend: SocketAddr,
    middle: Option<Running>,
) -> Target {
    let to = Destination { address, middle: middle.as_ref().map(Running::pid), backend };
    Target { name, to, _middle: middle }
}

/// Two workers, one per core of the machine the numbers were first taken on; connections to the backend
/// are kept; nothing is written to disk.
fn nginx(program: &Path, backend: SocketAddr, folder: &Path) -> Result<(SocketAddr, Running)> {
    let address = free_address()?;
    let config = format!(
        "daemon off;\nworker_processes 2;\npid nginx.pid;\nerror_log nginx.log error;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n  client_body_temp_path body;\n  proxy_temp_path proxy;\n  \
         fastcgi_temp_path fastcgi;\n  uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n  \
         client_max_body_size 16m;\n  tcp_nodelay on;\n  \
         upstream backend {{\n    server {backend};\n    keepalive 512;\n    \
         keepalive_requests 1000000000;\n  }}\n  \
         server {{\n    listen {address};\n    keepalive_requests 1000000000;\n    \
         location / {{\n      proxy_pass http://backend;\n      proxy_http_version 1.1;\n      \
         proxy_set_header Connection \"\";\n      proxy_max_temp_file_size 0;\n    }}\n  }}\n}}\n"
    );
    fs::write(folder.join("nginx.conf"), config)?;
    let mut command = shell::command(folder, program);
    command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "nginx.log"]);
    let mut process = Running::start("nginx", &mut command)?;
    process.listening(address)?;
    Ok((address, process))
}

/// The installed nginx, or the one of Debian's package unpacked beside the measurements: installing
/// the package would start a server on port 80.
fn nginx_program(folder: &Path, fetch: bool) -> Result<Option<PathBuf>> {
    let unpacked = folder.join("nginx/usr/sbin/nginx");
    let installed = PathBuf::from("/usr/sbin/nginx");
    if let Some(found) = [installed, unpacked.clone()].into_iter().find(|path| path.exists()) {
        return Ok(Some(found));
    }
    if !fetch {
        return Ok(None);
    }
    let mut download = shell::command(folder, "apt-get");
    download.args(["download", "--quiet", "nginx"]);
    if shell::run(&mut download).is_err() {
        // The lists of a new machine may be empty or old.
        shell::run(shell::command(folder, "apt-get").args(["update", "--quiet"]))?;
        shell::run(&mut download)?;
    }
    let package = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get left no package")?;
    shell::run(shell::command(folder, "dpkg").arg("--extract").arg(package).arg("nginx"))?;
    if unpacked.exists() { Ok(Some(unpacked)) } else { bail!("nginx is not in its package") }
}

/// `nginx version: nginx/1.22.1`, on standard error.
fn nginx_version(program: &Path) -> Result<String> {
    let output = std::process::Command::new(program).arg("-v").output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(text.rsplit('/').next().unwrap_or_default().trim().to_owned())
}
