//! A world of replicas, verifiers and operators in which only the arithmetic of `src/key` is real: clocks differ, ticks
//! stop half-way, replicas come and go, and after every moment the invariants are checked.

mod checks;
mod operators;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use uitsmijter::clock::Timestamp;
use uitsmijter::key::custody::seal::Sealer;
use uitsmijter::key::policy::RotationPolicy;
use uitsmijter::key::record::{KeySet, SKEW, StoredKey};
use uitsmijter::key::replicas::heartbeat::HEARTBEAT_LIFE;
use uitsmijter::key::replicas::news::{KeyNews, Since};
use uitsmijter::key::replicas::progress::{ReplicaProgress, Replicas};
use uitsmijter::key::rotation::Step;
use uitsmijter::protocol::jwk::{Algorithm, Jwk, KeyMaterial};
use uitsmijter::random::SystemRandom;

const ALGORITHM: Algorithm = Algorithm::EdDSA;
/// The longest that a replica in touch with the store goes without reading the news here.
const POLL: i64 = 20;
/// The longest that a replica is cut off from the store while it serves, in histories where that happens.
const CUT_OFF: i64 = 400;

/// What the test breaks on purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Broken {
    Nothing,
    AnnounceIsZero,
    PlainWrite,
    LastExpiryIsIgnored,
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub(super) enum EventKind {
    Starts,
    IsKilled,
    Freezes,
    Wakes,
    IsCutOff,
    ClockChanges,
    Calm,
    OperatorRotates,
    OperatorRotatesNow,
    OperatorRevokes,
    Begins,
    Finishes,
    Signs,
    LosesTheStore,
    Polls,
}

/// What happens, and a number that chooses among replicas, keys and amounts.
pub(super) type Event = (EventKind, u8);

impl EventKind {
    /// The kind that a random number stands for; frequent kinds have several numbers.
    pub(super) fn of(number: u8) -> Self {
        match number % 32 {
            0 => Self::Starts,
            1 => Self::IsKilled,
            2 => Self::Freezes,
            3 => Self::Wakes,
            4 => Self::IsCutOff,
            5 => Self::ClockChanges,
            6 | 7 => Self::Calm,
            8 => Self::OperatorRotates,
            9 => Self::OperatorRotatesNow,
            10 => Self::OperatorRevokes,
            11..=15 => Self::Begins,
            16..=21 => Self::Finishes,
            22..=27 => Self::Signs,
            28 => Self::LosesTheStore,
            _ => Self::Polls,
        }
    }
}

struct Replica {
    name: String,
    offset: i64,
    policy: RotationPolicy,
    memory: Option<KeySet>,
    seen: u64,
    polled: i64,
    /// In touch and awake without a break since then.
    since: i64,
    frozen: bool,
    cut_off_until: i64,
    latest: BTreeMap<String, Timestamp>,
    pending: Option<Pending>,
    first_published: BTreeMap<String, i64>,
}

/// The second half of something that a replica began.
enum Pending {
    Write { expected: Option<KeySet>, new: Box<KeySet>, tell: bool },
    Tell,
    Publish { kid: String },
    Mark { kid: String, revision: u64 },
}

struct Verifier {
    offset: i64,
    fetched: i64,
    kids: Option<BTreeSet<String>>,
}

pub(super) struct World {
    broken: Broken,
    time: i64,
    policy: RotationPolicy,
    stored: Option<KeySet>,
    news: KeyNews,
    heartbeats: BTreeMap<String, (u64, Timestamp)>,
    replicas: Vec<Replica>,
    verifiers: Vec<Verifier>,
    /// The longest-lived token of each key.
    tokens: BTreeMap<String, Timestamp>,
    forced: BTreeMap<String, i64>,
    revoked: BTreeSet<String>,
    first_keys: u32,
    /// Whether a replica wrongly took the store for one that had lost writes.
    surprise: bool,
    losing: bool,
    losses: u32,
    /// When the store was emptied last.
    lost_at: i64,
    made: u32,
    cut_offs: bool,
    pub(super) rotations: u32,
}

fn seconds(number: i64) -> Duration {
    Duration::from_secs(number.unsigned_abs())
}

