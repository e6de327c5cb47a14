//! What a flood leaves in each store, and whether others notice.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::{Duration, sleep};

use crate::configuration::Document;
use crate::figures::{descriptors, mib, resident};
use crate::flood::{Flooded, From, GUESSES, Kind, REQUESTS, flood_until};
use crate::in_full;
use crate::others::{Others, Went};
use crate::redis::RedisServer;
use crate::replica::Replica;
use crate::world::World;

/// What strangers can fill in the store of one tenant: long requests (6 MB), devices (12 MB) and counts, and as much again
/// for what each store needs around its rows. `docs/operations.md` has the rows.
const STORED: usize = 40 << 20;
/// Memory of a server that has rested; the sieges follow each other faster than it gives memory back.
const REST: usize = 48 << 20;
/// How long a siege lasts at least, and how long others are watched before it.
const SHORT: Duration = Duration::from_secs(5);
const QUIET: Duration = Duration::from_secs(2);
/// Answers in the long form: six million requests in all. A guess costs the server a hash.
const FULL_REQUESTS: usize = 1_000_000;
const FULL_GUESSES: usize = 10_000;

/// An installation as operators run it; plain http, because nothing here is about TLS.
pub(crate) fn besieged(world: World) -> World {
    let desk =
        "name: desk\nconfig:\n  ident: desk\n  tenantname: interop\n  grant_types: [password]\n  scopes: [openid]\n";
    world.write(&Document { folder: "Clients", name: "desk", yaml: desk.to_owned() });
    world
        .with("ENVIRONMENT", "production")
        .with("SECURE", "false")
        .with("SIGNING_KEY_SECRET", "a secret of at least thirty-two bytes")
        .with("ALLOW_MISSING_PROVIDERS", "true")
}

/// One siege: what others had before it and during it, and what it cost.
struct Siege {
    by: String,
    flooded: Flooded,
    quiet: Went,
    during: Went,
    rest: usize,
    after: usize,
    descriptors: usize,
    grown: usize,
}

/// Besieges `replica` by all kinds of strangers, one after the other.
async fn besiege(store: &str, replica: Replica, stored: impl Fn() -> usize) {
    let replica = Arc::new(replica);
    for from in [From::One, From::Many] {
        for (kinds, total) in [(&REQUESTS[..], FULL_REQUESTS), (&GUESSES[..], FULL_GUESSES)] {
            let siege = siege(&replica, kinds, from, if in_full() { total } else { 0 }, &stored).await;
            println!("{store}, {siege}");
            siege.expect_bounds();
        }
    }
}

async fn siege(
    replica: &Arc<Replica>,
    kinds: &'static [Kind],
    from: From,
    total: usize,
    stored: &impl Fn() -> usize,
) -> Siege {
    let quiet = Others::for_a_while(replica, QUIET).await;
    let (rest, before, done) = (resident(replica), stored(), Arc::new(AtomicBool::new(false)));
    let strangers = {
        let (port, done) = (replica.port, done.clone());
        tokio::spawn(async move { flood_until(port, kinds, from, total, &done).await })
    };
    let others = Others::begin(replica);
    sleep(SHORT).await;
    done.store(true, Ordering::Relaxed);
    let flooded = strangers.await.expect("the strangers do not give up");
    let during = others.end().await;
    let (after, descriptors, grown) = (resident(replica), descriptors(replica), stored().saturating_sub(before));
    Siege { by: format!("{kinds:?} from {from:?}"), flooded, quiet, during, rest, after, descriptors, grown }
}

impl Display for Siege {
    fn fmt(&self, to: &mut Formatter) -> fmt::Result {
        let Self { by, flooded, quiet, during, .. } = self;
        let (answered, closed) = (flooded.answered(), flooded.closed);
        writeln!(to, "{by}: {answered} answers in {:.1?}, {closed} connections closed", flooded.took)?;
        writeln!(to, "  statuses: {:?}", flooded.statuses)?;
        let times = (during.median, quiet.median, during.p99, quiet.p99);
        write!(
            to,
            "  others: 0 of {} journeys failed; median {:.0?} (quiet {:.0?})",
            during.journeys, times.0, times.1
        )?;
        writeln!(to, ", p99 {:.0?} (quiet {:.0?})", times.2, times.3)?;
        write!(to, "  store grew {}, memory from {} to {}", mib(self.grown), mib(self.rest), mib(self.after))?;
        write!(to, ", {} descriptors", self.descriptors)
    }
}

impl Siege {
    #[track_caller]
    fn expect_bounds(&self) {
        assert!(self.flooded.answered() > 100, "that is no flood");
        assert_eq!(self.flooded.failed(), 0, "the server failed: {:?}", self.flooded.statuses);
        assert!(self.grown <= STORED, "strangers filled {}", mib(self.grown));
        let bound = 2 * self.rest.max(REST);
        assert!(self.after <= bound, "memory went from {} to {}", mib(self.rest), mib(self.after));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_leaves_little_in_memory_and_others_go_on() {
    let world = besieged(World::in_memory()).with("ENVIRONMENT", "development");
    besiege("memory", world.start().await, || 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_leaves_little_in_the_file_and_others_go_on() {
    let world = besieged(World::on_a_file());
    besiege("file", world.start().await, || world.stored_bytes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_does_not_fill_a_small_redis_and_others_go_on() {
    let redis = RedisServer::start_with(&["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"]).await;
    let world = besieged(World::on(&redis));
    let used = || {
        let told = redis.cli(&["info", "memory"]);
        let line = told.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("its memory");
        line.trim().parse().expect("a number")
    };
    besiege("Redis", world.start().await, used).await;
    println!("Redis has {} rows in the end", redis.cli(&["dbsize"]));
}
