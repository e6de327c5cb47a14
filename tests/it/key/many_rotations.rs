//! Many rotations under load: three whole servers on one real Redis, one injected clock, and resource servers that
//! cache the JWKS of whichever server they asked for the full hour. `FULL=1` makes a thousand rotations.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use tower::ServiceExt;
use uitsmijter::app::App;
use uitsmijter::clock::{Clock, Timestamp};
use uitsmijter::endpoint;
use uitsmijter::random::{Random, SystemRandom};
use uitsmijter::settings::{Flags, Settings};

use crate::harness::fakes::ManualClock;
use crate::harness::fixtures;
use crate::harness::redis::RedisServer;
use crate::harness::relying_party::basic;
use crate::harness::response::Answer;
use crate::harness::server::{ACME, form, registry};

const HOUR: i64 = 3600;
/// As fast as the checks of the settings allow around a cache of an hour.
const CALENDAR: &str = "
signing: { algorithm: EdDSA, rotate_every: 3h, announce: 61m, grace: 2h, jwks_max_age: 1h }
";
/// The longest time between two reads of the news; in between, a server may do nothing.
const LONGEST_STEP: u64 = 600;

/// One server, without a socket.
struct Replica {
    app: App,
    router: Router,
}

/// A resource server and what it has cached.
struct Verifier {
    jwks: JwkSet,
    fetched_at: Timestamp,
}

struct Issued {
    token: String,
    expires_at: i64,
}

#[tokio::test]
async fn rotations_under_load_never_cost_a_verifier_that_caches_for_an_hour_a_valid_token() {
    let wanted = if std::env::var("FULL").as_deref() == Ok("1") { 1000 } else { 10 };
    let redis = RedisServer::start().await;
    let clock = ManualClock::default();
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(Replica::start(&redis, &clock).await);
    }
    let mut verifiers = Vec::new();
    for replica in &replicas {
        verifiers.push(Verifier::fetch(replica, clock.now()).await);
    }
    let mut lost_ticks = 0;
    let (mut signing, mut rotations, mut verified, mut issued) = (String::new(), 0, 0u64, Vec::<Issued>::new());
    while rotations < wanted {
        clock.advance(Duration::from_secs(1 + chance(LONGEST_STEP)));
        let now = clock.now();
        for replica in &replicas {
            // A living server reads the news every second; ticks may be lost.
            replica.follow_news().await;
            if chance(2) == 0 && replica.app.services.keys.tick().await.is_err() {
                lost_ticks += 1;
            }
        }
        for verifier in &mut verifiers {
            // Not a second before the hour is over.
            if now.0 - verifier.fetched_at.0 > HOUR {
                *verifier = Verifier::fetch(one_of(&replicas), now).await;
            }
        }
        let mut kids = Vec::new();
        for replica in &replicas {
            let issue = replica.token().await;
            kids.push(decode_header(&issue.token).expect("a token").kid.expect("a kid"));
            issued.push(issue);
        }
        assert!(kids.iter().all(|kid| *kid == kids[0]), "one key signs at a time: {kids:?}");
        rotations += usize::from(!signing.is_empty() && kids[0] != signing);
        signing.clone_from(&kids[0]);
        issued.retain(|issue| issue.expires_at > now.0);
        let latest = issued.len() - replicas.len();
        let old = (0..5).map(|_| chance(issued.len() as u64) as usize);
        for at in old.chain(latest..issued.len()) {
            for verifier in &verifiers {
                if let Some(complaint) = verifier.complaint(&issued[at].token) {
                    panic!("after {rotations} rotations, at {now}: {complaint}");
                }
                verified += 1;
            }
        }
    }
    println!(
        "{rotations} rotations under load with three servers: {verified} verifications with key sets cached for an \
         hour, 0 failures ({lost_ticks} ticks in which Redis was too slow)"
    );
}

impl Replica {
    async fn start(redis: &RedisServer, clock: &ManualClock) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let file = folder.path().join("settings.yaml");
        std::fs::write(&file, CALENDAR).expect("a settings file");
        let port = redis.port.to_string();
        let environment = [("SECURE", "true"), ("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", port.as_str())];
        let find = |name: &str| environment.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
        let settings = Settings::load(Some(&file), &find, &Flags::default()).expect("settings");
        let registry = registry(&fixtures::documents());
        let app = App::open(settings, registry, Arc::new(clock.clone()), Arc::new(SystemRandom)).await.expect("an app");
        Self { router: endpoint::router(app.clone()), app }
    }

    /// Tries until Redis answers, which on a busy machine takes longer than the store waits.
    async fn follow_news(&self) {
        for _ in 0..100 {
            if self.app.services.keys.follow_news().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("Redis does not answer");
    }

    async fn send(&self, mut request: Request<Body>) -> Answer {
        request.headers_mut().insert(header::HOST, ACME.parse().expect("a host"));
        Answer::of(self.router.clone().oneshot(request).await.expect("an answer")).await
    }

    async fn token(&self) -> Issued {
        let mut request = form("/token", &[("grant_type", "client_credentials")]);
        let credentials = basic("service", fixtures::SECRET).parse().expect("a header");
        request.headers_mut().insert(header::AUTHORIZATION, credentials);
        let answer = self.send(request).await.expect(200);
        let lifetime = answer.json()["expires_in"].as_i64().expect("a lifetime");
        Issued { token: answer.member("access_token"), expires_at: self.app.services.clock.now().0 + lifetime }
    }
}

impl Verifier {
    async fn fetch(replica: &Replica, now: Timestamp) -> Self {
        let request = Request::get("/.well-known/jwks.json").body(Body::empty()).expect("a request");
        let answer = replica.send(request).await.expect(200);
        let jwks: JwkSet = serde_json::from_value(answer.json()).expect("a JWKS");
        assert!(!jwks.keys.is_empty(), "the JWKS is empty");
        Self { jwks, fetched_at: now }
    }

    fn complaint(&self, token: &str) -> Option<String> {
        let header = decode_header(token).expect("a token");
        let kid = header.kid.expect("a kid");
        let Some(key) = self.jwks.find(&kid) else { return Some(format!("{kid} is not in the cached JWKS")) };
        let mut validation = Validation::new(header.alg);
        validation.validate_exp = false;
        validation.validate_aud = false;
        let key = DecodingKey::from_jwk(key).expect("a key");
        decode::<Value>(token, &key, &validation).err().map(|error| format!("{kid}: {error}"))
    }
}

fn one_of(replicas: &[Replica]) -> &Replica {
    &replicas[chance(replicas.len() as u64) as usize]
}

/// A number below `bound`.
fn chance(bound: u64) -> u64 {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes);
    u64::from_le_bytes(bytes) % bound
}
