//! Logging in, using the login, logging out: the command, a backend, an issuer, and a browser without a face.

use std::io::{BufRead, BufReader, Read};
use std::process::{ChildStderr, Command, Stdio};

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, BearerGuard, IdentityProvider, IdpAnswer, browse};

use crate::{Bench, Run};

struct Stage {
    bench: Bench,
    idp: IdentityProvider,
    guard: BearerGuard,
    backend: Backend,
}

impl Stage {
    /// An editor's file that knows nothing of logins.
    async fn new() -> Self {
        let idp = IdentityProvider::builder().start().await.unwrap();
        let guard = BearerGuard::new(&idp).audience_is_resource();
        let tool = json!({"name": "read", "inputSchema": {"type": "object"}});
        let backend =
            Backend::builder().tool(tool, Answer::usual()).bearer(&guard).start().await.unwrap();
        let bench = Bench::new();
        let file = json!({"mcpServers": {"notes": {"type": "http", "url": backend.url()}}});
        bench.write("mcp.json", &file.to_string());
        Self { bench, idp, guard, backend }
    }

    /// Runs the command; the runtime goes on serving meanwhile.
    async fn run(&self, args: &[&str]) -> Run {
        let args = [args, &["--config", "mcp.json"]].concat();
        let mut command = self.bench.command(&args);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Logs in with a browser that goes where `change` sends it; gives what it saw last too.
    async fn login(&self, args: &[&str], change: fn(&str) -> String) -> (Run, String) {
        let args = [&["auth", "login", "notes", "--config", "mcp.json"], args];
        self.login_with(self.bench.command(&args.concat()), change).await
    }

    async fn login_with(&self, mut command: Command, change: fn(&str) -> String) -> (Run, String) {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (url, stderr) = tokio::task::spawn_blocking(move || shown(stderr)).await.unwrap();
        let seen = browse(&change(&url)).await;
        let ended = tokio::task::spawn_blocking(move || {
            let mut stderr = stderr;
            let mut err = String::new();
            stderr.read_to_string(&mut err).unwrap();
            let output = child.wait_with_output().unwrap();
            let code = output.status.code().unwrap_or(-1);
            Run { code, out: String::from_utf8(output.stdout).unwrap(), err }
        });
        let page = seen.map(|(_, _, body)| String::from_utf8_lossy(&body).into_owned());
        (ended.await.unwrap(), page.unwrap_or_default())
    }
}

/// The URL that is to be opened.
fn shown(mut stderr: BufReader<ChildStderr>) -> (String, BufReader<ChildStderr>) {
    loop {
        let mut line = String::new();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "no URL was shown");
        if line.trim().starts_with("http://") {
            return (line.trim().to_owned(), stderr);
        }
    }
}

fn as_it_is(url: &str) -> String {
    url.to_owned()
}

#[tokio::test]
async fn a_login_is_used_until_the_logout() {
    let stage = Stage::new().await;
    let before = stage.run(&["tools", "ls"]).await;
    assert!(!before.out.contains("read"), "{}", before.out);
    assert_eq!(stage.idp.requests().len(), 0);
    let status = stage.run(&["auth", "status"]).await.exits(0);
    assert!(status.out.contains("no login") && status.out.contains("vmcp auth login notes"));

    let (run, page) = stage.login(&["--no-browser", "--scope", "files more"], as_it_is).await;
    let run = run.exits(0);
    assert!(page.contains("Logged in"), "{page}");
    assert!(
        run.out.contains("logged in to notes") && run.out.contains("files more"),
        "{}",
        run.out
    );
    assert!(
        run.out.contains(&stage.idp.issuer()) && run.out.contains("60 minutes, then it is renewed")
    );
    assert!(run.out.contains("it answers: "), "{}", run.out);

    // Without knowing more than the editor's file, everything goes as this user.
    let tools = stage.run(&["tools", "ls"]).await.exits(0);
    assert!(tools.out.contains("read"), "{}", tools.out);
    assert_eq!(stage.guard.subjects("tools/list"), ["user"]);

    let status = stage.run(&["auth", "status", "--json"]).await.exits(0);
    let all: Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(all[0]["backend"], "notes");
    assert_eq!(all[0]["state"], "logged in");
    assert_eq!(all[0]["issuer"], stage.idp.issuer());
    assert_eq!(all[0]["scopes"], json!(["files", "more"]));
    assert!(all[0]["expiresIn"].as_u64().unwrap() > 3_000);
    let token = stage.guard.admitted()[0].token.clone();
    let state = stage.bench.read(".local/state/vmcp/credentials.json");
    for text in [&status.out, &run.out, &run.err, &state] {
        assert!(!text.contains(&token), "{text}");
    }

    let logout = stage.run(&["auth", "logout", "notes"]).await.exits(0);
    assert!(logout.out.contains("revoked at"), "{}", logout.out);
    assert!(stage.idp.verify(&token).is_err());
    let after = stage.run(&["tools", "ls"]).await;
    assert!(!after.out.contains("read"), "{}", after.out);
    let again = stage.run(&["auth", "logout", "notes"]).await.exits(0);
    assert!(again.out.contains("nobody is logged in"), "{}", again.out);
}

#[tokio::test]
async fn a_refusal_is_told_here_and_not_in_the_browser() {
    let stage = Stage::new().await;
    stage.idp.deny("access_denied");
    let (run, page) = stage.login(&["--no-browser"], as_it_is).await;
    let run = run.exits(1);
    assert!(run.err.contains("access_denied"), "{}", run.err);
    assert!(page.contains("Not logged in") && !page.contains("access_denied"), "{page}");
    let status = stage.run(&["auth", "status", "notes"]).await.exits(0);
    assert!(status.out.contains("no login"), "{}", status.out);
}

