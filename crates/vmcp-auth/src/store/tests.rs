//! One contract for both stores, and what only a file can suffer.

use std::fs;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{CredentialKey, CredentialStore, FileStore, MemoryStore, StoreError, StoreKey};

const SECRET: &str = "s3cr3t-token";

fn key(backend: &str, issuer: &str) -> CredentialKey {
    CredentialKey {
        backend: backend.to_owned(),
        server: "https://mcp.example/mcp".to_owned(),
        issuer: issuer.to_owned(),
        client: "vmcp".to_owned(),
    }
}

fn beside(folder: &Path) -> FileStore {
    FileStore::new(folder, StoreKey::Beside)
}

fn given(folder: &Path, key: &str) -> FileStore {
    FileStore::new(folder, StoreKey::Given(key.into()))
}

async fn read(
    store: &dyn CredentialStore,
    key: &CredentialKey,
) -> Result<Option<String>, StoreError> {
    Ok(store.get(key).await?.map(|secret| secret.expose_secret().to_owned()))
}

async fn filled(folder: &Path) -> FileStore {
    let store = beside(folder);
    store.put(&key("a", "https://as.example"), SECRET.into()).await.unwrap();
    store.put(&key("b", "https://as.example"), "other".into()).await.unwrap();
    store
}

/// The file as JSON, changed.
fn change(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join("credentials.json");
    let mut file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut file);
    // Written over, not made anew: the mode stays.
    fs::write(&path, file.to_string()).unwrap();
}

fn is_pending<T>(future: Pin<&mut impl Future<Output = T>>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

async fn check_contract(store: Arc<dyn CredentialStore>) {
    let (one, two) = (key("a", "https://as.example"), key("a", "https://as.example/"));
    assert_eq!(read(&*store, &one).await.unwrap(), None);
    assert!(!store.remove(&one).await.unwrap());
    assert!(store.keys().await.unwrap().is_empty());

    store.put(&two, "second".into()).await.unwrap();
    store.put(&one, "first".into()).await.unwrap();
    store.put(&one, SECRET.into()).await.unwrap();
    assert_eq!(read(&*store, &one).await.unwrap().as_deref(), Some(SECRET));
    assert_eq!(read(&*store, &two).await.unwrap().as_deref(), Some("second"));
    assert_eq!(store.keys().await.unwrap(), [one.clone(), two.clone()]);

    assert!(store.remove(&one).await.unwrap());
    assert_eq!(read(&*store, &one).await.unwrap(), None);
    assert_eq!(store.keys().await.unwrap(), [two]);

    // Who waits for a lock goes on when it is let go, and not before; another name is another lock.
    let held = store.lock("x").await.unwrap();
    let _other = store.lock("y").await.unwrap();
    let mut waiting = std::pin::pin!(store.lock("x"));
    assert!(is_pending(waiting.as_mut()));
    drop(held);
    waiting.await.unwrap();
}

#[tokio::test]
async fn both_stores_keep_one_contract() {
    check_contract(Arc::new(MemoryStore::new())).await;
    let folder = tempfile::tempdir().unwrap();
    check_contract(Arc::new(beside(folder.path()))).await;
    let folder = tempfile::tempdir().unwrap();
    let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    check_contract(Arc::new(given(folder.path(), key))).await;
}

#[tokio::test]
async fn a_second_process_sees_what_the_first_kept() {
    let folder = tempfile::tempdir().unwrap();
    let nested = folder.path().join("state/vmcp");
    let first = filled(&nested).await;
    let second = beside(&nested);
    assert_eq!(
        read(&second, &key("a", "https://as.example")).await.unwrap().as_deref(),
        Some(SECRET)
    );
    second.remove(&key("a", "https://as.example")).await.unwrap();
    assert_eq!(read(&first, &key("a", "https://as.example")).await.unwrap(), None);
    // Locks hold between stores that share nothing but the folder.
    let held = first.lock("refresh").await.unwrap();
    let mut waiting = std::pin::pin!(second.lock("refresh"));
    assert!(is_pending(waiting.as_mut()));
    drop(held);
    waiting.await.unwrap();
}

#[tokio::test]
async fn no_write_is_lost_between_stores() {
    let folder = tempfile::tempdir().unwrap();
    let stores: Vec<FileStore> = (0..4).map(|_| beside(folder.path())).collect();
    let writes = stores.iter().enumerate().map(|(number, store)| async move {
        for round in 0..5 {
            store.put(&key(&format!("{number}-{round}"), "i"), SECRET.into()).await.unwrap();
        }
    });
    futures_util::future::join_all(writes).await;
    assert_eq!(stores[0].keys().await.unwrap().len(), 20);
}

#[tokio::test]
async fn nothing_secret_is_readable_and_nothing_is_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("vmcp");
    let store = filled(&state).await;
    let text = fs::read_to_string(store.path()).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    assert!(!format!("{store:?} {:?}", StoreKey::Given(SECRET.into())).contains(SECRET));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        assert_eq!(mode(&store.path()), 0o600);
        assert_eq!(mode(&state.join("credentials.key")), 0o600);

        fs::set_permissions(store.path(), fs::Permissions::from_mode(0o644)).unwrap();
        let error = read(&store, &key("a", "https://as.example")).await.unwrap_err();
        assert!(matches!(error, StoreError::Exposed { mode: 0o644, .. }), "{error}");
        assert!(error.to_string().contains("chmod"), "{error}");
    }
}

