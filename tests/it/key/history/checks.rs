//! What verifiers see, and the invariants.

use std::collections::BTreeSet;

use uitsmijter::key::record::SKEW;

use super::*;

impl World {
    pub(super) fn fetch(&mut self) {
        let serving: Vec<usize> = (0..self.replicas.len()).filter(|who| self.serves(*who)).collect();
        let max_age = i64::try_from(self.policy.jwks_max_age.as_secs()).unwrap();
        for number in 0..self.verifiers.len() {
            if self.verifiers[number].fetched > self.time - max_age - 1 {
                continue;
            }
            let source =
                (!serving.is_empty()).then(|| serving[(number + usize::try_from(self.time).unwrap()) % serving.len()]);
            self.verifiers[number].kids = source.map(|who| self.published(who));
            self.verifiers[number].fetched = if source.is_some() { self.time } else { i64::MIN };
        }
    }

    fn published(&self, who: usize) -> BTreeSet<String> {
        let replica = &self.replicas[who];
        let set = replica.memory.iter().flat_map(|set| set.published(replica.policy.grace, self.now(who)));
        set.map(|key| key.public.kid.clone()).collect()
    }

    pub(super) fn check(&mut self) -> Result<(), String> {
        if self.first_keys > 1 {
            return Err("two first keys were made".into());
        }
        if self.surprise {
            return Err("a replica thinks that the store has lost something".into());
        }
        for who in 0..self.replicas.len() {
            if self.serves(who) {
                self.check_replica(who)?;
            }
        }
        for verifier in &self.verifiers {
            let Some(kids) = &verifier.kids else { continue };
            for (kid, expires_at) in &self.tokens {
                let valid = self.time + verifier.offset < expires_at.0;
                // Caches need not know a key that had to sign at once.
                let room = POLL + if self.cut_offs { CUT_OFF } else { 0 };
                // Nor need such a key be everywhere again at the moment at which the store was emptied.
                let surprising =
                    self.forced.get(kid).is_some_and(|at| verifier.fetched <= *at.max(&self.lost_at) + room);
                if valid && !surprising && !kids.contains(kid) {
                    return Err(format!(
                        "a verifier meets a valid token of {kid}, which it cannot verify; it knows {kids:?}"
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_replica(&mut self, who: usize) -> Result<(), String> {
        let (time, now) = (self.time, self.now(who));
        let published = self.published(who);
        let name = self.replicas[who].name.clone();
        if published.is_empty() {
            return Err(format!("the JWKS of {name} is empty"));
        }
        for kid in &published {
            self.replicas[who].first_published.entry(kid.clone()).or_insert(time);
        }
        let signing = self.replicas[who].memory.as_ref().and_then(|set| set.signing(ALGORITHM, now)).cloned();
        let Some(signing) = signing else { return Err(format!("{name} has no key to sign with")) };
        if !published.contains(signing.kid()) {
            return Err(format!("{name} signs with {}, which it does not publish", signing.kid()));
        }
        if !signing.at_once {
            self.check_announced(signing.kid())?;
        }
        for (kid, expires_at) in self.tokens.clone() {
            if now < expires_at && !published.contains(&kid) && self.reaches(who) {
                self.read(who);
                if !self.published(who).contains(&kid) && !self.is_coming_back(&kid) {
                    return Err(format!("{name} cannot verify a token of {kid} that lives until {expires_at}"));
                }
            }
        }
        Ok(())
    }

    /// The store was emptied just now, and the replica that knows this key has not looked since: it will put it back.
    fn is_coming_back(&self, kid: &str) -> bool {
        let knows = |replica: &Replica| replica.memory.as_ref().is_some_and(|memory| memory.key(kid).is_some());
        self.time <= self.lost_at + POLL && self.replicas.iter().any(knows)
    }

    /// A key that signs has been in the JWKS of every replica for `announce`, as far as clocks can tell.
    fn check_announced(&self, kid: &str) -> Result<(), String> {
        let announce = i64::try_from((self.policy.announce - SKEW).as_secs()).unwrap();
        for (who, replica) in self.replicas.iter().enumerate().filter(|(who, _)| self.serves(*who)) {
            let reachable = self.reaches(who) && replica.since < self.time - announce - POLL;
            match replica.first_published.get(kid) {
                _ if !reachable
                    || replica.first_published.values().min().is_none_or(|at| *at > self.time - announce) => {}
                Some(at) if *at <= self.time - announce => {}
                _ => return Err(format!("{kid} signs, and {} did not publish it for long enough", replica.name)),
            }
        }
        Ok(())
    }
}
