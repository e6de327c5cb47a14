//! Replicas behind a load balancer, under load, while one after the other is replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};

use crate::journeys;
use crate::port::free_port;
use crate::redis::RedisServer;
use crate::replica::{INTEROP, Replica};
use crate::sign_in::Person;
use crate::world::World;

/// How many replicas there are.
pub(crate) const REPLICAS: usize = 3;
/// People who signed in before the load begins, and stay.
pub(crate) const PEOPLE: usize = 20;
/// Concurrent journeys.
const WALKERS: usize = 10;
/// The pause between two requests of a walker, so that all together make 200 per second.
const PACE: Duration = Duration::from_millis(50);
/// The target rate of all walkers together; a busy machine may be slower.
const RATE: f64 = WALKERS as f64 * 1000.0 / PACE.as_millis() as f64;
/// How long the load runs before and after, and until the load balancer has seen a new replica.
const BREATH: Duration = Duration::from_secs(1);
/// How many devices are connected, and how far apart: the server throttles the entry of codes.
const DEVICES: usize = 6;
const BETWEEN_DEVICES: Duration = Duration::from_secs(4);

/// An installation that is being used.
pub(crate) struct Traffic {
    replicas: Vec<(u16, Replica)>,
    load: Arc<Load>,
    walkers: Vec<JoinHandle<()>>,
    people: Vec<Person>,
    began: Instant,
}

/// Shared by all walkers.
struct Load {
    entrance: Replica,
    requests: AtomicUsize,
    done: AtomicBool,
}

/// A production installation, where a replica waits for the load balancer before it stops; plain http behind it.
pub(crate) fn production(redis: &RedisServer) -> World {
    World::on(redis)
        .with("ENVIRONMENT", "production")
        .with("SECURE", "false")
        .with("SIGNING_KEY_SECRET", "a secret of at least thirty-two bytes")
        .with("ALLOW_MISSING_PROVIDERS", "true")
        .with("TRUSTED_PROXIES", "127.0.0.1")
        // Everybody here is the same person.
        .with("SESSIONS_PER_PERSON", "10000")
}

impl Traffic {
    /// Starts the replicas, signs the people in, and starts the load.
    pub(crate) async fn begin(world: &World) -> Self {
        let mut replicas = Vec::new();
        for _ in 0..REPLICAS {
            let port = free_port();
            replicas.push((port, world.start_at(port).await));
        }
        let ports: Vec<u16> = replicas.iter().map(|(port, _)| *port).collect();
        let entrance = world.balance(&ports).await;
        let deadline = Instant::now() + Duration::from_secs(20);
        while !entrance.is_ready().await {
            assert!(Instant::now() < deadline, "the balancer finds no replica: {}", entrance.log());
            sleep(Duration::from_millis(100)).await;
        }
        // By then each of them has had requests.
        sleep(BREATH).await;
        let mut people = Vec::new();
        for _ in 0..PEOPLE {
            let mut person = Person::new();
            person.sign_in(&entrance).await;
            people.push(person);
        }
        let load = Arc::new(Load { entrance, requests: AtomicUsize::new(0), done: AtomicBool::new(false) });
        let walkers = (0..WALKERS).map(|number| tokio::spawn(Walker::new(load.clone()).walk(number))).collect();
        sleep(BREATH).await;
        Self { replicas, load, walkers, people, began: Instant::now() }
    }

    /// Stops one replica after the other as an orchestrator does, and starts a new one for each.
    pub(crate) async fn replace_all(&mut self, world: &World) {
        for _ in 0..REPLICAS {
            let (port, old) = self.replicas.remove(0);
            old.stop().await;
            self.replicas.push((port, world.start_at(port).await));
            sleep(BREATH).await;
        }
    }

    /// Ends the load and reports its size. Fails the test if a request failed, or a session is gone.
    pub(crate) async fn end(mut self) -> String {
        sleep(BREATH).await;
        self.load.done.store(true, Ordering::Relaxed);
        for walker in self.walkers {
            walker.await.expect("no request failed");
        }
        let (requests, took) = (self.load.requests.load(Ordering::Relaxed), self.began.elapsed());
        for person in &mut self.people {
            person.code_of_session(&self.load.entrance).await;
        }
        let rate = requests as f64 / took.as_secs_f64();
        let kept = if rate >= 0.95 * RATE { "as wanted" } else { "which is what this machine can do" };
        format!(
            "{requests} requests ({rate:.0} of {RATE:.0} a second, {kept}), 0 failed; {PEOPLE} of {PEOPLE} sessions went on"
        )
    }
}

/// A walker that makes requests at a steady pace.
struct Walker {
    load: Arc<Load>,
    ticks: Interval,
    devices: Interval,
    connected: usize,
}

impl Walker {
    fn new(load: Arc<Load>) -> Self {
        let mut ticks = interval(PACE);
        // Makes up for a slow response, or the rate would be too low.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        Self { load, ticks, devices: interval(BETWEEN_DEVICES), connected: 0 }
    }

    /// One complete journey after the other: a failed request fails the test.
    async fn walk(mut self, number: usize) {
        while !self.load.done.load(Ordering::Relaxed) {
            match number {
                0 => self.sign_in().await,
                1 => self.go_long_ways().await,
                _ => self.serve().await,
            }
        }
    }

    /// Waits for the pace after this many `requests`.
    async fn pace(&mut self, requests: usize) {
        self.load.requests.fetch_add(requests, Ordering::Relaxed);
        for _ in 0..requests {
            self.ticks.tick().await;
        }
    }

    /// The page, the form, the code and its tokens; then three refreshes, each with the token from the last one.
    async fn sign_in(&mut self) {
        let mut tokens = Person::new().sign_in(&self.load.entrance).await;
        self.pace(4).await;
        for _ in 0..3 {
            let current = tokens["refresh_token"].as_str().expect("a refresh token").to_owned();
            let form = [("grant_type", "refresh_token"), ("refresh_token", current.as_str())];
            let answer = self.load.entrance.post_native("/token", &form).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            assert_ne!(answer.body["refresh_token"], json!(current));
            tokens = answer.body;
            self.pace(1).await;
        }
    }

    /// Devices, consents, proxies, and revocations.
    async fn go_long_ways(&mut self) {
        let load = self.load.clone();
        let (entrance, mut person) = (&load.entrance, Person::new());
        let tokens = person.sign_in(entrance).await;
        let mut requests = 4 + journeys::intercepted(entrance, &person).await;
        if self.connected < DEVICES && self.devices.tick().now_or_never().is_some() {
            self.connected += 1;
            requests += journeys::device(entrance).await;
        }
        requests += journeys::consent(entrance).await;
        requests += journeys::revoked(entrance, &tokens).await;
        self.pace(requests).await;
    }

    /// Requests of services and resource servers.
    async fn serve(&mut self) {
        let entrance = &self.load.entrance;
        let token = entrance.token(INTEROP).await;
        assert!(entrance.believes(INTEROP, &token).await, "a token is not believed");
        entrance.jwks(INTEROP).await;
        let discovery = entrance.get(INTEROP, "/.well-known/openid-configuration").await;
        assert_eq!(discovery.status, StatusCode::OK, "{discovery:?}");
        self.pace(4).await;
    }
}
