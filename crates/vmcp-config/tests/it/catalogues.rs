//! What outlives vmcp of what the backends offer.

use std::path::Path;
use std::time::Duration;

use vmcp_config::Catalogue;

use crate::loads;
use crate::marked::check;

fn with(catalogue: &str) -> String {
    format!("backends: [{{name: git, url: 'https://git/mcp'}}]\ncatalogue: {{{catalogue}}}\n")
}

#[test]
fn it_is_kept_unless_somebody_says_otherwise() {
    let usual = loads(&with("")).0.catalogue;
    assert_eq!(usual, Catalogue::default());
    assert!(usual.persist && usual.dir.is_none());
    assert_eq!(usual.max_age, Duration::from_secs(720 * 60 * 60));
    assert!(!loads(&with("persist: false")).0.catalogue.persist);
    let given = loads(&with("dir: '${userHome}/kept', maxAge: 1h30m")).0.catalogue;
    assert_eq!(given.dir.as_deref(), Some(Path::new("/home/me/kept")));
    assert_eq!(given.max_age, Duration::from_secs(90 * 60));
}

#[test]
fn keys_without_effect_are_refused() {
    check(
        &with("persist: false, §dir: /var/vmcp"),
        &["error: `dir` has no effect with `persist: false`"],
    );
    check(
        &with("§maxAge: 1h, persist: false"),
        &["error: `maxAge` has no effect with `persist: false`"],
    );
    check(&with("dir: §kept"), &["error: `dir` must be an absolute path without `..`"]);
    check(
        &with("§persists: true"),
        &["error: unknown key `persists` in `catalogue` (did you mean `persist`?)"],
    );
}
