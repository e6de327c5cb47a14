//! The defaults of the written settings.

use std::collections::BTreeMap;
use std::time::Duration;

use super::written::{
    ClaimConflicts, Environment, KeyScope, Kubernetes, Log, Redis, Script, Sentinel, Written, WrittenAudit,
    WrittenConnections, WrittenLifetimes, WrittenLoginProtection, WrittenMayStay, WrittenOutgoing, WrittenSigning,
    WrittenStore, WrittenTelemetry, WrittenTemplates, WrittenTls,
};
use crate::protocol::duration::Span;

/// Loopback and private ranges, which are trusted in development: RFC 1918, RFC 4193, RFC 5735.
pub(super) const PRIVATE: [&str; 6] =
    ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"];

impl Default for Written {
    fn default() -> Self {
        Self {
            environment: Environment::default(),
            listen: None,
            metrics_listen: None,
            tls: WrittenTls::default(),
            public_domain: None,
            secure: None,
            lifetimes: WrittenLifetimes::default(),
            sessions_per_person: 100,
            confirm_native: false,
            cookie_domains: BTreeMap::new(),
            directory: ".".into(),
            claims: ClaimConflicts::default(),
            kubernetes: Kubernetes::default(),
            script: Script::default(),
            templates: WrittenTemplates::default(),
            allow_missing_providers: None,
            may_stay: WrittenMayStay::default(),
            display_version: true,
            openapi: None,
            log: Log::default(),
            audit: WrittenAudit::default(),
            telemetry: WrittenTelemetry::default(),
            login_protection: WrittenLoginProtection::default(),
            connections: WrittenConnections::default(),
            trusted_proxies: None,
            outgoing: WrittenOutgoing::default(),
            store: WrittenStore::default(),
            signing: WrittenSigning::default(),
        }
    }
}

impl Default for WrittenLifetimes {
    fn default() -> Self {
        Self { access_token_hours: 2.0, refresh_token_hours: 720.0, refresh_absolute_hours: None, session_days: 7.0 }
    }
}

impl Default for Script {
    fn default() -> Self {
        Self { timeout: Span(Duration::from_secs(30)), memory: None }
    }
}

impl Default for WrittenMayStay {
    fn default() -> Self {
        Self { every_minutes: 5, stale_minutes: 60 }
    }
}

impl Default for WrittenTemplates {
    fn default() -> Self {
        Self { refresh: Span(Duration::from_secs(60)) }
    }
}

impl Default for WrittenLoginProtection {
    fn default() -> Self {
        Self {
            enabled: true,
            free_attempts: 5,
            free_attempts_per_address: 50,
            longest_delay: Span(Duration::from_secs(5 * 60)),
        }
    }
}

impl Default for WrittenConnections {
    fn default() -> Self {
        let seconds = |seconds| Span(Duration::from_secs(seconds));
        Self { most: None, per_address: 512, first_byte: seconds(10), idle: seconds(120) }
    }
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            url: None,
            host: None,
            port: 6379,
            username: None,
            password: None,
            db: 0,
            tls: false,
            ca_file: None,
            sentinel: Sentinel::default(),
            cluster_hosts: Vec::new(),
        }
    }
}

impl Default for WrittenSigning {
    fn default() -> Self {
        let hours = |hours: u64| Span(Duration::from_secs(hours * 3600));
        Self {
            algorithm: None,
            rotate_every: hours(90 * 24),
            announce: hours(24),
            grace: hours(7 * 24),
            jwks_max_age: hours(1),
            scope: KeyScope::Tenant,
            rsa_bits: 2048,
            hs256_secret: None,
            seal_secrets: Vec::new(),
        }
    }
}
