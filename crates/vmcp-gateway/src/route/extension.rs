//! Whose a method is that no part of the protocol defines: the extension's that it is named after.

/// What methods of the protocol itself begin with. An extension that ends like one of them must name its own in full.
const OWN: [&str; 11] = [
    "tools",
    "prompts",
    "resources",
    "completion",
    "logging",
    "sampling",
    "roots",
    "elicitation",
    "server",
    "subscriptions",
    "notifications",
];

/// Whether a method is named after this: it is the same, or goes on behind a slash.
pub(super) fn begins(method: &str, name: &str) -> bool {
    method.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the extension with this identifier has this method: one that begins with the whole identifier
/// (`com.example/search/run`), or with what stands behind the slash in it (`search/run`), as those of the known ones do.
pub(super) fn has(id: &str, method: &str) -> bool {
    let short = id.rsplit_once('/').map(|(_, short)| short);
    let short = short.filter(|short| !short.is_empty() && !OWN.contains(short));
    begins(method, id) || short.is_some_and(|short| method != short && begins(method, short))
}

#[cfg(test)]
mod tests {
    use super::has;

    #[test]
    fn methods_are_named_after_their_extension() {
        for (id, method, expected) in [
            ("com.example/search", "search/run", true),
            ("com.example/search", "com.example/search/run", true),
            ("com.example/search", "com.example/search", true),
            ("com.example/search", "search", false),
            ("com.example/search", "searching/run", false),
            ("com.example/search", "research/run", false),
            ("com.example/tools", "tools/run", false),
            ("com.example/tools", "com.example/tools/run", true),
            ("com.example/", "/run", false),
            ("search", "search/run", true),
        ] {
            assert_eq!(has(id, method), expected, "{id} {method}");
        }
    }
}
