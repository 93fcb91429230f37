//! What is kept comes back as it was, or not at all.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use vmcp_backend::{BackendTarget, CapabilityList, Endpoint, ServerHello, StdioCommand};
use vmcp_config::{HeaderInjection, OutgoingAuth, SafeUrl};
use vmcp_wire::revision::{Protocol, Revision};

use super::format::{Unfit, decode, encode};
use super::{Index, Kept, disk, format, key};
use crate::catalogue::{Inventory, Scope, age};

const HOUR: Duration = Duration::from_secs(3600);
const SALT: key::Salt = [7; 16];
const KEY: key::Key = [9; 32];

fn inventory(revision: Revision, tools: &[&'static str]) -> Inventory {
    let hello = ServerHello {
        revision,
        capabilities: Bytes::from_static(br#"{"tools":{},"experimental":{"x":1.0}}"#),
        server_info: Bytes::from_static(br#"{"name":"s"}"#),
        instructions: Some("Mind the gap — ü".into()),
        session_id: Some("s3cret".to_owned()),
        freshness: None,
    };
    let raw = |item: &&'static str| Bytes::from_static(item.as_bytes());
    let list = CapabilityList {
        tools: tools.iter().map(raw).collect(),
        templates: vec![Bytes::from_static(br#"{"uriTemplate":"a://{n}"}"#)],
        streamed: true,
        ..CapabilityList::default()
    };
    Inventory::read(Arc::new(hello), list)
}

/// One with everything in it.
fn rich() -> Inventory {
    let tools = [r#"{"name":"a", "x":1.00}"#, r#"{"title":"nameless"}"#, r#"{"name":"ü \n"}"#];
    let apart = inventory(Revision::STATELESS, &[]);
    Inventory { apart: Some(Arc::new(apart)), ..inventory(Revision::LATEST_HANDSHAKE, &tools) }
}

fn http(id: &str, url: &str) -> BackendTarget {
    let url = SafeUrl::from(url::Url::parse(url).unwrap());
    BackendTarget::new(id, Endpoint::StreamableHttp { url })
}

fn child(args: &[&str], env: &[(&str, &str)]) -> BackendTarget {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let command = "server".to_owned();
    BackendTarget::new("a", Endpoint::Stdio(StdioCommand { command, args, env, cwd: None }))
}

fn load(index: &Index, target: &BackendTarget) -> Option<Kept> {
    index.load(target, Scope::PerSession)
}

fn save(index: &Index, target: &BackendTarget, listed: SystemTime) {
    index.save(target, Scope::PerSession, &rich(), listed).unwrap();
}

fn file(index: &Index, target: &BackendTarget) -> std::path::PathBuf {
    index.folder.join(key::file_name(target).unwrap())
}

#[test]
fn an_inventory_comes_back_as_it_was_without_the_session() {
    let before = rich();
    let bytes = encode(&before, &SALT, &KEY).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"s3cret"));
    let after = decode(bytes, |salt| (*salt == SALT).then_some(KEY)).unwrap();
    let (is, was) = (after.apart.as_ref().unwrap(), before.apart.as_ref().unwrap());
    assert!(after.is_as(&before) && is.is_as(was));
    assert_eq!((after.nameless.tools, after.counts().tools), (1, 2));
    assert_eq!(after.hello.session_id, None);
    assert_eq!(is.hello.revision, Revision::STATELESS);
}

#[test]
fn no_change_of_a_byte_and_no_missing_one_is_overlooked() {
    let whole = encode(&rich(), &SALT, &KEY).unwrap();
    for length in 0..whole.len() {
        let cut = decode(whole[..length].to_vec(), |_| Some(KEY));
        assert!(matches!(cut, Err(Unfit::Foreign | Unfit::Damaged)), "{length}: {cut:?}");
    }
    for at in 0..whole.len() {
        let mut bad = whole.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(decode(bad, |_| Some(KEY)).is_err(), "{at}");
    }
    let longer = [&whole[..], b"\0"].concat();
    assert_eq!(decode(longer, |_| Some(KEY)).err(), Some(Unfit::Damaged));
}

#[test]
fn lengths_that_lie_under_a_right_hash_are_found_out() {
    use sha2::{Digest, Sha256};
    let whole = encode(&rich(), &SALT, &KEY).unwrap();
    let mut refused = 0;
    for at in 92..whole.len() {
        let mut bad = whole.clone();
        bad[at] = 0xff;
        let hash = Sha256::new().chain_update(&bad[8..12]).chain_update(&bad[44..]).finalize();
        bad[12..44].copy_from_slice(&hash);
        // A text may have become another one; nothing panics, and no length is believed.
        refused += usize::from(decode(bad, |_| Some(KEY)).is_err());
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn files_of_other_versions_and_of_others_are_told_apart() {
    let mut newer = encode(&rich(), &SALT, &KEY).unwrap();
    newer[8..12].copy_from_slice(&(format::VERSION + 1).to_le_bytes());
    assert_eq!(decode(newer, |_| Some(KEY)).err(), Some(Unfit::Version(format::VERSION + 1)));
    let bytes = encode(&rich(), &SALT, &KEY).unwrap();
    assert_eq!(decode(bytes.clone(), |_| Some([0; 32])).err(), Some(Unfit::OfAnother));
    assert_eq!(decode(bytes, |_| None).err(), Some(Unfit::OfAnother));
    assert_eq!(decode(b"{\"json\": 1}".to_vec(), |_| Some(KEY)).err(), Some(Unfit::Foreign));
}

#[test]
fn whatever_decides_what_is_offered_is_in_the_key() {
    let with = |change: &dyn Fn(&mut BackendTarget)| {
        let mut target = http("a", "https://one/mcp?key=1");
        change(&mut target);
        key::of(&target, Scope::PerSession, &SALT).unwrap()
    };
    let header = |value: &str| {
        let header = HeaderInjection { name: "X".to_owned(), value: value.into() };
        OutgoingAuth::HeaderInjection(header)
    };
    let mut keys = vec![
        with(&|_| {}),
        with(&|target| *target = http("b", "https://one/mcp?key=1")),
        with(&|target| *target = http("a", "https://one/mcp?key=2")),
        with(&|target| target.headers.push(("X".to_owned(), "1".into()))),
        with(&|target| target.headers.push(("X".to_owned(), "2".into()))),
        with(&|target| target.auth = header("1")),
        with(&|target| target.auth = header("2")),
        with(&|target| target.protocol = Protocol::Handshake),
        with(&|target| target.limits.max_list_items = 3),
        with(&|target| target.ca_bundle = Some(vmcp_backend::CaBundle::Path("/pem".into()))),
        with(&|target| {
            let url = SafeUrl::from(url::Url::parse("https://one/mcp?key=1").unwrap());
            target.endpoint = Endpoint::Http { url };
        }),
        with(&|target| *target = child(&["ab"], &[])),
        with(&|target| *target = child(&["a", "b"], &[])),
        with(&|target| *target = child(&["a"], &[("b", "")])),
        with(&|target| *target = child(&["a"], &[("", "b")])),
    ];
    let target = http("a", "https://one/mcp?key=1");
    keys.push(key::of(&target, Scope::PerSession, &[8; 16]).unwrap());
    keys.push(key::of(&target, Scope::Shared, &SALT).unwrap());
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), all);
    // What changes how long one waits changes nothing that is offered.
    assert_eq!(with(&|target| target.timeouts.call = HOUR), with(&|_| {}));
}

#[test]
fn a_name_of_a_file_shows_no_secret_and_leads_nowhere_else() {
    let name = |id: &str, url: &str| key::file_name(&http(id, url)).unwrap();
    assert_eq!(name("a", "https://u:p@one/mcp?k=1"), name("a", "https://one/mcp?k=2"));
    assert_ne!(name("a", "https://one/mcp"), name("a", "https://two/mcp"));
    assert_ne!(name("a.b", "https://one/mcp"), name("a_b", "https://one/mcp"));
    let odd = name("../../etc/x", "https://one/mcp");
    assert!(odd.starts_with("______etc_x-") && odd.ends_with(".index"), "{odd}");
}

#[test]
fn what_is_kept_is_found_until_it_is_too_old_or_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::new(folder.path().join("deep/index"), HOUR);
    let (here, there) = (http("a", "https://one/mcp"), http("a", "https://two/mcp"));
    assert!(load(&index, &here).is_none());
    let listed = SystemTime::now() - HOUR / 2;
    save(&index, &here, listed);
    let kept = load(&index, &here).unwrap();
    assert!(kept.inventory.is_as(&rich()));
    assert!(age(kept.listed) >= HOUR / 2 && age(kept.listed) < HOUR);
    assert!(load(&index, &there).is_none());
    let mut other = here.clone();
    other.headers.push(("X-Tenant".to_owned(), "two".into()));
    assert!(load(&index, &other).is_none());

    assert!(index.confirm(&here, SystemTime::now()).unwrap());
    assert!(age(load(&index, &here).unwrap().listed) < HOUR / 2);
    assert!(!index.confirm(&there, listed).unwrap());
    index.confirm(&here, SystemTime::now() - 2 * HOUR).unwrap();
    assert!(load(&index, &here).is_none(), "too old");
    index.clean();
    assert!(!file(&index, &here).exists());
    index.remove(&here).unwrap();
}

#[cfg(unix)]
#[test]
fn files_are_the_users_alone_and_others_are_not_trusted() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let index = Index::new(folder.path().join("index"), HOUR);
    let target = http("a", "https://one/mcp");
    save(&index, &target, SystemTime::now());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = file(&index, &target);
    assert_eq!((mode(&index.folder), mode(&path)), (0o700, 0o600));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o622)).unwrap();
    assert!(load(&index, &target).is_none());
    // It is replaced by one that can be trusted.
    save(&index, &target, SystemTime::now());
    assert!(load(&index, &target).is_some());
}

#[test]
fn what_a_crash_leaves_is_no_file_and_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::new(folder.path(), HOUR);
    let target = http("a", "https://one/mcp");
    save(&index, &target, SystemTime::now());
    let left = folder.path().join("a-1.index.0.new");
    std::fs::write(&left, b"vmcpidx\0half").unwrap();
    let foreign = folder.path().join("notes.txt");
    std::fs::write(&foreign, b"mine").unwrap();
    index.clean();
    assert!(left.exists(), "somebody may be writing it");
    for path in [&left, &foreign] {
        disk::touch(path, SystemTime::now() - 2 * HOUR).unwrap();
    }
    index.clean();
    assert!(!left.exists() && foreign.exists() && load(&index, &target).is_some());
}

#[test]
fn many_writers_of_one_file_leave_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::new(folder.path(), HOUR);
    let target = http("a", "https://one/mcp");
    save(&index, &target, SystemTime::now());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20).for_each(|_| save(&index, &target, SystemTime::now())));
        }
        for _ in 0..200 {
            assert!(load(&index, &target).is_some_and(|kept| kept.inventory.is_as(&rich())));
        }
    });
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "nothing is left behind");
}
