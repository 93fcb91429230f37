//! URI templates find the owner of a URI.

use std::time::Instant;

use vmcp_wire::UriTemplate;

#[test]
fn matches_what_could_have_been_expanded() {
    for (template, uris) in [
        ("test://static", &["test://static"][..]),
        (
            "test://{id}/data",
            &["test://1/data", "test://a%20b/data", "test:///data", "test://é x/data"],
        ),
        ("file:///{+path}", &["file:///", "file:///a/b/c.txt", "file:///a?b#c"]),
        ("x://a{#part}", &["x://a", "x://a#", "x://a#b/c"]),
        ("x://host{/path*}", &["x://host", "x://host/a", "x://host/a/b/c"]),
        ("x://host{/a,b}", &["x://host", "x://host/1", "x://host/1/2"]),
        ("x://file{.ext}", &["x://file", "x://file.tar.gz"]),
        ("x://m{;a,b*}", &["x://m", "x://m;a=1", "x://m;a=1;b=2"]),
        ("x://s{?q,lang}", &["x://s", "x://s?q=1", "x://s?q=1&lang=de", "x://s?lang=a/b"]),
        ("x://s?fixed=1{&q}", &["x://s?fixed=1", "x://s?fixed=1&q=2"]),
        ("x://{a}{b}/{c:3}", &["x://12/abc", "x:///"]),
        (
            "repo://{owner}/{repo}/contents{/path*}",
            &["repo://o/r/contents/a/b", "repo://o/r/contents"],
        ),
        ("{+any}", &["", "anything://at/all"]),
        ("", &[""]),
    ] {
        let parsed = UriTemplate::parse(template).unwrap();
        assert_eq!(parsed.as_str(), template);
        for uri in uris {
            assert!(parsed.matches(uri), "{template} {uri}");
        }
    }
}

#[test]
fn does_not_match_what_belongs_to_others() {
    for (template, uri) in [
        ("test://static", "test://static/more"),
        ("test://static", "test://stati"),
        ("test://{id}/data", "test://1/2/data"),
        ("test://{id}/data", "test://1/other"),
        ("test://{id}", "other://1"),
        ("x://host{/a,b}", "x://host/1/2/3"),
        ("x://host{/a}", "x://hostile"),
        ("x://s{?q}", "x://s#q"),
        ("x://s{?q}", "x://sq"),
        ("x://a{#part}/b", "x://a"),
        ("", "x"),
    ] {
        assert!(!UriTemplate::parse(template).unwrap().matches(uri), "{template} {uri}");
    }
}

#[test]
fn refuses_malformed_templates() {
    for template in [
        "{",
        "}",
        "a{b",
        "a}b",
        "{}",
        "{a,}",
        "{,a}",
        "{?}",
        "{a b}",
        "{a{b}}",
        "{a:}",
        "{a:x}",
        "{a:10000}",
        "{!a}",
        "{=a}",
    ] {
        assert!(UriTemplate::parse(template).is_err(), "{template}");
    }
    assert!(UriTemplate::parse(&"x".repeat(UriTemplate::MAX_TEMPLATE + 1)).is_err());
}

#[test]
fn the_more_literal_template_fits_better() {
    let specificity = |text| UriTemplate::parse(text).unwrap().specificity();
    assert!(specificity("x://a/{b}") > specificity("x://{a}/{b}"));
    assert!(specificity("x://a/b") > specificity("x://a/{b}"));
    assert!(specificity("x://{+a}") == specificity("x://{a}"));
}

/// What takes a backtracking matcher longer than the universe takes this one a moment.
#[test]
fn no_input_is_catastrophic() {
    let expressions = UriTemplate::MAX_TEMPLATE / "{+a}".len() - 1;
    let template = UriTemplate::parse(&format!("{}!", "{+a}".repeat(expressions))).unwrap();
    let uri = "a".repeat(UriTemplate::MAX_URI);
    let start = Instant::now();
    assert!(!template.matches(&uri));
    assert!(template.matches(&format!("{}!", &uri[1..])));
    assert!(!template.matches(&"a".repeat(UriTemplate::MAX_URI + 1)));
    assert!(start.elapsed().as_secs() < 20);
}