#[tokio::test]
async fn another_key_opens_nothing_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    let before = fs::read(store.path()).unwrap();
    let other = given(folder.path(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let one = key("a", "https://as.example");
    let check = |error: StoreError| {
        assert!(matches!(error, StoreError::OtherKey { .. }), "{error}");
        assert!(error.to_string().contains("VMCP_CREDENTIALS_KEY"), "{error}");
    };
    check(read(&other, &one).await.unwrap_err());
    check(other.put(&one, "new".into()).await.unwrap_err());
    check(other.remove(&one).await.unwrap_err());
    assert_eq!(fs::read(store.path()).unwrap(), before);
    // What there is can be listed all the same.
    assert_eq!(other.keys().await.unwrap().len(), 2);

    // A lost key is not silently replaced.
    fs::remove_file(folder.path().join("credentials.key")).unwrap();
    let fresh = beside(folder.path());
    let error = fresh.put(&one, "new".into()).await.unwrap_err().to_string();
    assert!(error.contains("credentials.key") && error.contains("not there"), "{error}");
    assert_eq!(fs::read(store.path()).unwrap(), before);
}

#[tokio::test]
async fn keys_are_32_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for bad in ["", "password", "AAAA", &"g".repeat(64), &"0".repeat(63)] {
        let error = given(folder.path(), bad).put(&key("a", "i"), SECRET.into()).await.unwrap_err();
        assert!(matches!(error, StoreError::BadKey(_)), "{bad}: {error}");
        assert!(bad.is_empty() || !error.to_string().contains(bad), "{error}");
    }
    let texts = [
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        " AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
        &"0".repeat(64),
    ];
    for text in texts {
        given(folder.path(), text).put(&key("a", "i"), SECRET.into()).await.unwrap();
    }
}

#[tokio::test]
async fn an_entry_opens_only_for_what_it_was_sealed_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    // Whoever can write the file but has no key puts one backend's token under another one.
    change(folder.path(), |file| {
        let stolen = file["entries"][0]["sealed"].clone();
        file["entries"][1]["sealed"] = stolen;
    });
    let error = read(&store, &key("b", "https://as.example")).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("\"b\""), "{error}");
    // The entry beside it is fine, and can be written.
    let one = key("a", "https://as.example");
    assert_eq!(read(&store, &one).await.unwrap().as_deref(), Some(SECRET));
    store.put(&one, "newer".into()).await.unwrap();
    assert_eq!(read(&store, &one).await.unwrap().as_deref(), Some("newer"));
}

#[tokio::test]
async fn a_damaged_file_is_told_and_left_as_it_is() {
    type Damage = fn(&mut Value);
    let damages: [(Damage, &str); 6] = [
        (|file| file["version"] = 2.into(), "format 2"),
        (|file| file["format"] = "other".into(), "something else"),
        (|file| file["extra"] = 1.into(), "damaged"),
        (|file| file["entries"][0]["sealed"]["nonce"] = "AAAA".into(), "no nonce"),
        (|file| file["entries"][0]["sealed"]["text"] = "%".into(), "not base64"),
        (|file| *file = Value::Null, "damaged"),
    ];
    for (damage, expected) in damages {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path()).await;
        change(folder.path(), damage);
        let before = fs::read(store.path()).unwrap();
        let error = read(&store, &key("a", "https://as.example")).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(fs::read(store.path()).unwrap(), before);
    }
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    fs::write(store.path(), b"").unwrap();
    let error = store.put(&key("c", "i"), SECRET.into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert_eq!(fs::read(store.path()).unwrap(), b"");
}

#[tokio::test]
async fn what_a_crash_left_behind_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    fs::write(folder.path().join("credentials.json.new"), b"half").unwrap();
    let one = key("a", "https://as.example");
    assert_eq!(read(&store, &one).await.unwrap().as_deref(), Some(SECRET));
    store.put(&one, "newer".into()).await.unwrap();
    assert_eq!(read(&store, &one).await.unwrap().as_deref(), Some("newer"));
    assert!(!folder.path().join("credentials.json.new").exists());
}

#[tokio::test]
async fn says_which_file_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    fs::write(&blocked, b"").unwrap();
    let error = beside(&blocked).put(&key("a", "i"), SecretString::from(SECRET)).await.unwrap_err();
    assert!(matches!(error, StoreError::Files { .. }), "{error}");
    assert!(error.to_string().contains("file"), "{error}");
}
