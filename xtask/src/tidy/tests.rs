//! Each rule on a small tree: what it finds, and what it leaves alone.

use std::collections::BTreeMap;
use std::path::Path;

use super::source::Source;
use super::{Finding, RULES, Tree, architecture, edges, words};
use crate::workspace::{Dependency, Package};

/// Runs the rules over a tree and compares `path:line` and a part of each message.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &[(&str, &str)]) {
    let mut findings = Vec::new();
    let tree = tree(files);
    for rule in RULES {
        rule(&tree, &mut findings);
    }
    compare(findings, expected);
}

#[track_caller]
fn compare(mut findings: Vec<Finding>, expected: &[(&str, &str)]) {
    findings.sort();
    let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, (place, part)) in found.iter().zip(expected) {
        assert!(found.starts_with(&format!("{place}: ")) && found.contains(part), "{found}");
    }
}

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::new(
        files.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect::<BTreeMap<_, _>>(),
    )
}

fn long(lines: usize) -> String {
    "//! Doc.\n".to_owned() + &"const A: u8 = 0;\n".repeat(lines - 1)
}

#[test]
fn a_tidy_file_has_no_findings() {
    check(&[("crates/vmcp-wire/src/lib.rs", "//! Doc.\n\nfn short() {}\n")], &[]);
}

#[test]
fn every_file_starts_with_its_doc() {
    check(
        &[("xtask/src/a.rs", "\nuse std::fmt;\n"), ("xtask/tests/it/main.rs", "fn f() {}")],
        &[("xtask/src/a.rs:1", "doc comment"), ("xtask/tests/it/main.rs:1", "doc comment")],
    );
}

#[test]
fn mod_rs_and_allow_are_found() {
    check(
        &[("xtask/src/a/mod.rs", "//! Doc.\n\n#[allow(dead_code)]\nfn f() {}\n// #[allow(x)]\n")],
        &[("xtask/src/a/mod.rs:1", "beside"), ("xtask/src/a/mod.rs:3", "expect")],
    );
}

#[test]
fn crates_take_the_lints_of_the_workspace() {
    check(
        &[
            ("Cargo.toml", "[workspace]"),
            ("crates/a/Cargo.toml", "[package]\n"),
            ("crates/b/Cargo.toml", "[lints]\nworkspace = true\n"),
        ],
        &[("crates/a/Cargo.toml:1", "lints")],
    );
}

#[test]
fn long_files_are_found_and_tests_do_not_count() {
    let with_tests = long(390) + "#[cfg(test)]\nmod tests {\n" + &"// line\n".repeat(50) + "}\n";
    let table = long(500) + "// tidy: table, one row per case\n";
    check(
        &[
            ("xtask/src/a.rs", &long(401)),
            ("xtask/src/b.rs", &with_tests),
            ("xtask/src/c.rs", &table),
            ("xtask/src/d/tests.rs", &long(900)),
        ],
        &[("xtask/src/a.rs:400", "401 production lines")],
    );
}

#[test]
fn long_functions_are_found_by_their_first_line() {
    let body = "    let x = \"{\"; // }\n".repeat(99);
    let text = format!("//! Doc.\n\nfn short() {{}}\n\npub fn long() {{\n{body}}}\n");
    check(&[("xtask/src/a.rs", &text)], &[("xtask/src/a.rs:5", "101 lines")]);
}

#[test]
fn revision_words_stay_in_their_places() {
    let text = "//! Speaks legacy.\n\nstruct LegacyFront; // modern\nconst M: &str = \"initialize\";\n\
                fn uninitialized() {}\n\
                #[cfg(test)]\nmod tests {\n    const D: &str = \"2025-11-25\";\n}\n";
    check(
        &[
            ("crates/vmcp-gateway/src/a.rs", text),
            ("crates/vmcp-edge/src/front/legacy/open.rs", text),
            ("crates/vmcp-testkit/src/a.rs", text),
        ],
        &[
            ("crates/vmcp-gateway/src/a.rs:3", "legacy"),
            ("crates/vmcp-gateway/src/a.rs:4", "initialize"),
        ],
    );
}

