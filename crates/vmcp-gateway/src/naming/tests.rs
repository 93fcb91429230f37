//! The naming matrix: three strategies over overlapping names, rules, spelling, order.

use bytes::Bytes;
use vmcp_config::{Aggregation, BackendId, Naming, Override, PrefixFormat, ToolRules, Visibility};

use super::conflict::{Capability, Cause};
use super::{Named, Offer, Report, prompts, tools, uris};
use crate::catalogue::Item;

/// Backends and what they offer, in config order.
const OVERLAP: &[(&str, &[&str])] =
    &[("a", &["x", "only_a"]), ("b", &["x", "only_b"]), ("c", &["x"])];

fn items(names: &[&str]) -> Vec<Item> {
    names.iter().map(|name| Item { key: (*name).into(), raw: Bytes::new() }).collect()
}

/// `backend:own>advertised` for each, then `!kind name cause winner losers` for each conflict.
fn check(
    rules: &Aggregation,
    offers: &[(&str, &[&str])],
    name: impl for<'a> Fn(&'a Aggregation, &[Offer<'a>], &mut Report) -> Vec<Named<'a>>,
    expected: &str,
) {
    let ids: Vec<BackendId> = offers.iter().map(|(id, _)| BackendId::from(*id)).collect();
    let items: Vec<Vec<Item>> = offers.iter().map(|(_, names)| items(names)).collect();
    let offers: Vec<Offer<'_>> = ids
        .iter()
        .zip(&items)
        .enumerate()
        .map(|(backend, (id, items))| Offer { backend, id, items })
        .collect();
    let mut report = Report::default();
    let named = name(rules, &offers, &mut report);
    let mut lines: Vec<String> = named
        .iter()
        .map(|named| format!("{}:{}>{}", ids[named.backend], named.item.key, named.name))
        .collect();
    for conflict in report.into_conflicts() {
        let cause = match conflict.cause {
            Cause::Taken => "taken",
            Cause::Unresolved => "unresolved",
            Cause::Malformed => "malformed",
        };
        let winner = conflict.winner.map(|id| id.to_string()).unwrap_or_default();
        let losers: Vec<&str> = conflict.losers.iter().map(|id| id.as_str()).collect();
        lines.push(format!("!{} {cause} [{winner}] {}", conflict.name, losers.join(",")));
    }
    assert_eq!(lines.join("\n"), expected);
}

fn rules(naming: Naming) -> Aggregation {
    Aggregation { naming, ..Aggregation::default() }
}

fn prefix(format: &str) -> Aggregation {
    rules(Naming::Prefix { format: PrefixFormat::new(format) })
}

fn priority(order: &[&str]) -> Aggregation {
    let order = order.iter().map(|id| BackendId::from(*id)).collect();
    rules(Naming::Priority { order, format: PrefixFormat::default() })
}

fn of_tool(id: &str, own: &str, with: Override) -> (BackendId, ToolRules) {
    (id.into(), ToolRules { overrides: vec![(own.into(), with)], ..ToolRules::default() })
}

fn renamed(name: &str) -> Override {
    Override { name: Some(name.into()), ..Override::default() }
}

#[test]
fn prefix_names_every_tool_after_its_backend() {
    let expected = "a:x>a_x\na:only_a>a_only_a\nb:x>b_x\nb:only_b>b_only_b\nc:x>c_x";
    check(&prefix("{workload}_"), OVERLAP, tools, expected);
    let expected = "a:x>v1-a-x\na:only_a>v1-a-only_a\nb:x>v1-b-x\nb:only_b>v1-b-only_b\nc:x>v1-c-x";
    check(&prefix("v1-{workload}-"), OVERLAP, tools, expected);
}

#[test]
fn a_prefix_without_the_place_leaves_the_name_to_the_first() {
    let expected = "a:x>p_x\na:only_a>p_only_a\nb:only_b>p_only_b\n!p_x taken [a] b,c";
    check(&prefix("p_"), OVERLAP, tools, expected);
    let expected = "a:x>x\na:only_a>only_a\nb:only_b>only_b\n!x taken [a] b,c";
    check(&prefix(""), OVERLAP, tools, expected);
}

#[test]
fn prefixes_that_run_into_each_other_leave_the_name_to_the_first() {
    let offers: &[(&str, &[&str])] = &[("a", &["b_c"]), ("a_b", &["c"])];
    check(&prefix("{workload}_"), offers, tools, "a:b_c>a_b_c\n!a_b_c taken [a] a_b");
}

#[test]
fn priority_gives_an_equal_name_to_the_best_ranked() {
    let expected = "a:only_a>only_a\nb:x>x\nb:only_b>only_b\n!x taken [b] a,c";
    check(&priority(&["b", "a"]), OVERLAP, tools, expected);
}

#[test]
fn priority_prefixes_equal_names_of_unranked_backends() {
    let expected = "a:x>a_x\na:only_a>only_a\nb:x>b_x\nb:only_b>only_b\nc:x>c_x";
    check(&priority(&["other"]), OVERLAP, tools, expected);
}

#[test]
fn manual_withholds_equal_names_only() {
    let expected = "a:only_a>only_a\nb:only_b>only_b\n!x unresolved [] a,b,c";
    check(&rules(Naming::Manual), OVERLAP, tools, expected);
}

#[test]
fn manual_takes_overrides_that_part_the_names() {
    let mut rules = rules(Naming::Manual);
    rules.tools.extend([of_tool("a", "x", renamed("ax")), of_tool("b", "x", renamed("bx"))]);
    let expected = "a:x>ax\na:only_a>only_a\nb:x>bx\nb:only_b>only_b\nc:x>x";
    check(&rules, OVERLAP, tools, expected);
}

#[test]
fn an_override_is_prefixed_like_any_name() {
    let mut rules = prefix("{workload}_");
    rules.tools.extend([of_tool("a", "x", renamed("open"))]);
    let offers: &[(&str, &[&str])] = &[("a", &["x", "y"])];
    check(&rules, offers, tools, "a:x>a_open\na:y>a_y");
}

#[test]
fn filters_look_at_local_names_and_free_the_name_for_others() {
    let mut rules = priority(&["a"]);
    rules.tools.extend([of_tool("a", "x", renamed("open"))]);
    if let Some(own) = rules.tools.get_mut(&BackendId::from("a")) {
        own.filter = Some(["only_a".to_owned()].into());
    }
    let offers: &[(&str, &[&str])] = &[("a", &["x", "only_a"]), ("b", &["open"])];
    check(&rules, offers, tools, "a:only_a>only_a\nb:open>open");
}

#[test]
fn visibility_rules_take_tools_out() {
    let mut all = prefix("{workload}_");
    all.exclude_all = true;
    check(&all, OVERLAP, tools, "");

    let mut denied = prefix("{workload}_");
    denied.default_visibility = Visibility::Deny;
    denied.tools.insert("b".into(), ToolRules::default());
    check(&denied, OVERLAP, tools, "b:x>b_x\nb:only_b>b_only_b");

    let mut none = prefix("{workload}_");
    none.tools.insert("b".into(), ToolRules { exclude_all: true, ..ToolRules::default() });
    check(&none, OVERLAP, tools, "a:x>a_x\na:only_a>a_only_a\nc:x>c_x");
}

#[test]
fn names_are_spelled_for_model_apis() {
    let offers: &[(&str, &[&str])] = &[("a.b", &["fs.read", "fs/read", "ok"])];
    let expected = "a.b:fs.read>a_b_fs_read\na.b:ok>a_b_ok\n!a_b_fs_read taken [a.b] a.b";
    check(&prefix("{workload}_"), offers, tools, expected);
}

#[test]
fn prompts_get_their_prefix_unless_their_backend_is_ranked() {
    let prefixed = "a:x>a_x\na:only_a>a_only_a\nb:x>b_x\nb:only_b>b_only_b\nc:x>c_x";
    check(&prefix("{workload}_"), OVERLAP, prompts, prefixed);
    check(&rules(Naming::Manual), OVERLAP, prompts, prefixed);
    let ranked = "a:only_a>only_a\nb:x>x\nb:only_b>only_b\nc:x>c_x\n!x taken [b] a";
    check(&priority(&["b", "a"]), OVERLAP, prompts, ranked);
}

#[test]
fn a_prompt_of_an_unranked_backend_loses_to_whoever_comes_first() {
    let offers: &[(&str, &[&str])] = &[("a", &["c_x"]), ("c", &["x"])];
    check(&priority(&["a"]), offers, prompts, "a:c_x>c_x\n!c_x taken [a] c");
}

#[test]
fn uris_belong_to_the_first_and_are_never_rewritten() {
    let kind = |_: &Aggregation, offers: &[Offer<'_>], report: &mut Report| -> Vec<String> {
        uris(Capability::Resource, offers, report).into_iter().map(|named| named.name).collect()
    };
    let (a, b) = (BackendId::from("a"), BackendId::from("b"));
    let (of_a, of_b) = (items(&["file:///x", "a://1"]), items(&["file:///x", "b://1"]));
    let offers =
        [Offer { backend: 0, id: &a, items: &of_a }, Offer { backend: 1, id: &b, items: &of_b }];
    let mut report = Report::default();
    let named = kind(&Aggregation::default(), &offers, &mut report);
    assert_eq!(named, ["file:///x", "a://1", "b://1"]);
    let conflicts = report.into_conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].to_string(), "resource `file:///x`: advertised for a; not for b");
}

#[test]
fn the_same_input_gives_the_same_names_each_time() {
    let names: Vec<String> = (0..200).map(|n| format!("tool.{}", n % 50)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let offers: Vec<(&str, &[&str])> =
        vec![("a", &names[..100]), ("b", &names[50..]), ("c", &names[..])];
    let ids: Vec<BackendId> = offers.iter().map(|(id, _)| BackendId::from(*id)).collect();
    for rules in [prefix("p_"), priority(&["c", "a"]), rules(Naming::Manual)] {
        let run = || {
            let items: Vec<Vec<Item>> = offers.iter().map(|(_, names)| items(names)).collect();
            let offers: Vec<Offer<'_>> = ids
                .iter()
                .zip(&items)
                .enumerate()
                .map(|(backend, (id, items))| Offer { backend, id, items })
                .collect();
            let mut report = Report::default();
            let named = tools(&rules, &offers, &mut report);
            let names: Vec<String> = named.into_iter().map(|named| named.name).collect();
            (names, report.into_conflicts())
        };
        let first = run();
        assert!((0..5).all(|_| run() == first));
    }
}
