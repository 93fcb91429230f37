//! What clients see of several backends.

use serde_json::{Value, json};
use vmcp_backend::ErrorKind;
use vmcp_config::{Aggregation, BackendId, Config, Naming, Override, PrefixFormat, ToolRules};
use vmcp_testkit::{Answer, Backend, Listing};

use crate::world::{World, bare, http, prompt, resource, tool};

async fn overlapping() -> (Backend, Backend) {
    let a = Backend::builder()
        .tool(tool("x"), Answer::text("a's x"))
        .tool(tool("only.a"), Answer::echo())
        .prompt(prompt("p"), Answer::usual())
        .resource(resource("file:///same"), Answer::usual())
        .instructions("Be careful.");
    let b = Backend::builder()
        .tool(tool("x"), Answer::text("b's x"))
        .prompt(prompt("p"), Answer::usual())
        .resource(resource("file:///same"), Answer::usual())
        .resource(resource("b://1"), Answer::usual());
    (a.start().await.unwrap(), b.start().await.unwrap())
}

fn with(naming: Naming) -> Config {
    Config { aggregation: Aggregation { naming, ..Aggregation::default() }, ..Config::default() }
}

/// The lists under a strategy, and what `x` of each advertised name says.
async fn check(naming: Naming, tools: &[&str], prompts: &[&str], says: &[(&str, &str)]) {
    let (a, b) = overlapping().await;
    let world = World::settled(with(naming), vec![http("a", &a), http("b", &b)]).await;
    let client = world.client().await;
    assert_eq!(client.list("tools/list").await, tools);
    assert_eq!(client.list("prompts/list").await, prompts);
    assert_eq!(client.list("resources/list").await, ["file:///same", "b://1"]);
    for (name, text) in says {
        assert_eq!(client.text(name, json!({})).await, *text, "{name}");
    }
}

#[tokio::test]
async fn prefix_shows_everything_under_its_backend() {
    let naming = Naming::Prefix { format: PrefixFormat::default() };
    let says = [("a_x", "a's x"), ("b_x", "b's x")];
    check(naming, &["a_x", "a_only_a", "b_x"], &["a_p", "b_p"], &says).await;
}

#[tokio::test]
async fn priority_shows_the_best_ranked_of_equal_names() {
    let order = vec![BackendId::from("b"), BackendId::from("a")];
    let naming = Naming::Priority { order, format: PrefixFormat::default() };
    check(naming, &["only_a", "x"], &["p"], &[("x", "b's x")]).await;
}

#[tokio::test]
async fn manual_withholds_what_is_not_resolved_and_nothing_else() {
    let (a, b) = overlapping().await;
    let world = World::settled(with(Naming::Manual), vec![http("a", &a), http("b", &b)]).await;
    let client = world.client().await;
    assert_eq!(client.list("tools/list").await, ["only_a"]);
    let refused = client.refused("tools/call", json!({"name": "x"})).await;
    assert_eq!(refused, ErrorKind::UnknownTool("x".into()));
    let conflicts: Vec<String> = world.status().conflicts.iter().map(ToString::to_string).collect();
    assert_eq!(
        conflicts,
        [
            "tool `x`: not advertised, because no override tells it apart; offered by a, b",
            "resource `file:///same`: advertised for a; not for b",
        ]
    );
}

#[tokio::test]
async fn descriptors_pass_byte_for_byte_except_what_vmcp_owns() {
    let raw = r#"{ "title":"T\u0041","inputSchema":{"type":"object","x":1.0e2},  "name":"t", "_meta":{"k":[ ]} }"#;
    let a = Backend::builder().tool(raw, Answer::usual()).start().await.unwrap();
    let mut config = Config::default();
    let with = Override { description: Some("ours".into()), ..Override::default() };
    let rules = ToolRules { overrides: vec![("t".into(), with)], ..ToolRules::default() };
    config.aggregation.tools.insert("a".into(), rules);
    let world = World::settled(config, vec![http("a", &a)]).await;
    let client = world.client().await;
    let call = vmcp_backend::Call::new("tools/list", None);
    let mut reply = client.session.call(call).await.unwrap();
    let Some(vmcp_backend::Event::Response(vmcp_backend::Response::Made(result))) =
        reply.next().await
    else {
        panic!("no result");
    };
    let expected = r#"{"tools":[{ "title":"T\u0041","inputSchema":{"type":"object","x":1.0e2},  "name":"a_t", "_meta":{"k":[ ]},"description":"ours" }]}"#;
    let got = std::str::from_utf8(&result).unwrap();
    assert_eq!(got.replace(' ', ""), expected.replace(' ', ""));
}

