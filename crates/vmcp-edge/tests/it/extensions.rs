//! What backends and clients have beyond the protocol passes as it is: apps, and extensions that nobody here knows.

use serde_json::{Value, json};
use vmcp_config::{Aggregation, Config, ToolRules};
use vmcp_testkit::{Answer, Backend, Builder, RawReply};

use crate::rig::{LATEST, Rig, body, target, tool};

const UI: &str = "io.modelcontextprotocol/ui";
const META: &str = "io.modelcontextprotocol/clientCapabilities";
/// Spelled so that nobody who reads and writes it again would spell it the same.
const SETTINGS: &str = r#"{ "depth":1.0, "kinds":["a\u0062",1e3] ,"n":12345678901234567890 }"#;

/// The names that backends get when nothing is said.
fn prefixed(config: &mut Config) {
    config.aggregation.naming = Aggregation::default().naming;
}

fn era(builder: Builder, stateless: bool) -> Builder {
    if stateless { builder.stateless() } else { builder }
}

fn app_tool(name: &str) -> String {
    format!(
        r#"{{"name":"{name}" ,"_meta":{{ "ui":{{"resourceUri":"ui://app","visibility":["app"], "csp":{{"n":1.0}}}} ,"zz":[1e3]}}, "inputSchema":{{"type":"object"}}}}"#
    )
}

async fn app(name: &str, stateless: bool) -> Backend {
    let contents = r#"{"contents":[{"uri":"ui://app","mimeType":"text/html;profile=mcp-app", "text":"<p>\u0061</p>","_meta":{"ui":{"prefersBorder":true ,"n":1.0}}}],"ttlMs":7,"cacheScope":"public","resultType":"complete"}"#;
    let resource =
        json!({"uri": "ui://app", "name": "app", "mimeType": "text/html;profile=mcp-app"});
    let builder = Backend::builder()
        .tool(app_tool(name), Answer::text(name))
        .resource(resource, Answer::result(contents.to_owned()));
    era(builder, stateless).bare_results().start().await.unwrap()
}

