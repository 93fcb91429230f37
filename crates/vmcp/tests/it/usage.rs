//! Wrong usage, help and version.

use crate::Bench;

#[test]
fn tells_its_version() {
    let run = Bench::new().run(&["--version"]).exits(0);
    assert_eq!(run.out, concat!("vmcp ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn help_names_the_exit_codes() {
    let run = Bench::new().run(&["--help"]).exits(0);
    assert!(run.out.contains("64 bad configuration"), "{}", run.out);
}

#[test]
fn wrong_usage_is_2() {
    let bench = Bench::new();
    bench.run(&[]).exits(2);
    bench.run(&["serv"]).exits(2);
    bench.run(&["serve", "--listen", "nowhere"]).exits(2);
    bench.run(&["serve", "--listen", "127.0.0.1:0", "--port", "1"]).exits(2);
    bench.run(&["serve", "--host", "example.com"]).exits(2);
    bench.run(&["validate"]).exits(2);
    bench.run(&["tools", "call"]).exits(2);
}

#[test]
fn a_bad_configuration_is_64_before_a_port_is_bound() {
    let bench = Bench::new();
    bench.write("c.yaml", "backends: [{name: a, url: x}]\n");
    for command in
        [&["serve", "-c", "c.yaml"][..], &["stdio", "-c", "c.yaml"], &["tools", "-c", "c.yaml"]]
    {
        let run = bench.run(command).exits(64);
        assert!(run.err.contains("--> c.yaml:1:27"), "{}", run.err);
        assert_eq!(run.out, "");
    }
    let run = bench.run(&["-c", "missing.yaml", "serve"]).exits(64);
    assert!(run.err.contains("cannot read missing.yaml: No such file"), "{}", run.err);
}

#[test]
fn a_port_in_use_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let run = Bench::new().run(&["serve", "--listen", &addr]).exits(1);
    assert!(
        run.err.contains(&format!("error: cannot listen on {addr}: Address already in use")),
        "{}",
        run.err
    );
}
