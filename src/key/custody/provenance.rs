//! Which keys of a set are ours: each carries a MAC (HMAC-SHA256, RFC 2104) under a key derived from the sealing secret, so
//! that whoever can write to the store cannot make us publish or believe a key.
//!
//! The MAC covers tenant, `kid`, algorithm, public half and every time that decides what the key is at a moment; that of
//! the set covers what decides whether HS256 is believed, and says that all its keys have one. Private halves are sealed,
//! and so have their own proof. What was ours once is ours again if somebody writes it back.
//!
//! A set without a MAC is one of a version that made none, and both are read while a replica of that version lives
//! ([`Capability::KeyMac`](crate::key::replicas::capability::Capability::KeyMac)). From then on only keys are taken over
//! whose private half was sealed with our secret for this tenant and `kid`, and fits the public one. Without a secret there
//! is nothing to prove anything with, and every key is believed.

use anyhow::Result;

use crate::key::custody::Custody;
use crate::key::custody::mac::{Foreign, Mac, Provenance};
use crate::key::record::{KeySet, StoredKey};

impl Custody {
    /// Moves the keys of `set`, as it was read for `tenant`, that are not ours from [`KeySet::keys`] to
    /// [`KeySet::foreign`]. `everywhere`: every living replica makes MACs.
    pub fn sort_out(&self, tenant: &str, set: &mut KeySet, everywhere: bool) {
        if !self.sealer.is_sealing() {
            set.keys.iter_mut().for_each(|key| key.provenance = Provenance::Unproved);
            return;
        }
        let is_certified = set.mac.as_ref().is_some_and(|mac| self.sealer.fits(mac, &of_set(tenant, set)));
        if set.mac.is_some() && !is_certified {
            // Somebody wrote it; the keys answer for themselves.
            (set.mac, set.access) = (None, None);
            set.hs256_until.clear();
        }
        for mut key in std::mem::take(&mut set.keys) {
            match self.judge(tenant, &key, is_certified, everywhere) {
                Ok(provenance) => {
                    key.provenance = provenance;
                    set.keys.push(key);
                }
                Err(reason) => set.foreign.push((key, reason)),
            }
        }
    }

    fn judge(
        &self,
        tenant: &str,
        key: &StoredKey,
        is_certified: bool,
        everywhere: bool,
    ) -> std::result::Result<Provenance, Foreign> {
        if let Some(mac) = &key.mac {
            return match self.sealer.fits(mac, &of_key(tenant, key)) {
                true => Ok(Provenance::Proved),
                false if self.sealer.names().contains(&mac.by) => Err(Foreign::WrongMac),
                false => Err(Foreign::UnknownSecret),
            };
        }
        let half = key.private.as_ref().filter(|half| half.is_sealed());
        match half {
            _ if is_certified => Err(Foreign::NoMac),
            _ if !everywhere => Ok(Provenance::Unproved),
            Some(half) if !self.sealer.knows(half) => Err(Foreign::UnknownSecret),
            Some(_) if self.open(tenant, key).is_ok() => Ok(Provenance::Proved),
            _ => Err(Foreign::NoMac),
        }
    }

    /// Gives `set` of `tenant`, which is about to be written, its MACs, as far as its keys are proved. Foreign keys go back
    /// beside them, as they were read, for an operator to see.
    pub fn certify(&self, tenant: &str, set: &mut KeySet, everywhere: bool) {
        let foreign = std::mem::take(&mut set.foreign);
        if self.makes_macs(set, everywhere) {
            for key in set.keys.iter_mut().filter(|key| key.provenance == Provenance::Proved) {
                key.mac = self.sealer.mac(&of_key(tenant, key));
            }
            set.mac = self.sealer.mac(&of_set(tenant, set));
        }
        for (key, _) in foreign {
            if set.key(key.kid()).is_none() {
                set.keys.push(key);
            }
        }
    }

    /// Takes the unsealed keys over that [`Self::sort_out`] took for foreign, and seals them; answers their names.
    pub fn take_over(&self, tenant: &str, set: &mut KeySet) -> Result<Vec<String>> {
        let is_unsealed = |key: &StoredKey| key.private.as_ref().is_some_and(|half| !half.is_sealed());
        let fits = |(key, _): &(StoredKey, Foreign)| is_unsealed(key) && self.open(tenant, key).is_ok();
        let (ours, foreign): (Vec<_>, Vec<_>) = std::mem::take(&mut set.foreign).into_iter().partition(fits);
        set.foreign = foreign;
        let kids = ours.iter().map(|(key, _)| key.kid().to_owned()).collect();
        set.keys.extend(ours.into_iter().map(|(key, _)| StoredKey { provenance: Provenance::Proved, ..key }));
        self.seal_again(tenant, set)?;
        Ok(kids)
    }

    /// Whether [`Self::certify`] would change `set`: it has no MAC yet, or one of a secret that comes no longer first.
    pub fn should_certify(&self, set: &KeySet, everywhere: bool) -> bool {
        let proved = set.keys.iter().filter(|key| key.provenance == Provenance::Proved).map(|key| &key.mac);
        let is_ours = |mac: &Option<Mac>| mac.as_ref().is_some_and(|mac| self.sealer.is_first(&mac.by));
        self.makes_macs(set, everywhere) && !proved.chain([&set.mac]).all(is_ours)
    }

    fn makes_macs(&self, set: &KeySet, everywhere: bool) -> bool {
        self.sealer.is_sealing() && (everywhere || set.mac.is_some())
    }
}

/// What the MAC of a key covers. Fields that are added to it need a form of their own, or versions would refuse each other.
fn of_key(tenant: &str, key: &StoredKey) -> Vec<u8> {
    let StoredKey { public, created_at, signs_from, at_once, retired_at, last_expiry, revoked_at, grace, .. } = key;
    let covered =
        ("key 1", tenant, public, created_at, signs_from, at_once, retired_at, last_expiry, (revoked_at, grace));
    // Texts and numbers, which always serialize.
    serde_json::to_vec(&covered).unwrap_or_default()
}

fn of_set(tenant: &str, set: &KeySet) -> Vec<u8> {
    serde_json::to_vec(&("set 1", tenant, &set.access, &set.hs256_until)).unwrap_or_default()
}