async fn text(mut reply: RawReply) -> String {
    String::from_utf8(reply.bytes().await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn an_app_comes_through_as_its_backend_wrote_it() {
    for stateless in [false, true] {
        let backend = app("show", stateless).await;
        let rig = Rig::with(vec![target("b", &backend)], prefixed).await;
        let declared = json!({"extensions": {UI: {"mimeTypes": ["text/html;profile=mcp-app"]}}});
        let with = rig.session_with(LATEST, declared.clone()).await;
        let without = rig.stateless();
        without.set_capabilities(declared.clone());
        let read = json!({"uri": "ui://app"});
        for (tools, page) in [
            (
                text(with.request("tools/list", json!({})).await.unwrap()).await,
                text(with.request("resources/read", read.clone()).await.unwrap()).await,
            ),
            (
                text(without.request("tools/list", json!({})).await.unwrap()).await,
                text(without.request("resources/read", read.clone()).await.unwrap()).await,
            ),
        ] {
            let advertised = app_tool("show").replacen("\"show\"", "\"b_show\"", 1);
            assert!(tools.contains(&advertised), "{tools}");
            assert!(page.contains(r#""mimeType":"text/html;profile=mcp-app", "text":"<p>\u0061</p>","_meta":{"ui":{"prefersBorder":true ,"n":1.0}}}],"ttlMs":7,"cacheScope":"public""#), "{page}");
        }
        // What the client can show is what the backend hears, of both clients.
        let heard = backend.heard("resources/read");
        assert_eq!(heard.len(), 2);
        let opened = backend.heard("initialize");
        let said: Vec<Value> = match stateless {
            true => heard.iter().map(|one| one.json()["params"]["_meta"][META].clone()).collect(),
            false => {
                opened.iter().map(|one| one.json()["params"]["capabilities"].clone()).collect()
            }
        };
        assert_eq!(said.iter().filter(|said| **said == declared).count(), 2, "{said:?}");
    }
}

#[tokio::test]
async fn an_app_calls_a_tool_by_the_name_it_knows() {
    let (one, two) = (app("show", true).await, app("paint", false).await);
    let plain =
        Backend::builder().tool(tool("plain"), Answer::text("plain")).start().await.unwrap();
    let targets = vec![target("b", &one), target("c", &two), target("d", &plain)];
    let rig = Rig::with(targets, prefixed).await;
    let (with, without) = (rig.session(LATEST).await, rig.stateless());
    for (name, said) in
        [("show", "show"), ("b_show", "show"), ("paint", "paint"), ("c_paint", "paint")]
    {
        for told in [
            with.tool(name, json!({})).await.unwrap(),
            without.tool(name, json!({})).await.unwrap(),
        ] {
            assert_eq!(told["result"]["content"][0]["text"], said, "{name}: {told}");
        }
    }
    // No app can mean this one.
    let told = with.tool("plain", json!({})).await.unwrap();
    assert_eq!(told["error"]["code"], -32602, "{told}");
}

#[tokio::test]
async fn a_name_that_two_have_or_nobody_may_see_is_no_name() {
    let (one, two) = (app("show", false).await, app("show", false).await);
    let rig = Rig::with(vec![target("b", &one), target("c", &two)], prefixed).await;
    let told = rig.stateless().tool("show", json!({})).await.unwrap();
    assert_eq!(told["error"]["code"], -32602, "{told}");
    let hidden = Rig::with(vec![target("b", &one)], |config| {
        prefixed(config);
        let rules = ToolRules { exclude_all: true, ..ToolRules::default() };
        config.aggregation.tools.insert("b".into(), rules);
    });
    let told = hidden.await.stateless().tool("show", json!({})).await.unwrap();
    assert_eq!(told["error"]["code"], -32602, "{told}");
    assert_eq!((one.count("tools/call"), two.count("tools/call")), (0, 0));
}

/// Declares an extension that nobody knows, and has a method of it.
async fn extended(stateless: bool) -> Backend {
    let result = r#"{"found":[ {"n":1.0} ,"\u0061"],"resultType":"complete"}"#;
    let capabilities =
        format!(r#"{{"tools":{{}},"extensions":{{"com.example/search":{SETTINGS}}}}}"#);
    let builder = Backend::builder()
        .capabilities(capabilities)
        .on("search/run", Answer::result(result.to_owned()))
        .tool(tool("t"), Answer::text("x"));
    era(builder, stateless).bare_results().start().await.unwrap()
}

#[tokio::test]
async fn an_extension_that_nobody_knows_passes_between_its_two_ends() {
    let params = r#"{"query":{ "n":1.0 ,"t":"\u0061"},"limit":1e3}"#;
    for stateless in [false, true] {
        let (backend, other) = (extended(stateless).await, extended_not().await);
        let rig = Rig::with(vec![target("a", &other), target("b", &backend)], |_| {}).await;
        let (with, without) = (rig.client(), rig.stateless());
        let mine = json!({"extensions": {"com.example/search": {"mine": 1}}});
        without.set_capabilities(mine.clone());
        with.handshake(LATEST, mine).await.unwrap();
        let told = text(without.request("server/discover", json!({})).await.unwrap()).await;
        let expected = format!(r#""extensions":{{"com.example/search":{SETTINGS}}}"#);
        assert!(told.contains(&expected), "{told}");

        for reply in [
            with.request("search/run", params.to_owned()).await.unwrap(),
            without.request("search/run", params.to_owned()).await.unwrap(),
        ] {
            assert_eq!(reply.status, 200);
            let said = text(reply).await;
            let result = r#""result":{"found":[ {"n":1.0} ,"\u0061"]"#;
            assert!(said.contains(result), "{said}");
        }
        let heard = backend.heard("search/run");
        assert_eq!((heard.len(), other.count("search/run")), (2, 0));

        let notice = r#"{"what":{"n":1.0 }}"#;
        with.notify("notifications/search/done", notice.to_owned()).await.unwrap();
        backend.wait_for("notifications/search/done", 1).await.unwrap();
        let prepared = without.prepare("7", "notifications/search/done", notice.to_owned());
        let prepared = prepared.body(|body| {
            body.as_object_mut().unwrap().remove("id");
        });
        assert_eq!(without.send(prepared).await.unwrap().status, 202);
        backend.wait_for("notifications/search/done", 2).await.unwrap();
        let heard = backend.heard("notifications/search/done");
        // The second client writes it in its own way.
        for (heard, what) in heard.iter().zip([r#""what":{"n":1.0 }"#, r#""what":{"n":1.0}"#]) {
            let said = String::from_utf8_lossy(&heard.body);
            assert!(said.contains(what), "{said}");
        }
        assert_eq!(other.count("notifications/search/done"), 0);
    }
}

async fn extended_not() -> Backend {
    Backend::builder().tool(tool("u"), Answer::text("x")).start().await.unwrap()
}

#[tokio::test]
async fn a_method_of_nobody_or_of_two_is_not_found() {
    let (one, two) = (extended(false).await, extended(true).await);
    let rig = Rig::with(vec![target("b", &one), target("c", &two)], |_| {}).await;
    let (with, without) = (rig.session(LATEST).await, rig.stateless());
    for method in ["search/run", "other/run", "search"] {
        let told = with.call(method, json!({})).await.unwrap();
        assert_eq!(told["error"]["code"], -32601, "{method}: {told}");
        let reply = without.request(method, json!({})).await.unwrap();
        assert_eq!(reply.status, 404, "{method}");
    }
    assert_eq!((one.count("search/run"), two.count("search/run")), (0, 0));
}

#[tokio::test]
async fn a_backend_that_speaks_both_ways_is_told_of_to_each_client_in_its_own() {
    const SEARCH: &str = "com.example/search";
    let annotated = json!({"name": "t", "inputSchema": {"type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}});
    let discovered = json!({
        "supportedVersions": ["2026-07-28", "2025-11-25"],
        "capabilities": {"tools": {}, "extensions": {SEARCH: {"a": 1}}},
    });
    let listed = json!({"tools": [annotated], "resultType": "complete"});
    let tools = Answer::with(move |call| {
        let version = &call.params()["_meta"]["io.modelcontextprotocol/protocolVersion"];
        match version.is_string() {
            true => Answer::result(listed.clone()),
            false => Answer::result(json!({"tools": [tool("t"), tool("old")]})),
        }
    });
    let backend = Backend::builder()
        .dual()
        .instructions("with")
        .tool(tool("t"), Answer::text("done"))
        .on("tools/list", tools)
        .on("server/discover", Answer::result(discovered))
        .start()
        .await
        .unwrap();
    let rig = Rig::before(&backend).await;
    let guest = rig.stateless();
    let told = guest.discover().await.unwrap()["result"].take();
    assert_eq!(told["capabilities"]["extensions"], json!({SEARCH: {"a": 1}}), "{told}");
    assert_eq!(told.get("instructions"), None, "it has none to say there");
    let listed = guest.tools().await.unwrap();
    assert_eq!(listed.len(), 1);
    let region = json!({"region": "eu"});
    // What the schema of its own list asks for is asked for.
    let bare = rig.stateless();
    let mut refused = bare
        .request("tools/call", json!({"name": "t", "arguments": region.clone()}))
        .await
        .unwrap();
    assert_eq!(body(&mut refused).await["error"]["code"], -32020);
    guest.learn(&listed[0]);
    let told = guest.tool("t", region.clone()).await.unwrap();
    assert_eq!(told["result"]["content"][0]["text"], "done", "{told}");

    let client = rig.client();
    let opened = client.handshake(LATEST, json!({})).await.unwrap();
    assert_eq!(opened["capabilities"].get("extensions"), None, "{opened}");
    assert_eq!(opened["instructions"], "with");
    let told = client.call("tools/list", json!({})).await.unwrap();
    assert_eq!(told["result"]["tools"], json!([tool("t"), tool("old")]));
    let told = client.tool("t", region).await.unwrap();
    assert_eq!(told["result"]["content"][0]["text"], "done", "{told}");
}