impl World {
    /// `tight`: announced for no longer than caches need. Otherwise there is room for replicas that are cut off.
    /// `losing`: the store is emptied now and then.
    pub(super) fn new(broken: Broken, tight: bool, losing: bool) -> Self {
        let jwks_max_age = seconds(600);
        let room = if tight { Duration::ZERO } else { seconds(CUT_OFF) + HEARTBEAT_LIFE + SKEW };
        let announce = jwks_max_age + SKEW + room;
        let policy =
            RotationPolicy { rotate_every: announce + seconds(1800), announce, grace: seconds(900), jwks_max_age };
        policy.check().unwrap();
        let verifiers = [-30, -11, 0, 7, 30].map(|offset| Verifier { offset, fetched: i64::MIN, kids: None });
        Self {
            broken,
            time: 1_800_000_000,
            policy,
            stored: None,
            news: KeyNews::default(),
            heartbeats: BTreeMap::new(),
            replicas: Vec::new(),
            verifiers: verifiers.into(),
            tokens: BTreeMap::new(),
            forced: BTreeMap::new(),
            revoked: BTreeSet::new(),
            first_keys: 0,
            surprise: false,
            losing,
            losses: 0,
            lost_at: 0,
            made: 0,
            cut_offs: !tight,
            rotations: 0,
        }
    }

    pub(super) fn run(&mut self, events: &[Event]) -> Result<(), String> {
        for name in 0..3 {
            self.start(name);
        }
        for (kind, choice) in events {
            self.happen(*kind, *choice)?;
            self.pass(i64::from(choice % 20) + 1)?;
        }
        Ok(())
    }

    fn happen(&mut self, kind: EventKind, choice: u8) -> Result<(), String> {
        let who = usize::from(choice) % self.replicas.len().max(1);
        match kind {
            EventKind::Starts => self.start(choice),
            EventKind::IsKilled => self.kill(who),
            EventKind::Freezes => self.with(who, |replica| replica.frozen = true),
            EventKind::Wakes => self.wake(who),
            // A replica that is cut off may miss only so much: it has to get in touch in between.
            EventKind::IsCutOff if self.cut_offs && who < self.replicas.len() && self.reaches(who) => {
                let until = self.time + i64::from(choice) * CUT_OFF / 256;
                self.with(who, |replica| replica.cut_off_until = until);
            }
            EventKind::ClockChanges => self.with(who, |replica| replica.offset = i64::from(choice) % 61 - 30),
            EventKind::Calm => self.calm(choice)?,
            EventKind::OperatorRotates => self.operator_rotates(choice),
            EventKind::OperatorRotatesNow => self.operator_rotates_now(choice),
            EventKind::OperatorRevokes => self.operator_revokes(choice),
            EventKind::Begins => self.begin(who),
            EventKind::Finishes => self.finish(who),
            EventKind::Signs => self.sign(who),
            EventKind::LosesTheStore => self.lose(who),
            EventKind::Polls | EventKind::IsCutOff => self.poll(who),
        }
        Ok(())
    }

    /// A quiet time in which everything works as it should.
    fn calm(&mut self, choice: u8) -> Result<(), String> {
        for _ in 0..choice % 64 {
            for who in 0..self.replicas.len() {
                self.begin(who);
                while self.replicas[who].pending.is_some() && self.reaches(who) {
                    self.finish(who);
                }
                self.sign(who);
            }
            self.pass(POLL)?;
        }
        Ok(())
    }

    fn with(&mut self, who: usize, change: impl FnOnce(&mut Replica)) {
        if let Some(replica) = self.replicas.get_mut(who) {
            change(replica);
        }
    }

    fn now(&self, who: usize) -> Timestamp {
        Timestamp(self.time + self.replicas[who].offset)
    }

    fn serves(&self, who: usize) -> bool {
        !self.replicas[who].frozen && self.replicas[who].memory.is_some()
    }

    fn reaches(&self, who: usize) -> bool {
        !self.replicas[who].frozen && self.replicas[who].cut_off_until <= self.time
    }

    fn start(&mut self, choice: u8) {
        if self.replicas.len() >= 5 {
            return;
        }
        let mut policy = self.policy.clone();
        if self.broken == Broken::AnnounceIsZero {
            policy.announce = Duration::ZERO;
        }
        if choice.is_multiple_of(3) {
            // During a roll-out, some have a longer grace than others.
            policy.grace += seconds(700);
        }
        if self.news.revision == 0 {
            self.news = KeyNews::begin(Timestamp(self.time));
        }
        self.made += 1;
        self.replicas.push(Replica {
            name: format!("r{}", self.made),
            offset: i64::from(choice) * 7 % 61 - 30,
            policy,
            memory: None,
            seen: self.news.revision,
            polled: self.time,
            since: self.time,
            frozen: false,
            cut_off_until: 0,
            latest: BTreeMap::new(),
            pending: None,
            first_published: BTreeMap::new(),
        });
        self.beat(self.replicas.len() - 1);
    }

