//! One exchange for all who wait, on a paused clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, advance};

use super::{Credential, Fetched, HeldToken, KeyParts, TokenCache, TokenKey};
use crate::AuthFailure;

fn key(name: &str) -> TokenKey {
    KeyParts::new("test", "backend").part(name).finish()
}

fn token(text: &str, lifetime: impl Into<Option<u64>>) -> Fetched {
    let credential = Credential::bearer(&text.to_owned().into()).unwrap();
    Fetched { credential, lifetime: lifetime.into().map(Duration::from_secs) }
}

fn text(token: &HeldToken) -> String {
    let Credential::Header(value) = &token.credential else { panic!() };
    value.to_str().unwrap().to_owned()
}

/// Asks for a token, and counts exchanges.
async fn get(
    cache: &TokenCache,
    name: &str,
    exchanges: &Arc<AtomicUsize>,
    lifetime: impl Into<Option<u64>>,
) -> Result<HeldToken, AuthFailure> {
    let exchanges = Arc::clone(exchanges);
    let lifetime = lifetime.into();
    let fetch = || async move {
        let number = exchanges.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        Ok(token(&format!("t{number}"), lifetime))
    };
    cache.get(key(name), fetch).await
}

fn count(exchanges: &AtomicUsize) -> usize {
    exchanges.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn keeps_a_token_until_it_is_nearly_over() {
    let (cache, exchanges) = (TokenCache::default(), Arc::default());
    for _ in 0..20 {
        let token = get(&cache, "a", &exchanges, 100).await.unwrap();
        assert_eq!(text(&token), "Bearer t0");
        assert!(cache.held(key("a")).is_some());
    }
    assert_eq!(count(&exchanges), 1);
    advance(Duration::from_secs(100) - TokenCache::SKEW - Duration::from_millis(1)).await;
    assert!(cache.held(key("a")).is_some());
    advance(Duration::from_millis(1)).await;
    assert!(cache.held(key("a")).is_none());
    assert_eq!(text(&get(&cache, "a", &exchanges, 100).await.unwrap()), "Bearer t1");
    assert!(cache.held(key("b")).is_none());
}

#[tokio::test(start_paused = true)]
async fn uses_a_token_that_is_over_soon_once() {
    let (cache, exchanges) = (TokenCache::default(), Arc::default());
    for lifetime in [0, 1, TokenCache::SKEW.as_secs()] {
        let token = get(&cache, "a", &exchanges, lifetime).await.unwrap();
        assert_eq!(text(&token), format!("Bearer t{}", count(&exchanges) - 1));
        assert!(cache.is_empty());
    }
    assert_eq!(count(&exchanges), 3);
    // Those who wait together share it all the same.
    let (one, two) = tokio::join!(get(&cache, "a", &exchanges, 1), get(&cache, "a", &exchanges, 1));
    assert_eq!(text(&one.unwrap()), text(&two.unwrap()));
    assert_eq!(count(&exchanges), 4);
}

#[tokio::test(start_paused = true)]
async fn keeps_a_token_without_a_stated_lifetime_for_a_while() {
    let (cache, exchanges) = (TokenCache::default(), Arc::default());
    get(&cache, "a", &exchanges, None).await.unwrap();
    advance(TokenCache::UNSTATED - Duration::from_millis(1)).await;
    assert!(cache.held(key("a")).is_some());
    advance(Duration::from_millis(1)).await;
    assert!(cache.held(key("a")).is_none());
    // The longest lifetime there is does not overflow anything.
    get(&cache, "b", &exchanges, u64::MAX).await.unwrap();
    advance(Duration::from_secs(1 << 30)).await;
    assert!(cache.held(key("b")).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_who_wait_are_one_exchange_and_fail_together_at_its_deadline() {
    let (cache, exchanges) = (TokenCache::default(), Arc::new(AtomicUsize::new(0)));
    let began = Instant::now();
    let waiting: Vec<_> = (0..1000)
        .map(|_| {
            let (cache, exchanges) = (cache.clone(), Arc::clone(&exchanges));
            tokio::spawn(async move {
                let fetch = || async move {
                    exchanges.fetch_add(1, Ordering::Relaxed);
                    std::future::pending().await
                };
                cache.get(key("a"), fetch).await
            })
        })
        .collect();
    for waiter in waiting {
        let failure = waiter.await.unwrap().unwrap_err();
        assert_eq!(failure, AuthFailure::Unavailable("no token within 5 s".to_owned()));
    }
    assert_eq!(count(&exchanges), 1);
    assert_eq!(began.elapsed(), TokenCache::DEADLINE);
    assert!(cache.is_empty());
    // A failure is not remembered.
    assert!(get(&cache, "a", &exchanges, 100).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn shares_a_failure_and_does_not_remember_it() {
    let (cache, exchanges) = (TokenCache::default(), Arc::new(AtomicUsize::new(0)));
    let refuse = || {
        let exchanges = Arc::clone(&exchanges);
        cache.get(key("a"), || async move {
            exchanges.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Err(AuthFailure::Refused("no".to_owned()))
        })
    };
    let (one, two) = tokio::join!(refuse(), refuse());
    assert_eq!(one.unwrap_err(), AuthFailure::Refused("no".to_owned()));
    assert_eq!(two.unwrap_err(), AuthFailure::Refused("no".to_owned()));
    assert_eq!(count(&exchanges), 1);
    assert!(cache.is_empty());
    assert!(get(&cache, "a", &exchanges, 100).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_does_not_cost_the_others_their_exchange() {
    let (cache, exchanges) = (TokenCache::default(), Arc::new(AtomicUsize::new(0)));
    let go_on = Arc::new(Notify::new());
    let ask = || {
        let (cache, exchanges) = (cache.clone(), Arc::clone(&exchanges));
        let go_on = Arc::clone(&go_on);
        async move {
            let fetch = || async move {
                exchanges.fetch_add(1, Ordering::Relaxed);
                go_on.notified().await;
                Ok(token("t", 100))
            };
            cache.get(key("a"), fetch).await
        }
    };
    // The first one starts the exchange and is the one who polls it.
    let first = tokio::spawn(ask());
    while count(&exchanges) == 0 {
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = (0..3).map(|_| tokio::spawn(ask())).collect();
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    go_on.notify_one();
    for other in others {
        assert_eq!(text(&other.await.unwrap().unwrap()), "Bearer t");
    }
    assert_eq!(count(&exchanges), 1);
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_nobody_waits_for_is_given_up() {
    let (cache, exchanges) = (TokenCache::default(), Arc::new(AtomicUsize::new(0)));
    let dropped = Arc::new(());
    {
        let held = Arc::clone(&dropped);
        let fetch = || async move {
            let _held = held;
            std::future::pending().await
        };
        let mut waiting = std::pin::pin!(cache.get(key("a"), fetch));
        std::future::poll_fn(|context| {
            assert!(waiting.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        assert_eq!((cache.len(), Arc::strong_count(&dropped)), (1, 2));
    }
    assert_eq!((cache.len(), Arc::strong_count(&dropped)), (0, 1));
    // And is no reason to wait for whoever comes next.
    assert!(get(&cache, "a", &exchanges, 100).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_panics_is_a_failure_for_all_who_wait() {
    let (cache, exchanges) = (TokenCache::default(), Arc::default());
    let broken = || {
        cache.get(key("a"), || async {
            tokio::task::yield_now().await;
            panic!("on purpose")
        })
    };
    let (one, two) = tokio::join!(broken(), broken());
    let failure = AuthFailure::Unavailable("the strategy broke down".to_owned());
    assert_eq!(one.unwrap_err(), failure);
    assert_eq!(two.unwrap_err(), failure);
    assert!(cache.is_empty());
    assert!(get(&cache, "a", &exchanges, 100).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn forgets_exactly_the_rejected_token() {
    let (cache, exchanges) = (TokenCache::default(), Arc::default());
    let old = get(&cache, "a", &exchanges, 100).await.unwrap();
    let other = get(&cache, "b", &exchanges, 100).await.unwrap();
    cache.evict(&old.receipt);
    assert!(cache.held(key("a")).is_none());
    let new = get(&cache, "a", &exchanges, 100).await.unwrap();
    assert_ne!(old.receipt, new.receipt);
    // Late news about the old one do not concern the new one, nor anybody else's.
    cache.evict(&old.receipt);
    cache.evict(&crate::Receipt::none());
    assert_eq!(text(&cache.held(key("a")).unwrap()), text(&new));
    assert_eq!(text(&cache.held(key("b")).unwrap()), text(&other));
    assert_eq!(count(&exchanges), 3);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_during_an_exchange_does_not_stop_it() {
    let (cache, exchanges) = (TokenCache::default(), Arc::default());
    let old = get(&cache, "a", &exchanges, 100).await.unwrap();
    cache.evict(&old.receipt);
    let mut running = std::pin::pin!(get(&cache, "a", &exchanges, 100));
    std::future::poll_fn(|context| {
        assert!(running.as_mut().poll(context).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    cache.evict(&old.receipt);
    assert_eq!(text(&running.await.unwrap()), "Bearer t1");
    assert!(cache.held(key("a")).is_some());
}

#[tokio::test(start_paused = true)]
async fn holds_no_more_than_it_may_and_lets_the_unused_go_first() {
    let (cache, exchanges) = (TokenCache::new(16), Arc::default());
    get(&cache, "used", &exchanges, 3600).await.unwrap();
    for number in 0..200 {
        get(&cache, &format!("n{number}"), &exchanges, 3600).await.unwrap();
        assert!(cache.len() <= 16, "{}", cache.len());
        assert!(cache.held(key("used")).is_some(), "after {number}");
    }
    assert!(cache.held(key("n199")).is_some());
    assert!(cache.held(key("n0")).is_none());
    // A capacity of nothing is one of one.
    let tiny = TokenCache::new(0);
    for name in ["a", "b"] {
        get(&tiny, name, &exchanges, 3600).await.unwrap();
        assert!(tiny.held(key(name)).is_some());
        assert_eq!(tiny.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn throws_out_what_is_over() {
    let (cache, exchanges) = (TokenCache::default(), Arc::default());
    for number in 0..100 {
        get(&cache, &format!("n{number}"), &exchanges, 60).await.unwrap();
    }
    assert_eq!(cache.len(), 100);
    advance(Duration::from_secs(61)).await;
    get(&cache, "next", &exchanges, 60).await.unwrap();
    assert_eq!(cache.len(), 1);
}

#[test]
fn keys_differ_in_every_part() {
    let keys = [
        KeyParts::new("s", "b").finish(),
        KeyParts::new("sb", "").finish(),
        KeyParts::new("", "sb").finish(),
        KeyParts::new("s", "b").part("").finish(),
        KeyParts::new("s", "b").part("x").finish(),
        KeyParts::new("s", "b").part("x").part("").finish(),
        KeyParts::new("s", "b").part("x\0").finish(),
        KeyParts::new("s", "b").optional(None::<&str>).finish(),
        KeyParts::new("s", "b").optional(Some("")).finish(),
        KeyParts::new("s", "b").optional(Some("x")).finish(),
        KeyParts::new("s", "b").list(["x", "y"]).finish(),
        KeyParts::new("s", "b").list(["y", "x"]).finish(),
        KeyParts::new("s", "b").list(["xy"]).finish(),
        KeyParts::new("s", "b").list(["x"]).list(["y"]).finish(),
    ];
    for (place, key) in keys.iter().enumerate() {
        assert_eq!(keys.iter().position(|other| other == key), Some(place));
    }
    let again = KeyParts::new("s", "b").list(["x", "y"]).finish();
    assert!(keys.contains(&again));
}

#[test]
fn shows_no_secret_in_debug() {
    let fetched = token("s3cr3t", 1);
    let held = HeldToken { credential: fetched.credential.clone(), receipt: Default::default() };
    let text = format!("{fetched:?} {held:?} {:?}", TokenCache::default());
    assert!(!text.contains("s3cr3t"), "{text}");
    let Credential::Header(value) = &fetched.credential else { panic!() };
    assert!(value.is_sensitive());
}

#[test]
fn takes_tokens_that_a_header_can_carry_only() {
    for good in ["a", "eyJ.abc-_~+/==", "1|laravel", "xoxb:1"] {
        assert!(Credential::bearer(&good.to_owned().into()).is_ok(), "{good}");
    }
    assert!(Credential::bearer(&"x".repeat(Credential::MAX_TOKEN).into()).is_ok());
    let long = "x".repeat(Credential::MAX_TOKEN + 1);
    for bad in ["", " ", "a b", "a\r\nX: y", "a\0", "caf\u{e9}", "a\t", &long] {
        assert!(Credential::bearer(&bad.to_owned().into()).is_err(), "{bad:?}");
    }
}
