//! What can be wrong with settings that are each well-formed, and what their operator should know.

use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::resolved::{Connections, Settings};
use crate::key::settings::SEAL_SECRET_BYTES;
use crate::login::script::VALIDATION_CLASS;
use crate::protocol::duration;
use crate::protocol::jwk::Algorithm;
use crate::protocol::loopback::is_loopback;
use crate::registry::tenant::Tenant;
use crate::registry::{Problem, Severity, Snapshot};

impl Settings {
    /// What can be wrong although each setting is well-formed.
    pub(super) fn check(&self) -> Result<()> {
        let mut wrong = Vec::new();
        if self.production && self.store.path.is_none() && self.store.redis.is_none() {
            wrong.push(
                "ENVIRONMENT is production, but no store is configured: set STORE_PATH to a file on a persistent \
                 volume (store.path in the configuration file), or REDIS_HOST to a Redis server"
                    .to_owned(),
            );
        }
        match &self.signing.hs256_secret {
            Some(secret) if secret.expose().len() < 32 => wrong.push(format!(
                "JWT_SECRET has {} bytes; HS256 needs at least 32 (RFC 7518 §3.2): make one with `openssl rand -base64 48`",
                secret.expose().len()
            )),
            None if self.signing.algorithm == Algorithm::HS256 => wrong.push(
                "JWT_ALGORITHM is HS256, but JWT_SECRET is missing: set it to at least 32 bytes, the same for all \
                 replicas, or use JWT_ALGORITHM=RS256"
                    .to_owned(),
            ),
            _ => {}
        }
        if let Some(length) = self.signing.weak_seal().filter(|_| self.production) {
            wrong.push(weak_seal(length));
        }
        if !matches!(self.signing.rsa_bits, 2048 | 3072 | 4096) {
            wrong.push(format!("signing.rsa_bits is {}; write 2048, 3072 or 4096", self.signing.rsa_bits));
        }
        let Connections { most, per_address, first_byte, idle } = self.connections;
        if most == Some(0) || per_address == 0 || first_byte.is_zero() || idle < Duration::from_secs(1) {
            wrong.push(
                "connections.most (MAX_CONNECTIONS), connections.per_address and connections.first_byte must be above 0, \
                 and connections.idle (KEEP_ALIVE) at least 1s"
                    .to_owned(),
            );
        }
        if self.templates_refresh < Duration::from_secs(1) {
            wrong.push("TEMPLATES_REFRESH (templates.refresh) must be at least 1s".to_owned());
        }
        if self.telemetry.is_named() && !cfg!(feature = "telemetry") {
            wrong.push(
                "OTEL_EXPORTER_OTLP_ENDPOINT (telemetry.endpoint) is set, but this program was built without OpenTelemetry \
                 (feature `telemetry`)"
                    .to_owned(),
            );
        }
        if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("\n")) }
    }

    /// In production there must be a tenant.
    ///
    /// Errors: a sentence that says what to write where.
    pub fn check_tenants(&self, snapshot: &Snapshot) -> Result<()> {
        ensure!(
            !self.production || snapshot.tenant_count() > 0 || self.kubernetes.enabled,
            "ENVIRONMENT is production, but there is no tenant: write one to {} (docs and examples: config.example.yaml), \
             or point DIRECTORY at the folder that contains Resources/Configurations",
            self.directory.join("Resources/Configurations/Tenants/<name>.yaml").display()
        );
        Ok(())
    }

    /// Where tenants and clients ask for what the settings do not give.
    pub fn conflicts(&self, snapshot: &Snapshot) -> Vec<Problem> {
        let tenants = snapshot.tenants().filter_map(|tenant| {
            let checked = self.refuse_signing(tenant).and_then(|()| self.refuse_issuer(tenant));
            let reason = checked.and_then(|()| refuse_bucket(tenant)).err()?;
            Some(problem(Severity::Error, format!("tenant {}", tenant.name), format!("{reason:#}")))
        });
        let fleeting = snapshot.tenants().filter(|tenant| self.lets_nobody_stay(tenant)).map(|tenant| {
            let message = "its login script has no UserValidationProvider, so no token is refreshed, and whoever \
                           is removed stays signed in until the session expires (ALLOW_MISSING_PROVIDERS is false)";
            problem(Severity::Warning, format!("tenant {}", tenant.name), message.to_owned())
        });
        let clients = snapshot.clients().filter_map(|client| {
            let policy = self.signing.policy.with(Some(&snapshot.tenant(&client.tenant)?.signing)).ok()?;
            let reason = policy.check_lifetime("access_token_hours", client.access_token_lifetime?).err()?;
            Some(problem(Severity::Error, format!("client {}", client.name), format!("{reason:#}")))
        });
        tenants.chain(fleeting).chain(clients).collect()
    }

    /// Whether the tenant's tokens can be signed as it wants.
    fn refuse_signing(&self, tenant: &Tenant) -> Result<()> {
        ensure!(
            tenant.algorithm != Some(Algorithm::HS256) || self.signing.hs256_secret.is_some(),
            "jwt_algorithm is HS256, but JWT_SECRET is missing; set it to at least 32 bytes, or write jwt_algorithm: RS256"
        );
        let policy = self.signing.policy.with(Some(&tenant.signing))?;
        policy.check_lifetime("TOKEN_EXPIRATION_IN_HOURS", self.lifetimes.access_token)
    }

    /// Whether no source can say that a person of the tenant may stay. The script is searched and not compiled, because this
    /// runs often.
    fn lets_nobody_stay(&self, tenant: &Tenant) -> bool {
        let script = tenant.script.as_ref().filter(|_| tenant.users.is_empty() && !self.allow_missing_providers);
        script.is_some_and(|script| !script.contains(VALIDATION_CLASS))
    }

    /// Whether the tenant's name begins as all URLs do (OIDC Discovery §3).
    fn refuse_issuer(&self, tenant: &Tenant) -> Result<()> {
        let plain = tenant.issuer.as_ref().filter(|issuer| self.secure && issuer.scheme() == "http");
        if let Some(issuer) = plain.filter(|issuer| !issuer.host_str().is_some_and(is_loopback)) {
            bail!("issuer {issuer} is plain http, but SECURE says that all URLs are https; write https://");
        }
        Ok(())
    }

    /// What an operator should know at start, apart from problems.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if self.signing.hs256_secret.is_some() && !self.algorithm_is_named {
            notices.push(
                "JWT_SECRET is set and JWT_ALGORITHM is not: access tokens are still signed with HS256. To move, let \
                 the resource servers verify with /.well-known/jwks.json, then set JWT_ALGORITHM=RS256; tokens of both \
                 kinds are accepted meanwhile, and the same setting takes you back"
                    .into(),
            );
        }
        if self.signing.seal_secrets.is_empty() && self.signing.hs256_secret.is_none() {
            notices.push(
                "SIGNING_KEY_SECRET is not set: private keys are unencrypted in the store, and nothing proves that they are \
                 yours, so whoever can write to the store can sign"
                    .into(),
            );
        }
        notices.extend(self.signing.weak_seal().map(weak_seal));
        if self.store.path.is_none() && self.store.redis.is_none() {
            notices.push(
                "neither STORE_PATH nor Redis is set: sessions, tokens and keys are lost when the process ends".into(),
            );
        }
        if self.store.path.is_some() && self.store.redis.is_some() {
            notices.push("STORE_PATH has no effect, because Redis is set".into());
        }
        let (grace, session) = (self.signing.policy.grace, self.lifetimes.session);
        if grace < session {
            notices.push(format!(
                "signing.grace is {} and sessions live for {} (COOKIE_EXPIRATION_IN_DAYS): after a rotation, a \
                 live session's id_token_hint may name a key that is gone; the person is then asked before signing out",
                duration::write(grace),
                duration::write(session)
            ));
        }
        if self.proxies_are_unknown() {
            notices.push(
                "TRUSTED_PROXIES is not set: in production no X-Forwarded-* header is believed, and /interceptor answers \
                 nobody. List the addresses of your proxies, or write none if there is none"
                    .into(),
            );
        }
        if self.production && !self.secure {
            notices.push("SECURE is false in production: cookies and URLs allow plain http".into());
        }
        notices
    }
}

/// What is wrong with a sealing secret of so few bytes. It may open what it sealed, behind one that is long enough.
fn weak_seal(length: usize) -> String {
    format!(
        "SIGNING_KEY_SECRET has {length} bytes, and the first must have at least {SEAL_SECRET_BYTES}, or it can be guessed: \
         make one with `openssl rand -base64 48`; if keys are encrypted with the present one, write both, the new one \
         first: SIGNING_KEY_SECRET=new,present"
    )
}

/// Whether this program can read what the tenant's templates name.
fn refuse_bucket(tenant: &Tenant) -> Result<()> {
    ensure!(
        tenant.templates.is_none() || cfg!(feature = "s3"),
        "templates names a bucket, but this program was built without bucket support (feature `s3`)"
    );
    Ok(())
}

pub(super) fn problem(severity: Severity, entity: String, message: String) -> Problem {
    Problem { severity, source: "settings".into(), entity, message, awaits: false }
}
