//! This replica, as the others see it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Result;
use arc_swap::ArcSwap;
use tokio::sync::{Mutex, MutexGuard};
use tracing::info;

use crate::clock::Timestamp;
use crate::key::record::SKEW;
use crate::key::replicas::capability::{Capability, Understood};
use crate::key::replicas::heartbeat::{HEARTBEAT_LIFE, Heartbeat};
use crate::store::Store;

/// What this replica tells the others, and when it last did so.
pub struct Presence {
    /// Its name.
    pub name: String,
    /// Which newer forms all living replicas understand.
    pub understood: Arc<Understood>,
    heartbeat: Mutex<Heartbeat>,
    /// Names of the secrets that it has.
    opens: BTreeSet<String>,
    /// Those of them that every living replica had at the last look; none before the first.
    opened_everywhere: ArcSwap<BTreeSet<String>>,
    written_at: AtomicI64,
    followed_at: AtomicI64,
    met_at: AtomicI64,
    met_older_at: AtomicI64,
    /// What the others know of that.
    told_older_at: AtomicI64,
    /// The latest reading of its clock.
    latest: AtomicI64,
}

/// After how many seconds a heartbeat is written again although nothing changed.
const BEAT_AFTER: i64 = 30;
/// After how many seconds this replica looks again who else lives: an older one that appears has to be noticed soon.
const MEET_AFTER: i64 = 5;
/// How long after the last older replica an upgrade may still be undone. Until then nothing that only this version reads
/// is given to browsers.
pub const SETTLED: Duration = Duration::from_secs(10 * 60);

impl Presence {
    /// A replica that has not announced itself yet. `opens` names the secrets that it has.
    pub fn new(name: String, started_at: Timestamp, opens: BTreeSet<String>, understood: Arc<Understood>) -> Self {
        let never = || AtomicI64::new(i64::MIN);
        let heartbeat = Heartbeat {
            replica: name.clone(),
            started_at,
            seen: 0,
            unreadable: BTreeSet::new(),
            opens: Some(opens.clone()),
            policy: String::new(),
            understands: Capability::ALL.map(|form| form.as_str().into()).into(),
            met_older: None,
        };
        Self {
            name,
            understood,
            heartbeat: Mutex::new(heartbeat),
            opens,
            opened_everywhere: ArcSwap::default(),
            written_at: never(),
            followed_at: never(),
            met_at: never(),
            met_older_at: never(),
            told_older_at: never(),
            latest: never(),
        }
    }

    /// Its heartbeat. Tasks that change it take turns.
    pub async fn heartbeat(&self) -> MutexGuard<'_, Heartbeat> {
        self.heartbeat.lock().await
    }

    /// Whether the other replicas know of it.
    pub fn is_announced(&self) -> bool {
        self.written_at.load(Ordering::Relaxed) != i64::MIN
    }

    /// Whether it knows what the others knew a moment ago. A replica that was frozen or cut off for longer than its
    /// heartbeat lives is not waited for, so its key set may lack the key that the others sign with.
    pub fn is_in_touch(&self, now: Timestamp) -> bool {
        let life = HEARTBEAT_LIFE.as_secs().cast_signed();
        (0..=life).contains(&now.0.saturating_sub(self.followed_at.load(Ordering::Relaxed)))
    }

    /// Notes that it knows everything that had changed by `now`.
    pub fn note_followed(&self, now: Timestamp) {
        self.followed_at.store(now.0, Ordering::Relaxed);
    }

    /// Whether this replica should look again who else lives.
    pub fn is_meeting_due(&self, now: Timestamp) -> bool {
        !(0..MEET_AFTER).contains(&now.0.saturating_sub(self.met_at.load(Ordering::Relaxed)))
    }

    /// Takes over what the `living` replicas understand, as of `now`.
    pub fn meet(&self, living: &[Heartbeat], now: Timestamp) {
        if self.understood.learn(living, self.is_settled(living, now)) {
            info!(forms = self.understood.names().join(", "), "all living replicas understand these newer forms");
        }
        let has = |beat: &Heartbeat, name: &String| beat.opens.as_ref().is_some_and(|names| names.contains(name));
        let everywhere = |name: &&String| living.iter().all(|beat| has(beat, name));
        self.opened_everywhere.store(Arc::new(self.opens.iter().filter(everywhere).cloned().collect()));
        self.met_at.store(now.0, Ordering::Relaxed);
    }

    /// Whether an upgrade has been over for so long that nobody goes back from it.
    fn is_settled(&self, living: &[Heartbeat], now: Timestamp) -> bool {
        let heard = living
            .iter()
            .filter_map(|beat| if Capability::is_lacked_by(beat) { Some(now) } else { beat.met_older })
            .max();
        let latest = heard.map_or(i64::MIN, |at| at.0).max(self.met_older_at.load(Ordering::Relaxed));
        self.met_older_at.store(latest, Ordering::Relaxed);
        latest == i64::MIN || now.since(Timestamp(latest)) >= SETTLED
    }

    /// Whether it has met a replica of an older version and the others cannot know: those that start later may not meet it.
    pub fn has_met_older_anew(&self) -> bool {
        self.met_older_at.load(Ordering::Relaxed) != i64::MIN && self.told_older_at.load(Ordering::Relaxed) == i64::MIN
    }

    /// Names of the secrets that every living replica has.
    pub fn opened_everywhere(&self) -> Arc<BTreeSet<String>> {
        self.opened_everywhere.load_full()
    }

    /// By how much the clock went back since the last call, if that is more than clocks may be apart.
    pub fn went_back(&self, now: Timestamp) -> Option<Duration> {
        let latest = Timestamp(self.latest.swap(now.0, Ordering::Relaxed));
        Some(latest.since(now)).filter(|span| *span > SKEW)
    }

    /// Whether the heartbeat should be written again although nothing changed.
    pub fn is_beat_due(&self, now: Timestamp) -> bool {
        !(0..BEAT_AFTER).contains(&now.0.saturating_sub(self.written_at.load(Ordering::Relaxed)))
    }

    /// Writes `heartbeat`, which is that of this replica.
    pub async fn beat(&self, heartbeat: &Heartbeat, store: &Store, now: Timestamp) -> Result<()> {
        let latest = self.met_older_at.load(Ordering::Relaxed);
        let met_older = Some(latest).filter(|at| *at != i64::MIN).map(Timestamp);
        Heartbeat { met_older, ..heartbeat.clone() }.beat(store, now).await?;
        self.told_older_at.store(latest, Ordering::Relaxed);
        self.written_at.store(now.0, Ordering::Relaxed);
        Ok(())
    }
}
