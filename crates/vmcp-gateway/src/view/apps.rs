//! Tools as apps call them.
//!
//! An app is a page that a backend has for the user interface of a host (extension `io.modelcontextprotocol/ui`). It calls
//! tools by the names that its backend gave them: it cannot know what vmcp advertises them as. So a tool of a backend with
//! apps answers to its own name, too, where no other tool could be meant.

use std::collections::{HashMap, HashSet};

use memchr::memmem;
use vmcp_wire::Object;

use crate::naming::Named;

/// By their backend's own names the advertised names of tools that apps may call.
pub(super) fn own_names(tools: &[Named<'_>]) -> HashMap<Box<str>, Box<str>> {
    let with_apps: HashSet<usize> =
        tools.iter().filter(|named| has_app(&named.item.raw)).map(|named| named.backend).collect();
    if with_apps.is_empty() {
        return HashMap::new();
    }
    let mut known: HashMap<&str, usize> = HashMap::with_capacity(tools.len());
    for named in tools {
        *known.entry(&*named.item.key).or_default() += 1;
    }
    let renamed = tools.iter().filter(|named| {
        let own = &*named.item.key;
        named.name != *own && with_apps.contains(&named.backend) && known.get(own) == Some(&1)
    });
    renamed.map(|named| (named.item.key.clone(), named.name.as_str().into())).collect()
}

/// Whether a tool's results are shown by an app.
fn has_app(tool: &[u8]) -> bool {
    if memmem::find(tool, b"\"ui").is_none() {
        return false;
    }
    let meta = Object::parse(tool).ok().and_then(|tool| tool.get("_meta")?.as_object());
    meta.is_some_and(|meta| meta.get("ui").is_some() || meta.get("ui/resourceUri").is_some())
}
