//! A key that somebody else wrote into the store is neither published nor believed.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uitsmijter::clock::Clock;
use uitsmijter::key::commands::KeyCommands;
use uitsmijter::key::custody::Custody;
use uitsmijter::key::record::{KeySet, State, StoredKey};
use uitsmijter::key::{SigningSettings, TenantSigning};
use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::random::SystemRandom;
use uitsmijter::secret::Secret;

use crate::harness::{Browser, RelyingParty, TestServer, fixtures};

const SEALED: [(&str, &str); 1] = [("SIGNING_KEY_SECRET", "a secret of at least thirty-two bytes")];
const ACME: TenantSigning<'static> = TenantSigning { name: "acme", algorithm: None, overrides: None };

async fn start(environment: &[(&str, &str)]) -> TestServer {
    TestServer::start_with(&fixtures::documents(), environment).await
}

/// The next process on the same store.
async fn next(server: &TestServer, environment: &[(&str, &str)]) -> TestServer {
    server.restarted(&fixtures::documents(), environment).await
}

async fn access_token(server: &TestServer) -> String {
    let spa = RelyingParty::new(server, "spa");
    let code = spa.obtain_code_in(&mut Browser::new(server), &[]).await;
    spa.redeem(&code).await.expect(200).member("access_token")
}

async fn is_active(server: &TestServer, token: &str) -> bool {
    let answer = RelyingParty::new(server, "web").post("/introspect", &[("token", token)]).await.expect(200);
    answer.json()["active"] == true
}

async fn kids(server: &TestServer) -> Vec<String> {
    let keys = server.get("/.well-known/jwks.json").await.expect(200).json()["keys"].clone();
    keys.as_array().expect("keys").iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

async fn stored(server: &TestServer, tenant: &str) -> KeySet {
    server.app.store.within(tenant).load::<KeySet>("set").await.expect("a store").expect("keys").record
}

/// What somebody does who can write to the store.
async fn write(server: &TestServer, change: impl FnOnce(&mut KeySet)) {
    let store = server.app.store.within("acme");
    let loaded = store.load::<KeySet>("set").await.expect("a store").expect("keys");
    let mut set = loaded.record.clone();
    change(&mut set);
    assert!(store.replace("set", Some(&loaded), &set, &[], None).await.expect("a store"));
}

/// A custody without our secret, and a key that it made.
async fn strangers(secrets: &[&str]) -> (Custody, StoredKey) {
    let seal_secrets = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    let settings = SigningSettings { seal_secrets, ..SigningSettings::default() };
    let custody = Custody::new(&settings, Arc::new(SystemRandom)).expect("a custody");
    // Long ago, so that it would sign now.
    let now = uitsmijter::clock::Timestamp(1_600_000_000);
    let mut key = custody.make("acme", Algorithm::RS256, 604_800, now).await.expect("a key");
    (key.signs_from, key.at_once) = (Some(now), true);
    (custody, key)
}

/// The claims of `token` under a key of somebody else.
fn forged(custody: &Custody, key: &StoredKey, token: &str) -> String {
    let header = json!({ "alg": key.algorithm(), "typ": "at+jwt", "kid": key.kid() });
    let claims = token.split('.').nth(1).expect("three parts");
    let message = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header.to_string()));
    let private = custody.open("acme", key).expect("it opens").expect("a private half");
    let signature = private.sign(message.as_bytes()).expect("a signature");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn commands(server: &TestServer, environment: &[(&str, &str)]) -> KeyCommands {
    let settings = fixtures::settings(environment).signing;
    let clock = Arc::new(server.clock.clone());
    KeyCommands::new(server.app.store.clone(), settings, clock, Arc::new(SystemRandom)).expect("commands")
}

