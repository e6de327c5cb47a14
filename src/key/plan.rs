//! What tenants ask of a set of keys: its calendar, and the algorithms that it must sign with.

use anyhow::Result;

use crate::key::policy::RotationPolicy;
use crate::key::settings::{SigningSettings, TenantSigning};
use crate::protocol::jwk::Algorithm;

/// What a set is asked to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its calendar.
    pub policy: RotationPolicy,
    /// The algorithm of access tokens; without meaning where tenants share the set.
    pub access: Algorithm,
    /// The algorithms that it must be able to sign with. RS256 is always among them: ID tokens of a tenant on HS256 need
    /// it, and OpenID Connect Discovery §3 demands it.
    pub algorithms: Vec<Algorithm>,
}

impl Plan {
    /// What `tenant` asks for.
    pub fn of(tenant: &TenantSigning<'_>, settings: &SigningSettings) -> Result<Self> {
        let access = tenant.algorithm.unwrap_or(settings.algorithm);
        let other = access.is_asymmetric() && access != Algorithm::RS256;
        let algorithms = [Some(Algorithm::RS256), other.then_some(access)].into_iter().flatten().collect();
        Ok(Self { policy: settings.policy.with(tenant.overrides)?, access, algorithms })
    }

    /// A plan that serves `other` as well: all algorithms, and the longer of each period.
    pub fn and(mut self, other: &Self) -> Self {
        self.policy = self.policy.or_longer(&other.policy);
        self.algorithms.extend(&other.algorithms);
        self.algorithms.sort_unstable();
        self.algorithms.dedup();
        self
    }
}