    fn kill(&mut self, who: usize) {
        if self.replicas.len() > 1 {
            self.replicas.remove(who);
        }
    }

    fn wake(&mut self, who: usize) {
        let time = self.time;
        if self.replicas.get(who).is_some_and(|replica| replica.frozen) {
            self.with(who, |replica| (replica.frozen, replica.since, replica.cut_off_until) = (false, time, 0));
            self.poll(who);
        }
    }

    fn beat(&mut self, who: usize) {
        let life = self.now(who) + HEARTBEAT_LIFE;
        self.heartbeats.insert(self.replicas[who].name.clone(), (self.replicas[who].seen, life));
    }

    fn poll(&mut self, who: usize) {
        if who >= self.replicas.len() || !self.reaches(who) {
            return;
        }
        let since = self.news.since(self.replicas[who].seen);
        if since == Since::Lost {
            self.news.restart(self.replicas[who].seen, self.now(who));
        }
        if since != Since::Nothing && self.replicas[who].memory.is_some() {
            self.read(who);
        }
        self.replicas[who].seen = self.news.revision;
        self.replicas[who].polled = self.time;
        self.beat(who);
    }

    /// Reads the set, and puts back what the store has lost.
    fn read(&mut self, who: usize) {
        let mut set = self.stored.clone().unwrap_or_default();
        let now = self.now(who);
        if self.replicas[who].memory.as_ref().is_some_and(|memory| set.restore(memory, now)) {
            self.surprise |= self.losses == 0;
            let grace = self.replicas[who].policy.grace.as_secs();
            let before = self.stored.as_ref().or(self.replicas[who].memory.as_ref());
            let silenced = before.map(|before| set.silenced(before, now)).unwrap_or_default();
            silenced.iter().for_each(|_| set.keys.push(self.make(now, grace, true)));
            self.write(self.stored.clone().as_ref(), set);
            self.news.add("tenant");
        }
        if let Some(stored) = self.stored.clone() {
            self.replicas[who].memory = Some(stored);
        }
    }

    /// The store is emptied while a replica is there that remembers.
    fn lose(&mut self, who: usize) {
        if self.losing && who < self.replicas.len() && self.serves(who) && self.reaches(who) {
            self.losses += 1;
            self.lost_at = self.time;
            (self.stored, self.news) = (None, KeyNews::default());
            self.heartbeats.clear();
            self.poll(who);
        }
    }

    /// A replica reads the set and decides; it writes later, if it lives.
    fn begin(&mut self, who: usize) {
        if who >= self.replicas.len() || !self.reaches(who) || self.replicas[who].pending.is_some() {
            return;
        }
        self.read(who);
        let now = self.now(who);
        let replica = &self.replicas[who];
        let policy = replica.policy.clone();
        let Some(set) = self.stored.clone() else {
            let key = self.make(now, policy.grace.as_secs(), true);
            let new = KeySet { keys: vec![key], ..KeySet::default() };
            self.replicas[who].pending = Some(Pending::Write { expected: None, new: Box::new(new), tell: false });
            return;
        };
        let expected = Some(set.clone());
        let mut new = set;
        let raised = replica.latest.iter().fold(false, |raised, (kid, at)| new.raise_last_expiry(kid, *at) || raised);
        let step = policy.step(&new, &[ALGORITHM], &self.living(who), now);
        let pending = match &step {
            _ if raised => Some(Pending::Write { expected, new: Box::new(new), tell: false }),
            Step::Keep => None,
            Step::Generate(_) => {
                new.keys.push(self.make(now, policy.grace.as_secs(), false));
                Some(Pending::Write { expected, new: Box::new(new), tell: false })
            }
            Step::Publish(kid) => Some(Pending::Publish { kid: kid.clone() }),
            step => {
                new.apply(step, policy.grace.as_secs(), now);
                Some(Pending::Write { expected, new: Box::new(new), tell: true })
            }
        };
        self.replicas[who].pending = pending;
    }

