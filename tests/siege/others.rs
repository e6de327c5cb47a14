//! The others: people who sign in and refresh, services and resource servers, each request with its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, sleep};

use crate::replica::{INTEROP, Replica};
use crate::sign_in::Person;

/// How many go about their business at a time.
const WALKERS: usize = 3;
/// How long they wait between two requests or sign-ins.
const PAUSE: Duration = Duration::from_millis(50);

/// Others at work.
pub(crate) struct Others {
    done: Arc<AtomicBool>,
    walkers: Vec<JoinHandle<Vec<Duration>>>,
}

/// How it went for them.
#[derive(Debug)]
pub(crate) struct Went {
    /// Sign-ins with their refreshes and requests.
    pub(crate) journeys: usize,
    /// Half of the journeys took no longer.
    pub(crate) median: Duration,
    /// Of a hundred journeys, 99 took no longer.
    pub(crate) p99: Duration,
}

impl Others {
    /// They begin.
    pub(crate) fn begin(replica: &Arc<Replica>) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let walkers = (0..WALKERS).map(|_| tokio::spawn(walk(replica.clone(), done.clone()))).collect();
        Self { done, walkers }
    }

    /// They end. A request that failed fails the test.
    pub(crate) async fn end(self) -> Went {
        self.done.store(true, Ordering::Relaxed);
        let mut times = Vec::new();
        for walker in self.walkers {
            times.extend(walker.await.expect("no request of others fails"));
        }
        times.sort();
        let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
        Went { journeys: times.len(), median: at(50), p99: at(99) }
    }

    /// They work for this long.
    pub(crate) async fn for_a_while(replica: &Arc<Replica>, long: Duration) -> Went {
        let others = Self::begin(replica);
        sleep(long).await;
        others.end().await
    }
}

async fn walk(replica: Arc<Replica>, done: Arc<AtomicBool>) -> Vec<Duration> {
    let mut times = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let begun = Instant::now();
        journey(&replica).await;
        times.push(begun.elapsed());
        sleep(PAUSE).await;
    }
    times
}

/// A sign-in with its refresh, and what a service and its resource server ask for.
async fn journey(replica: &Replica) {
    let tokens = Person::new().sign_in(replica).await;
    let refresh_token = tokens["refresh_token"].as_str().expect("a refresh token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    let refreshed = replica.post_native("/token", &form).await;
    assert_eq!(refreshed.status, StatusCode::OK, "{refreshed:?}");
    let token = replica.token(INTEROP).await;
    let told = replica.post(INTEROP, "/introspect", &[("token", &token)]).await;
    assert_eq!(told.body["active"], json!(true), "{told:?}");
    replica.jwks(INTEROP).await;
}