#[tokio::test]
async fn strangers_at_the_address_end_nothing() {
    let stage = Stage::new().await;
    // Whoever finds the port before the browser comes back, with a script in every parameter.
    let (run, page) = stage
        .login(&["--no-browser"], |url| {
            let redirect = url.split("redirect_uri=").nth(1).unwrap().split('&').next().unwrap();
            let redirect = redirect.replace("%3A", ":").replace("%2F", "/");
            let seen = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let url = format!("{redirect}?code=x&state=%3Cscript%3Ey&error=%3Cscript%3E");
                runtime.unwrap().block_on(browse(&url)).unwrap()
            });
            let (_, status, body) = seen.join().unwrap();
            assert_eq!(status, 404);
            assert!(!String::from_utf8_lossy(&body).contains("script"), "{body:?}");
            url.to_owned()
        })
        .await;
    run.exits(0);
    assert!(page.contains("Logged in"), "{page}");
}

#[tokio::test]
async fn says_what_is_wrong_with_a_request_for_a_login() {
    let stage = Stage::new().await;
    let unknown = stage.run(&["auth", "login", "other"]).await.exits(2);
    assert!(unknown.err.contains("there is no backend \"other\", but: notes"), "{}", unknown.err);
    let file = json!({"mcpServers": {
        "local": {"command": "true"},
        "open": {"url": stage.backend.url(), "headers": {"Authorization": "Bearer x"}},
    }});
    stage.bench.write("mcp.json", &file.to_string());
    for (name, told) in [("local", "nothing to log in to"), ("open", "only \"oauth\" has logins")] {
        let run = stage.run(&["auth", "login", name]).await.exits(2);
        assert!(run.err.contains(told), "{}", run.err);
    }
    let status = stage.run(&["auth", "status"]).await.exits(0);
    assert!(status.out.contains("no backend has a login"), "{}", status.out);
    stage.bench.run(&["auth", "status"]).exits(2);
}

#[tokio::test]
async fn a_key_of_the_operator_counts_and_a_wrong_one_is_told() {
    let stage = Stage::new().await;
    let (run, _) = stage.login(&["--no-browser"], as_it_is).await;
    run.exits(0);
    let run = |key: &str| {
        let mut command = stage.bench.command(&["auth", "status", "--config", "mcp.json"]);
        command.env("VMCP_CREDENTIALS_KEY", key);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, err) = run(&"0".repeat(64));
    assert_eq!(code, Some(1));
    assert!(err.contains("sealed with another key") && err.contains("left as it is"), "{err}");
    let (code, err) = run("short");
    assert_eq!(code, Some(1));
    assert!(err.contains("32 random bytes"), "{err}");
    stage.run(&["auth", "status"]).await.exits(0);
}

#[tokio::test]
async fn a_token_that_the_backend_does_not_take_is_told() {
    let stage = Stage::new().await;
    for grant in ["authorization_code", "refresh_token"] {
        stage.idp.on(grant, IdpAnswer::usual().member("access_token", json!("not-one-of-ours")));
    }
    let (run, _) = stage.login(&["--no-browser"], as_it_is).await;
    let run = run.exits(1);
    assert!(run.err.contains("the backend does not take it"), "{}", run.err);
}

#[cfg(unix)]
#[tokio::test]
async fn the_browser_is_opened_with_the_url_and_nothing_else() {
    use std::os::unix::fs::PermissionsExt;

    let stage = Stage::new().await;
    // What it was told waits in a pipe until somebody reads it.
    let told = stage.bench.path("told");
    assert!(Command::new("mkfifo").arg(&told).status().unwrap().success());
    let script = "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$1\" > told\n";
    let opener = stage.bench.write("bin/xdg-open", script);
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = stage.bench.command(&["auth", "login", "notes", "--config", "mcp.json"]);
    let path = format!("{}:/usr/bin:/bin", stage.bench.path("bin").display());
    command.env("PATH", path).env("DISPLAY", ":0");
    let (run, page) = stage.login_with(command, as_it_is).await;
    run.exits(0);
    assert!(page.contains("Logged in"), "{page}");
    let told = tokio::task::spawn_blocking(move || std::fs::read_to_string(told).unwrap());
    let told = tokio::time::timeout(vmcp_testkit::PATIENCE, told).await.unwrap().unwrap();
    let (count, url) = told.trim().split_once('\n').unwrap();
    assert_eq!(count, "1");
    assert!(
        url.starts_with(&format!("{}/authorize?response_type=code&", stage.idp.issuer())),
        "{url}"
    );
}

#[tokio::test]
async fn comes_back_to_the_port_that_was_asked_for() {
    let stage = Stage::new().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    let args = ["auth", "login", "notes", "--no-browser", "--port", &port, "--config", "mcp.json"];
    let taken = stage.bench.command(&args).output().unwrap();
    let err = String::from_utf8(taken.stderr).unwrap();
    assert!(err.contains("cannot listen on 127.0.0.1:") && err.contains(&port), "{err}");
    drop(free);
    let (run, _) = stage.login(&["--no-browser", "--port", &port], as_it_is).await;
    run.exits(0);
    let asked = stage.idp.heard("/authorize");
    let redirect = format!("http://127.0.0.1:{port}/callback");
    assert_eq!(asked[0].field("redirect_uri"), Some(redirect.as_str()));
}
