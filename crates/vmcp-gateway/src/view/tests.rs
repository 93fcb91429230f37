//! From inventories to what a client sees.

use std::sync::Arc;

use bytes::Bytes;
use vmcp_backend::{CapabilityList, ServerHello};
use vmcp_config::{Aggregation, BackendId};
use vmcp_wire::revision::Revision;

use super::{Known, View, build};
use crate::catalogue::Inventory;

fn inventory(capabilities: &str, instructions: Option<&str>, list: &CapabilityList) -> Inventory {
    let hello = ServerHello {
        revision: Revision::LATEST_HANDSHAKE,
        capabilities: Bytes::copy_from_slice(capabilities.as_bytes()),
        server_info: Bytes::from_static(b"{}"),
        instructions: instructions.map(Into::into),
        session_id: None,
        freshness: None,
    };
    Inventory::read(Arc::new(hello), list.clone())
}

fn raw(items: &[&str]) -> Vec<Bytes> {
    items.iter().map(|item| Bytes::copy_from_slice(item.as_bytes())).collect()
}

fn view(backends: &[(&str, Option<&Inventory>)]) -> View {
    let ids: Vec<BackendId> = backends.iter().map(|(id, _)| BackendId::from(*id)).collect();
    let known: Vec<Known<'_>> = ids
        .iter()
        .zip(backends)
        .map(|(id, (_, inventory))| Known { id, inventory: *inventory })
        .collect();
    build(&Aggregation::default(), &known)
}

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_name_leads_to_its_backend_and_to_the_name_there() {
    let tools = CapabilityList {
        tools: raw(&[r#"{"name":"say \"hi\""}"#, r#"{"title":"no name"}"#]),
        ..CapabilityList::default()
    };
    let known = inventory(r#"{"tools":{}}"#, None, &tools);
    let view = view(&[("a", Some(&known)), ("b", Some(&known))]);
    let route = view.tool("b_say__hi_").unwrap();
    assert_eq!((route.backend, text(route.name.as_ref().unwrap())), (1, r#""say \"hi\"""#));
    assert!(view.tool("say \"hi\"").is_none());
    let page = view.tools.page(None, 10).unwrap();
    assert_eq!(text(&page), r#"{"tools":[{"name":"a_say__hi_"},{"name":"b_say__hi_"}]}"#);
    assert_eq!(view.conflicts.len(), 1, "the item without a name is reported");
}

#[test]
fn a_uri_leads_to_its_owner_then_to_the_template_that_fits_best() {
    let of_a = CapabilityList {
        resources: raw(&[r#"{"uri":"file:///one"}"#]),
        templates: raw(&[r#"{"uriTemplate":"file:///{+path}"}"#]),
        ..CapabilityList::default()
    };
    let of_b = CapabilityList {
        resources: raw(&[r#"{"uri":"file:///one"}"#, r#"{"uri":"file:///two"}"#]),
        templates: raw(&[r#"{"uriTemplate":"file:///deep/{name}"}"#]),
        ..CapabilityList::default()
    };
    let a = inventory(r#"{"resources":{}}"#, None, &of_a);
    let b = inventory(r#"{"resources":{"subscribe":true}}"#, None, &of_b);
    let view = view(&[("a", Some(&a)), ("b", Some(&b))]);
    for (uri, owner) in [
        ("file:///one", Some(0)),
        ("file:///two", Some(1)),
        ("file:///deep/x", Some(1)),
        ("file:///deep/x/y", Some(0)),
        ("http://other", None),
    ] {
        assert_eq!(view.resource(uri), owner, "{uri}");
    }
    assert_eq!(view.template("file:///deep/{name}"), Some(1));
    let conflicts: Vec<String> = view.conflicts.iter().map(ToString::to_string).collect();
    assert_eq!(conflicts, ["resource `file:///one`: advertised for a; not for b"]);
}

#[test]
fn capabilities_are_the_union_of_what_is_known() {
    let none = CapabilityList::default();
    let a = inventory(r#"{"tools":{},"logging":{},"experimental":{"x":{"v":1.0}}}"#, None, &none);
    let b = inventory(
        r#"{"resources":{"subscribe":true},"experimental":{"x":2,"y":{}},"tasks":{}}"#,
        None,
        &none,
    );
    let both = view(&[("a", Some(&a)), ("b", Some(&b))]);
    assert_eq!(
        text(&both.capabilities),
        concat!(
            r#"{"tools":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"#,
            r#""logging":{},"experimental":{"x":{"v":1.0},"y":{}}}"#
        )
    );
    assert_eq!(both.only(|offers| offers.logging), Some(0));
    assert_eq!(both.only(|offers| !offers.experimental.is_empty()), None);
}

#[test]
fn lists_are_advertised_while_somebody_is_not_known() {
    let lists = concat!(
        r#"{"tools":{"listChanged":true},"resources":{"listChanged":true},"#,
        r#""prompts":{"listChanged":true}}"#
    );
    assert_eq!(text(&view(&[("a", None)]).capabilities), lists);
    assert_eq!(text(&view(&[]).capabilities), "{}");
}

#[test]
fn instructions_stand_under_one_heading_per_backend() {
    let none = CapabilityList::default();
    let a = inventory("{}", Some("Use x.\n"), &none);
    let silent = inventory("{}", Some("  "), &none);
    let c = inventory("{}", Some("Use z."), &none);
    let several = view(&[("a", Some(&a)), ("b", Some(&silent)), ("c", Some(&c))]);
    assert_eq!(several.instructions.as_deref(), Some("## a\n\nUse x.\n\n## c\n\nUse z."));
    assert_eq!(view(&[("a", Some(&a))]).instructions.as_deref(), Some("Use x."));
    assert_eq!(view(&[("b", Some(&silent))]).instructions, None);
    let long = inventory("{}", Some(&"é".repeat(100_000)), &none);
    let capped = view(&[("a", Some(&long)), ("c", Some(&c))]).instructions.unwrap();
    assert!(capped.len() < 33_000 && capped.ends_with("Use z."), "{}", capped.len());
}

#[test]
fn a_view_depends_on_config_order_only() {
    let tools = |name: &str| CapabilityList {
        tools: raw(&[&format!(r#"{{"name":"{name}"}}"#)]),
        ..CapabilityList::default()
    };
    let (a, b) = (inventory("{}", None, &tools("x")), inventory("{}", None, &tools("y")));
    let whole = view(&[("a", Some(&a)), ("b", Some(&b))]);
    let again = view(&[("a", Some(&a)), ("b", Some(&b))]);
    assert_eq!(whole.digests(), again.digests());
    let part = view(&[("a", None), ("b", Some(&b))]);
    assert_ne!(whole.digests().tools, part.digests().tools);
    assert_eq!(whole.digests().prompts, part.digests().prompts);
}
