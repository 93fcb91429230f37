//! What callgrind wrote, added up by stage.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};

/// Instructions by stage.
pub(super) struct Costs(BTreeMap<String, u64>);

/// Names that were given a number: `(7) name`, then `(7)` alone.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn resolve(&mut self, text: &str) -> String {
        let Some((number, name)) = text.split_once(')') else { return text.to_owned() };
        let name = name.trim_start();
        if name.is_empty() {
            return self.0.get(number).cloned().unwrap_or_default();
        }
        self.0.insert(number.to_owned(), name.to_owned());
        name.to_owned()
    }
}

impl Costs {
    /// Reads one dump: the cost of each line is its own, that after `calls=` is the callee's and counted there.
    pub(super) fn read(text: &str) -> Result<Self> {
        let (mut objects, mut files, mut functions) =
            (Names::default(), Names::default(), Names::default());
        let (mut object, mut file, mut function) = (String::new(), String::new(), String::new());
        let mut costs: BTreeMap<String, u64> = BTreeMap::new();
        let mut stages: HashMap<(String, String), String> = HashMap::new();
        let mut is_call = false;
        for line in text.lines() {
            if let Some((key, value)) = line.split_once('=')
                && key.bytes().all(|byte| byte.is_ascii_lowercase())
            {
                match key {
                    "ob" => object = objects.resolve(value),
                    "fl" | "fi" | "fe" => file = files.resolve(value),
                    "fn" => function = functions.resolve(value),
                    "cob" => drop(objects.resolve(value)),
                    "cfi" | "cfl" => drop(files.resolve(value)),
                    "cfn" => drop(functions.resolve(value)),
                    "calls" => is_call = true,
                    _ => {}
                }
            } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
                let cost = line.split(' ').nth(1).unwrap_or("0");
                if !std::mem::take(&mut is_call) {
                    let cost: u64 = cost.parse().with_context(|| format!("a cost: {line}"))?;
                    let key = (file.clone(), function.clone());
                    let stage =
                        stages.entry(key).or_insert_with(|| stage(&object, &file, &function));
                    *costs.entry(stage.clone()).or_default() += cost;
                }
            }
        }
        anyhow::ensure!(!costs.is_empty(), "nothing was counted");
        Ok(Self(costs))
    }

    /// For one of so many calls.
    pub(super) fn per(&self, calls: usize) -> BTreeMap<String, f64> {
        self.0.iter().map(|(stage, cost)| (stage.clone(), *cost as f64 / calls as f64)).collect()
    }
}

/// Libraries that are one thing to a reader.
const LIBRARIES: &[(&str, &str)] = &[
    ("hyper", "lib: hyper"),
    ("httparse", "lib: hyper"),
    ("http", "lib: http"),
    ("tokio", "lib: tokio"),
    ("mio", "lib: tokio"),
    ("socket2", "lib: tokio"),
    ("futures", "lib: tokio"),
    ("mimalloc", "lib: allocator"),
    ("libmimalloc", "lib: allocator"),
    ("bytes", "lib: bytes"),
    ("memchr", "lib: memchr"),
    ("tracing", "lib: tracing"),
    ("prometheus", "lib: metrics"),
    ("aws", "lib: crypto"),
    ("getrandom", "lib: crypto"),
];

/// Where the source stands; for the standard library, who called it.
fn stage(object: &str, file: &str, function: &str) -> String {
    if let Some((_, path)) = file.split_once("crates/vmcp")
        && let Some(stage) = ours(path)
    {
        return stage;
    }
    if file.contains("mimalloc") {
        return "lib: allocator".to_owned();
    }
    if let Some((_, path)) = file.split_once("/registry/src/") {
        let package = path.split('/').nth(1).unwrap_or_default();
        return library(package);
    }
    if object.contains("/libc.") || object.contains("ld-linux") {
        let copies = ["memcpy", "memmove", "memset", "memcmp", "bcmp"];
        let copied = copies.iter().any(|word| function.contains(word));
        return (if copied { "libc: copies" } else { "libc: the rest" }).to_owned();
    }
    of_symbol(function)
}

/// `-edge/src/front/legacy.rs` is `edge: front`.
fn ours(path: &str) -> Option<String> {
    let (package, path) = path.split_once("/src/")?;
    let package = package.strip_prefix('-').unwrap_or("vmcp");
    let module = path.split('/').next()?.trim_end_matches(".rs");
    Some(format!("{package}: {module}"))
}

fn library(package: &str) -> String {
    let found = LIBRARIES.iter().find(|(name, _)| package.starts_with(name));
    found.map_or("lib: others", |(_, stage)| stage).to_owned()
}

/// The first module of ours that a symbol names, else the first library.
fn of_symbol(function: &str) -> String {
    let words = |from: &str| -> Vec<String> {
        let path: String =
            from.chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
        path.split("::").map(str::to_owned).collect()
    };
    if let Some(place) = function.find("vmcp_") {
        let path = words(&function[place + 5..]);
        return format!("{}: {}", path[0], path.get(1).map_or("", String::as_str));
    }
    let known = function.match_indices("::").find_map(|(end, _)| {
        let start = function[..end].rfind(|c: char| !c.is_alphanumeric() && c != '_');
        let name = &function[start.map_or(0, |start| start + 1)..end];
        LIBRARIES.iter().find(|(library, _)| name.starts_with(library)).map(|(_, stage)| *stage)
    });
    known.unwrap_or("lib: standard").to_owned()
}

#[cfg(test)]
mod tests {
    use super::Costs;

    #[test]
    fn what_is_inlined_counts_where_it_stands() {
        let dump = "\
positions: line
ob=(1) /t/vmcp
fl=(1) /r/crates/vmcp-edge/src/front/legacy.rs
fn=(1) vmcp_edge::front::legacy::read
10 5
fi=(2) /rustc/x/library/core/src/str/mod.rs
20 7
fi=(3) /h/registry/src/index/hyper-util-0.1/src/a.rs
+3 11
fe=(1)
calls=1 30
* 1000
cfn=(2) <core::Option<vmcp_gateway::route::A> as core::B>::c
calls=2 0
12 2000
fn=(2)
fl=(2)
7 13
ob=(2) /lib/libc.so.6
fl=(4) ???
fn=(3) __memcpy_avx
0 17
fn=(4) core::ptr::drop<tokio::A>
ob=(1)
fl=(2)
0 19
";
        let costs = Costs::read(dump).unwrap().per(1);
        let expected = [
            ("edge: front", 12.0),
            ("gateway: route", 13.0),
            ("lib: hyper", 11.0),
            ("lib: tokio", 19.0),
            ("libc: copies", 17.0),
        ];
        let found: Vec<(&str, f64)> =
            costs.iter().map(|(stage, cost)| (stage.as_str(), *cost)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_is_an_error() {
        assert!(Costs::read("positions: line\n").is_err());
    }
}