    fn finish(&mut self, who: usize) {
        if who >= self.replicas.len() || !self.reaches(who) {
            return;
        }
        self.replicas[who].pending = match self.replicas[who].pending.take() {
            Some(Pending::Write { expected, new, tell }) => {
                let written = self.write(expected.as_ref(), *new);
                self.read(who);
                (written && tell).then_some(Pending::Tell)
            }
            Some(Pending::Tell) => {
                self.news.add("tenant");
                None
            }
            Some(Pending::Publish { kid }) => Some(Pending::Mark { kid, revision: self.news.add("tenant") }),
            Some(Pending::Mark { kid, revision }) => {
                let (expected, mut new) = (self.stored.clone(), self.stored.clone().unwrap_or_default());
                if new.publish(&kid, revision) {
                    self.write(expected.as_ref(), new);
                }
                self.read(who);
                None
            }
            None => None,
        };
    }

    fn write(&mut self, expected: Option<&KeySet>, mut new: KeySet) -> bool {
        if self.stored.as_ref() != expected && self.broken != Broken::PlainWrite {
            return false;
        }
        new.version = self.stored.as_ref().map_or(0, |set| set.version).max(new.version) + 1;
        if self.broken == Broken::LastExpiryIsIgnored {
            new.keys.iter_mut().for_each(|key| key.last_expiry = None);
        }
        self.first_keys += u32::from(expected.is_none() && self.losses == 0);
        for key in &new.keys {
            if key.at_once {
                self.forced.entry(key.public.kid.clone()).or_insert(self.time);
            } else if key.signs_from.is_some()
                && self
                    .stored
                    .as_ref()
                    .is_some_and(|old| old.key(key.kid()).is_some_and(|old| old.signs_from.is_none()))
            {
                self.rotations += 1;
            }
        }
        self.stored = Some(new);
        true
    }

    fn make(&mut self, now: Timestamp, grace: u64, at_once: bool) -> StoredKey {
        self.made += 1;
        let kid = format!("k{}", self.made);
        let material = KeyMaterial::Okp { crv: "Ed25519".into(), x: kid.clone() };
        let private =
            Sealer::new(&[]).and_then(|sealer| sealer.seal("tenant", &kid, b"private", &SystemRandom)).unwrap();
        let public = Jwk { kid, alg: ALGORITHM, key_use: "sig".into(), material };
        StoredKey { signs_from: at_once.then_some(now), at_once, ..StoredKey::announced(public, private, now, grace) }
    }

    fn living(&self, who: usize) -> Replicas {
        if !self.news.are_settled(self.now(who)) {
            return Replicas::default();
        }
        let living = self.heartbeats.iter().filter(|(_, (_, until))| *until > self.now(who));
        let progress = |name: &String, seen| ReplicaProgress { name: name.clone(), seen: Some(seen), opens: None };
        Replicas { live: living.map(|(name, (seen, _))| progress(name, *seen)).collect() }
    }

    fn sign(&mut self, who: usize) {
        if who >= self.replicas.len() || !self.serves(who) {
            return;
        }
        let (now, replica) = (self.now(who), &self.replicas[who]);
        let Some(key) = replica.memory.as_ref().and_then(|set| set.signing(ALGORITHM, now)) else { return };
        let expires_at = now + replica.policy.grace;
        if key.covers(expires_at, now) && !self.revoked.contains(key.kid()) {
            let kid = key.public.kid.clone();
            let longest = |at: &mut Timestamp| *at = (*at).max(expires_at);
            self.tokens.entry(kid.clone()).and_modify(longest).or_insert(expires_at);
            self.replicas[who].latest.entry(kid).and_modify(longest).or_insert(expires_at);
        }
    }

    /// Lets time pass, second by second where it matters, and checks everything.
    fn pass(&mut self, span: i64) -> Result<(), String> {
        let mut left = span;
        while left > 0 {
            let stride = left.min(10);
            self.time += stride;
            left -= stride;
            for who in 0..self.replicas.len() {
                let cut_off = self.replicas[who].cut_off_until;
                if cut_off > self.time - stride && cut_off <= self.time {
                    self.replicas[who].since = self.time;
                    self.poll(who);
                }
                if self.time - self.replicas[who].polled >= POLL {
                    self.poll(who);
                }
            }
            self.fetch();
            self.check()?;
        }
        Ok(())
    }
}