#[tokio::test]
async fn a_key_that_somebody_wrote_into_the_store_is_neither_published_nor_believed() {
    type Change = fn(&mut KeySet, StoredKey);
    let changes: [(&str, Change); 8] = [
        ("beside ours", |set, key| set.keys.push(key)),
        ("public half alone", |set, key| set.keys.push(StoredKey { private: None, ..key })),
        ("retired", |set, key| {
            set.keys.push(StoredKey { private: None, retired_at: Some(set.keys[0].created_at), ..key })
        }),
        ("with the MAC of ours", |set, key| set.keys.push(StoredKey { mac: set.keys[0].mac.clone(), ..key })),
        ("with the private half of ours", |set, key| {
            set.keys.push(StoredKey { private: set.keys[0].private.clone(), ..key });
        }),
        ("without any MAC", |set, key| {
            set.keys.push(key);
            set.mac = None;
            set.keys.iter_mut().for_each(|key| key.mac = None);
        }),
        ("in the place of ours", |set, key| set.keys = vec![key]),
        ("in the place of the whole set", |set, key| {
            *set =
                KeySet { tenant: set.tenant.clone(), version: set.version + 1, keys: vec![key], ..KeySet::default() };
        }),
    ];
    for (what, change) in changes {
        for secrets in [&[][..], &["the secret of somebody else, long enough"]] {
            let server = start(&SEALED).await;
            let token = access_token(&server).await;
            let (custody, key) = strangers(secrets).await;
            let (foreign, kid) = (forged(&custody, &key, &token), key.public.kid.clone());
            write(&server, |set| change(set, key)).await;
            let next = next(&server, &SEALED).await;
            let replaced = what.contains("in the place");
            if !replaced {
                assert!(is_active(&next, &token).await, "{what}: ours goes on");
                assert!(!is_active(&next, &foreign).await, "{what}");
                assert!(!kids(&next).await.contains(&kid), "{what}");
                next.app.services.keys.tick().await.expect("a tick");
                assert!(!kids(&next).await.contains(&kid), "{what}: also after a tick");
                let gauge = "uitsmijter_signing_keys_foreign{tenant=\"acme\"} 1";
                assert!(next.app.services.metrics.encode().expect("metrics").contains(gauge), "{what}");
            } else {
                let answer = next.get("/.well-known/jwks.json").await;
                assert!(!answer.body.contains(&kid) && answer.status.as_u16() >= 500, "{what}: {answer:#?}");
            }
            let listed = commands(&next, &SEALED).list(&ACME).await.expect("a list");
            let state = |wanted: &str| listed.iter().find(|key| key.kid == wanted).map(|key| key.state);
            assert_eq!(state(&kid), Some(State::Foreign), "{what}: {listed:?}");
            // The replica that ran all the time puts its own back, and never takes the other.
            server.clock.advance(Duration::from_secs(11 * 60));
            server.app.services.keys.tick().await.expect("a tick");
            assert!(!kids(&server).await.contains(&kid), "{what}");
            assert!(is_active(&server, &access_token(&server).await).await, "{what}");
            // An operator clears it away.
            commands(&server, &SEALED).revoke(&ACME, &kid).await.expect("revoked");
            assert!(stored(&server, "acme").await.key(&kid).is_none(), "{what}");
        }
    }
}

#[tokio::test]
async fn a_key_of_ours_is_ours_only_at_its_tenant_under_its_name_and_with_its_times() {
    type Change = fn(&mut StoredKey);
    let changes: [(&str, Change); 6] = [
        ("revocation taken back", |key| key.revoked_at = None),
        ("another name", |key| key.public.kid = "2030-01-01-forged".into()),
        ("later", |key| key.created_at = key.created_at + Duration::from_secs(1)),
        ("longer", |key| key.grace *= 10),
        ("alive again", |key| key.retired_at = None),
        ("for ever", |key| key.last_expiry = Some(key.created_at + Duration::from_secs(100_000_000))),
    ];
    for (what, change) in changes {
        let server = start(&SEALED).await;
        let token = access_token(&server).await;
        let first = kids(&server).await[0].clone();
        commands(&server, &SEALED).rotate(&ACME, uitsmijter::key::commands::Start::Now).await.expect("rotated");
        if what == "revocation taken back" {
            commands(&server, &SEALED).revoke(&ACME, &first).await.expect("revoked");
        }
        write(&server, |set| {
            let key = set.keys.iter_mut().find(|key| key.kid() == first).expect("the first");
            let before = key.clone();
            change(key);
            assert_ne!(*key, before, "{what}");
        })
        .await;
        let next = next(&server, &SEALED).await;
        assert!(!is_active(&next, &token).await, "{what}");
    }
    // The row of a neighbour, or one key of it.
    let server = start(&SEALED).await;
    access_token(&server).await;
    server.get_at("login.globex.example", "/.well-known/jwks.json").await.expect(200);
    let moved = stored(&server, "globex").await.keys[0].clone();
    let kid = moved.public.kid.clone();
    write(&server, |set| set.keys.push(moved)).await;
    assert!(!kids(&next(&server, &SEALED).await).await.contains(&kid));
}