#[test]
fn the_door_of_the_dialects_names_its_modules_only() {
    check(
        &[(
            "crates/vmcp-backend/src/dialect.rs",
            "//! Doc.\n\nmod legacy;\nconst R: &str = \"2025-06-18\";\n",
        )],
        &[("crates/vmcp-backend/src/dialect.rs:4", "2025-06-18")],
    );
}

#[test]
fn some_things_are_done_in_one_place() {
    let text = "//! Doc.\n\nfn f() { tokio::spawn(async {}); }\nfn g() { std::env::var(\"A\"); }\n";
    check(
        &[
            ("crates/vmcp-edge/src/a.rs", text),
            ("crates/vmcp-edge/src/tasks.rs", text),
            ("crates/vmcp/src/a.rs", text),
            ("crates/vmcp-edge/tests/it/main.rs", text),
        ],
        &[
            ("crates/vmcp-edge/src/a.rs:3", "tasks.rs"),
            ("crates/vmcp-edge/src/a.rs:4", "the binary"),
            ("crates/vmcp-edge/src/tasks.rs:4", "the binary"),
            ("crates/vmcp/src/a.rs:3", "tasks.rs"),
        ],
    );
}

#[test]
fn tests_neither_sleep_nor_are_switched_off() {
    let text = "//! Doc.\n\nfn wait() { sleep(1); }\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    \
                #[ignore]\n    fn t() { sleep(1); no_sleep(); }\n}\n";
    check(
        &[("xtask/src/a.rs", text)],
        &[("xtask/src/a.rs:8", "#[ignore"), ("xtask/src/a.rs:9", "sleep(")],
    );
}

#[test]
fn foreign_words_are_found_and_innocent_ones_are_not() {
    let [host, folder, name] = ["Pengrf.vb", "/jbex/", "Trzvav"].map(words::rot13);
    let text = format!("see {host}\ncd {folder}main\nin a frame{folder}x\n{name}\n");
    check(
        &[("README.md", &text), ("xtask/a.txt", &name)],
        &[("README.md:1", "crates"), ("README.md:2", "work"), ("xtask/a.txt:1", "`")],
    );
}

#[test]
fn lock_files_have_no_addresses() {
    check(
        &[(
            "e2e/package-lock.json",
            "{\n  \"resolved\": \"https://host/x.tgz\",\n  \"integrity\": \"\"\n}",
        )],
        &[("e2e/package-lock.json:2", "address")],
    );
}

#[test]
fn a_test_that_a_page_names_is_there() {
    let page = "| a | `crates/a/tests/it/b.rs::holds` |\n| b | `crates/a/tests/it/b.rs::helper` |\n\
                | c | `crates/a/tests/it/b.rs::gone`, `crates/a/tests/it/c.rs::holds` |\n\
                | d | `crates/a/tests/it/b.rs::waits`, `vmcp_wire::sse`, `crates/a/` |\n";
    let tests = "//! Doc.\n\n#[test]\nfn holds() {}\n\nfn helper() {}\n\n\
                 #[tokio::test(start_paused = true)]\n#[expect(x)]\nasync fn waits() {}\n";
    check(
        &[("docs/proofs.md", page), ("crates/a/tests/it/b.rs", tests)],
        &[
            ("docs/proofs.md:2", "b.rs::helper"),
            ("docs/proofs.md:3", "b.rs::gone"),
            ("docs/proofs.md:3", "c.rs::holds"),
        ],
    );
}

#[test]
fn what_is_fuzzed_has_the_versions_that_are_shipped() {
    let lock = |packages: &[(&str, &str)]| {
        let block =
            |(name, version)| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
        packages.iter().copied().map(block).collect::<String>()
    };
    let shipped = lock(&[("a", "1.0.0"), ("syn", "2.0.0"), ("syn", "3.0.0")]);
    let fuzzed = lock(&[("only-there", "1.0.0"), ("syn", "3.0.0"), ("a", "1.0.1")]);
    check(
        &[("Cargo.lock", &shipped), ("fuzz/Cargo.lock", &fuzzed)],
        &[("fuzz/Cargo.lock:8", "`a`")],
    );
}

