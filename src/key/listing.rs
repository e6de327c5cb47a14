//! A key as operators see it in `uitsmijter keys list`.

use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::key::custody::mac::Foreign;
use crate::key::custody::seal::Sealer;
use crate::key::policy::RotationPolicy;
use crate::key::record::{KeySet, State, StoredKey};
use crate::key::replicas::progress::Replicas;
use crate::protocol::jwk::Algorithm;

/// One line of `keys list`.
#[derive(Clone, Debug, Serialize)]
pub struct ListedKey {
    /// Whose key; `*` where all tenants share one set.
    pub tenant: String,
    /// Its name.
    pub kid: String,
    /// The algorithm that it signs with.
    pub algorithm: Algorithm,
    /// Its state now.
    pub state: State,
    /// Seconds since it was made.
    pub age_seconds: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs.
    pub signs_from: Option<Timestamp>,
    /// From when on it does not.
    pub retired_at: Option<Timestamp>,
    /// For a signing key: when its successor should take over.
    pub next_rotation: Option<Timestamp>,
    /// Nothing that it signed lives longer.
    pub last_expiry: Option<Timestamp>,
    /// When nothing needs it any more; empty until it is retired.
    pub safe_to_drop_at: Option<Timestamp>,
    /// Whether its private half is sealed; empty when that is erased.
    pub sealed: Option<bool>,
    /// Whether the secrets given here open its private half; empty when that is erased.
    pub opens: Option<bool>,
    /// The replicas that hold it back, because they do not publish it yet or cannot open it.
    pub waits_for: Vec<String>,
    /// Why it is neither published nor believed, although it lies among the tenant's keys; empty if it is ours.
    pub foreign: Option<Foreign>,
}

impl ListedKey {
    /// Describes `key` of the set of `tenant` at `now`.
    pub fn of(
        tenant: &str,
        set: &KeySet,
        key: &StoredKey,
        policy: &RotationPolicy,
        replicas: &Replicas,
        sealer: &Sealer,
        now: Timestamp,
    ) -> Self {
        let state = set.state(key, policy.grace, now);
        let second = Duration::from_secs(1);
        let waits_for = if key.is_unscheduled() { replicas.behind(key) } else { Vec::new() };
        Self {
            tenant: tenant.into(),
            kid: key.kid().into(),
            algorithm: key.algorithm(),
            state,
            age_seconds: now.since(key.created_at).as_secs(),
            created_at: key.created_at,
            signs_from: key.signs_from,
            retired_at: key.retired_at,
            next_rotation: (state == State::Signing)
                .then(|| key.retired_at.or_else(|| policy.next_rotation(key)))
                .flatten(),
            last_expiry: key.last_expiry,
            safe_to_drop_at: key.gone_after(policy.grace).map(|at| at + second),
            sealed: key.private.as_ref().map(|half| half.is_sealed()),
            opens: key.private.as_ref().map(|half| sealer.knows(half)),
            waits_for: waits_for.into_iter().map(Into::into).collect(),
            foreign: None,
        }
    }

    /// The same key, which is not ours for this `reason`.
    pub fn because(self, reason: Foreign) -> Self {
        Self { state: State::Foreign, next_rotation: None, waits_for: Vec::new(), foreign: Some(reason), ..self }
    }
}
