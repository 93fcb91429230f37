//! nginx that passes the bytes on: what one more hop costs where nobody looks into it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{Running, free_address};
use crate::shell;

/// A running nginx.
pub(super) struct Nginx {
    /// Where it listens.
    pub address: SocketAddr,
    /// The process of which the workers are children.
    pub process: Running,
}

/// Two workers, one per core of the machine the numbers were first taken on; connections to the backend
/// are kept; nothing is written to disk. `None` without nginx at hand if none may be fetched.
pub(super) fn start(folder: &Path, backend: SocketAddr, fetch: bool) -> Result<Option<Nginx>> {
    let Some(program) = program(folder, fetch)? else { return Ok(None) };
    let address = free_address()?;
    let config = format!(
        "daemon off;\nworker_processes 2;\nworker_rlimit_nofile 16384;\npid nginx.pid;\nerror_log nginx.log error;\n\
         events {{ worker_connections 8192; }}\n\
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
    Ok(Some(Nginx { address, process }))
}

/// The installed nginx, or the one of Debian's package unpacked beside the measurements: installing
/// the package would start a server on port 80.
fn program(folder: &Path, fetch: bool) -> Result<Option<PathBuf>> {
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
pub(super) fn version(folder: &Path) -> Result<String> {
    let Some(program) = program(folder, false)? else { return Ok("none".to_owned()) };
    let output = std::process::Command::new(program).arg("-v").output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(text.rsplit('/').next().unwrap_or_default().trim().to_owned())
}