/// Takes out what this version added, as the version before writes a set.
fn older(set: &mut KeySet) {
    set.mac = None;
    set.keys.iter_mut().for_each(|key| key.mac = None);
    set.version += 1;
}

#[tokio::test]
async fn rows_without_a_mac_are_believed_while_an_older_replica_lives_and_ours_afterwards() {
    let server = start(&SEALED).await;
    server.meet_an_older_replica().await;
    let token = access_token(&server).await;
    let (_, retired) = strangers(&[]).await;
    let retired = StoredKey { private: None, retired_at: Some(server.clock.now()), ..retired };
    let kid = retired.public.kid.clone();
    assert!(stored(&server, "acme").await.mac.is_none(), "written as the older one writes it");
    write(&server, |set| {
        older(set);
        set.keys.push(retired);
    })
    .await;
    let upgraded = next(&server, &SEALED).await;
    upgraded.meet_an_older_replica().await;
    assert!(is_active(&upgraded, &token).await);
    assert!(kids(&upgraded).await.contains(&kid), "a retired key of before, whose private half is erased");
    upgraded.lose_the_older_replica().await;
    upgraded.app.services.keys.tick().await.expect("a tick");
    let set = stored(&upgraded, "acme").await;
    assert!(set.mac.is_some() && set.keys.iter().filter(|key| key.mac.is_some()).count() == 1, "{set:?}");
    assert!(is_active(&upgraded, &token).await, "what can be proved goes on");
    assert!(!kids(&upgraded).await.contains(&kid));
    let listed = commands(&upgraded, &SEALED).list(&ACME).await.expect("a list");
    assert!(listed.iter().any(|key| key.kid == kid && key.state == State::Foreign), "{listed:?}");
    // On the way back, an older replica writes the row without MACs, and both go on.
    upgraded.meet_an_older_replica().await;
    write(&upgraded, older).await;
    upgraded.clock.advance(Duration::from_secs(11 * 60));
    upgraded.app.services.keys.tick().await.expect("a tick");
    assert!(is_active(&upgraded, &access_token(&upgraded).await).await);
}

#[tokio::test]
async fn a_change_of_the_secret_keeps_every_key() {
    let secret = |text: &str| text.to_owned();
    let (old, new) =
        (secret("the old secret, of thirty-two bytes or more"), secret("the new secret, of thirty-two bytes or more"));
    let server = start(&[("SIGNING_KEY_SECRET", &old)]).await;
    let token = access_token(&server).await;
    for secrets in [format!("{old},{new}"), format!("{new},{old}"), new.clone()] {
        let environment = [("SIGNING_KEY_SECRET", secrets.as_str())];
        let next = next(&server, &environment).await;
        assert!(is_active(&next, &token).await, "{secrets}");
        next.app.services.keys.tick().await.expect("a tick");
        assert!(
            commands(&next, &environment).list(&ACME).await.expect("a list").iter().all(|key| key.foreign.is_none())
        );
    }
    let wrong = next(&server, &[("SIGNING_KEY_SECRET", &old)]).await;
    let answer = wrong.get("/.well-known/jwks.json").await;
    assert!(answer.status.as_u16() >= 500, "{answer:#?}");
}

#[tokio::test]
async fn keys_that_were_never_sealed_are_taken_over_by_an_operators_word_alone() {
    let plain = start(&[]).await;
    let token = access_token(&plain).await;
    let before = kids(&plain).await;
    let first = next(&plain, &SEALED).await;
    let answer = first.get("/.well-known/jwks.json").await;
    assert!(answer.status.as_u16() >= 500, "nothing proves that they are ours: {answer:#?}");
    let sealed = commands(&first, &SEALED).seal(&ACME).await.expect("sealed");
    assert_eq!(sealed, before);
    assert_eq!(kids(&first).await, before);
    assert!(is_active(&first, &token).await);
    let row: Value = serde_json::to_value(stored(&first, "acme").await).expect("JSON");
    assert!(row["mac"].is_object() && row["keys"][0]["private"]["sealed_by"].is_string(), "{row}");
}