#[tokio::test]
async fn hidden_and_unknown_tools_are_the_same() {
    let (a, _b) = overlapping().await;
    let mut config = bare();
    let rules = ToolRules { filter: Some(["only.a".to_owned()].into()), ..ToolRules::default() };
    config.aggregation.tools.insert("a".into(), rules);
    let world = World::settled(config, vec![http("a", &a)]).await;
    let client = world.client().await;
    assert_eq!(client.list("tools/list").await, ["only_a"]);
    for name in ["x", "nobody's", "only.a", "a_x"] {
        let refused = client.refused("tools/call", json!({"name": name})).await;
        assert_eq!(refused, ErrorKind::UnknownTool(name.into()));
    }
    assert_eq!(a.count("tools/call"), 0);
}

#[tokio::test]
async fn pages_of_many_backends_cover_everything_in_config_order() {
    let mut builder = Backend::builder().listing(Listing::Pages(7));
    for n in 0..40 {
        builder = builder.tool(tool(&format!("t{n}")), Answer::usual());
    }
    let a = builder.start().await.unwrap();
    let mut builder = Backend::builder().listing(Listing::EmptyCursor(9));
    for n in 0..25 {
        builder = builder.tool(tool(&format!("t{n}")), Answer::usual());
    }
    let b = builder.start().await.unwrap();
    let mut config = Config::default();
    config.aggregation.page_size = 10;
    let world = World::settled(config, vec![http("a", &a), http("b", &b)]).await;
    let client = world.client().await;
    let (mut seen, mut cursor, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let page = client.ok("tools/list", json!({"cursor": cursor})).await;
        seen.extend(page["tools"].as_array().unwrap().iter().map(|tool| tool["name"].to_string()));
        pages += 1;
        match page.get("nextCursor") {
            Some(next) => cursor = next.clone(),
            None => break,
        }
    }
    let expected: Vec<String> = (0..40)
        .map(|n| format!("\"a_t{n}\""))
        .chain((0..25).map(|n| format!("\"b_t{n}\"")))
        .collect();
    assert_eq!((seen, pages), (expected, 7));
    for bad in [json!("x"), json!(""), json!(3)] {
        let refused = client.refused("tools/list", json!({"cursor": bad})).await;
        assert!(matches!(refused, ErrorKind::InvalidParams(_)), "{refused:?}");
    }
}

#[tokio::test]
async fn without_a_backend_lists_are_empty() {
    let world = World::settled(Config::default(), Vec::new()).await;
    let client = world.client().await;
    for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
        assert!(client.list(method).await.is_empty(), "{method}");
    }
    assert_eq!(client.ok("logging/setLevel", json!({"level": "debug"})).await, json!({}));
}

#[tokio::test]
async fn the_handshake_tells_of_all_backends() {
    let (a, b) = overlapping().await;
    let world = World::settled(Config::default(), vec![http("a", &a), http("b", &b)]).await;
    let client = world.client().await;
    let capabilities: Value = serde_json::from_slice(&client.session.capabilities()).unwrap();
    assert_eq!(
        capabilities,
        json!({
            "tools": {"listChanged": true},
            "resources": {"subscribe": true, "listChanged": true},
            "prompts": {"listChanged": true},
        })
    );
    assert_eq!(client.session.instructions().as_deref(), Some("## a\n\nBe careful."));
    let info: Value = serde_json::from_slice(&client.session.server_info()).unwrap();
    assert_eq!(info["name"], "vmcp");
}

#[tokio::test]
async fn long_names_are_shortened_and_still_lead_home() {
    let long = "n".repeat(120);
    let a = Backend::builder().tool(tool(&long), Answer::echo()).start().await.unwrap();
    let world = World::settled(Config::default(), vec![http("a", &a)]).await;
    let client = world.client().await;
    let names = client.list("tools/list").await;
    assert_eq!(names[0].len(), 64);
    let said = client.text(&names[0], json!({})).await;
    assert!(said.contains(&long), "{said}");
}