#[test]
fn the_page_of_the_configuration_names_every_key() {
    let reader = "//! Doc.\n\nfn f() { fields.get(\"idle\"); time(&mut fields, \"drain\", x); }\n";
    check(
        &[
            ("crates/vmcp-config/src/a.rs", reader),
            ("crates/vmcp-edge/src/a.rs", reader),
            ("docs/configuration.md", "`idle`"),
        ],
        &[("crates/vmcp-config/src/a.rs:3", "`drain`")],
    );
}

#[test]
fn architecture_names_every_crate_and_only_paths_that_exist() {
    let page = "# `vmcp-wire`\nSee `lib.rs`, `sse/`, `gone.rs` and `docs/x.md`; `tools/call` is no path.\n";
    let tree = tree(&[
        ("ARCHITECTURE.md", page),
        ("crates/vmcp-wire/src/lib.rs", "//! Doc.\n"),
        ("crates/vmcp-wire/src/sse/decode.rs", "//! Doc.\n"),
    ]);
    let mut findings = Vec::new();
    architecture::check(&tree, &["vmcp-wire", "vmcp-net"], &mut findings);
    compare(
        findings,
        &[
            ("ARCHITECTURE.md:1", "`vmcp-net`"),
            ("ARCHITECTURE.md:2", "`docs/x.md`"),
            ("ARCHITECTURE.md:2", "`gone.rs`"),
        ],
    );
}

#[test]
fn crates_know_only_what_is_below_them() {
    let package = |name: &str, folder: &str, knows: &[(&str, Option<&str>)]| Package {
        name: name.to_owned(),
        manifest_path: Path::new("/r").join(folder).join("Cargo.toml"),
        dependencies: knows
            .iter()
            .map(|(name, kind)| Dependency {
                name: (*name).to_owned(),
                kind: kind.map(str::to_owned),
            })
            .collect(),
    };
    let dev = Some("dev");
    let packages = [
        package("vmcp-wire", "crates/vmcp-wire", &[("vmcp-net", None), ("vmcp-testkit", dev)]),
        package("vmcp-net", "crates/net", &[]),
        package(
            "vmcp-gateway",
            "crates/vmcp-gateway",
            &[("vmcp-net", dev), ("vmcp-backend", None)],
        ),
        package("vmcp-backend", "crates/vmcp-backend", &[("vmcp-gateway", dev), ("tokio", None)]),
        package("vmcp-testkit", "crates/vmcp-testkit", &[("vmcp-wire", None)]),
        package("vmcp-new", "crates/vmcp-new", &[]),
    ];
    let mut findings = Vec::new();
    edges::check(Path::new("/r"), &packages, &mut findings);
    compare(
        findings,
        &[
            ("crates/net/Cargo.toml:1", "another name"),
            ("crates/vmcp-backend/Cargo.toml:1", "`vmcp-gateway`"),
            ("crates/vmcp-new/Cargo.toml:1", "in no layer"),
            ("crates/vmcp-testkit/Cargo.toml:1", "`vmcp-wire`"),
            ("crates/vmcp-wire/Cargo.toml:1", "`vmcp-net`"),
        ],
    );
}

#[test]
fn the_lexer_tells_code_from_comments_and_literals() {
    let text = "let a = r#\"x // \"# ; /* b /* c */ d */ 'e'; b'\\''; &'f g; \"\\\"h\"; // i\nj";
    let source = Source::read("a.rs", text);
    let code: String = source.code.split_whitespace().collect();
    assert_eq!(code, "leta=;;b;&'fg;;j");
    assert!(source.words.contains("x // ") && source.words.contains("\\\"h"));
    assert!(!source.words.contains('c') && !source.words.contains('i'));
    assert_eq!(source.code.len(), text.len());
}
