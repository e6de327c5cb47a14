//! The device grant: RFC 8628. A device shows a code, a person allows it in a browser, the device polls until then.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::begin::begin;
use super::pending_devices::{self, Places, named, names};
use super::permission::{check_grant, check_targets, narrowed_audience, permitted_scope, with_provider_scopes};
use super::user_code;
use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::scope::Scope;
use crate::protocol::token::GrantType;
use crate::registry::client::Client;
use crate::session::record::everything_of;
use crate::session::{Person, Session, SignedIn};
use crate::store::slots::SAFE;
use crate::store::{Batch, Contended, Loaded, Record, Replacement, TRIES, digest};
use crate::token::{Authorization, Grant};

/// §3.5: what each `slow_down` adds to the interval.
const SLOWER: Duration = Duration::from_secs(5);

/// The longest scope and resources together, in bytes: anybody can have them stored.
const LONGEST: usize = 1024;

/// How long an expired code is remembered, so that the device gets `expired_token` and not `invalid_grant`.
const MEMORY: Duration = Duration::from_secs(10 * 60);

/// A pending request of a device. Stored under the digest of its device code, to which the user code leads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceCode {
    client_id: String,
    issuer: String,
    scope: Scope,
    audience: Vec<String>,
    decision: Decision,
    expires_at: Timestamp,
    /// The polling interval in seconds.
    interval: u64,
    /// When the device last polled.
    asked_at: Option<Timestamp>,
    /// Where it has its place among the pending ones; `None` if an earlier version began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<u32>,
}

impl Record for DeviceCode {
    const KIND: &'static str = "device";
}

/// What the person decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Pending,
    Denied,
    Allowed(Box<Person>),
}

/// Leads from the typed user code to the device. Removed with the decision.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct UserCode {
    device: String,
}

impl Record for UserCode {
    const KIND: &'static str = "user-code";
}

/// The answer to the device: §3.2.
pub struct Started {
    /// The device code.
    pub device_code: String,
    /// The user code, as it is shown.
    pub user_code: String,
    /// The lifetime of both.
    pub expires_in: Duration,
    /// The polling interval.
    pub interval: Duration,
}

/// Begins a request of a device: §3.1.
///
/// Errors: `temporarily_unavailable` if too many requests of others are pending.
pub async fn start(issuer: &Issuer, client: &Client, scope: &Scope, audience: Vec<String>) -> Result<Started> {
    check_grant(client, GrantType::DeviceCode)?;
    let scope = permitted_scope(client, scope)?;
    check_targets(client, &audience)?;
    check_size(&scope, &audience)?;
    let (expires_in, interval) = (client.device_grant.expires_in, client.device_grant.interval);
    let expires_at = issuer.now() + expires_in;
    let value = issuer.services.random.token();
    let device = digest(&value);
    let code = DeviceCode {
        client_id: client.ident.to_string(),
        issuer: issuer.url.to_string(),
        scope,
        audience,
        decision: Decision::Pending,
        expires_at,
        interval: interval.as_secs(),
        asked_at: None,
        place: None,
    };
    let user_code = keep(issuer, client, &device, &code).await?;
    Ok(Started { device_code: value, user_code: user_code::shown(&user_code), expires_in, interval })
}

fn check_size(scope: &Scope, audience: &[String]) -> Result<()> {
    let size = scope.iter().chain(audience.iter().map(String::as_str)).map(str::len).sum::<usize>();
    if size > LONGEST { Err(OAuthError::invalid_request("the request is too long")) } else { Ok(()) }
}

/// Stores the code at a place of its own, and a user code that leads to it. Whose place it was is not pending any more.
async fn keep(issuer: &Issuer, client: &Client, device: &str, code: &DeviceCode) -> Result<String> {
    let places = Places::of(issuer, client).await?;
    // User codes are short, so another device may be using the same one.
    for _ in 0..2 {
        let user_code = user_code::fresh(&*issuer.services.random);
        let id = names(device, &user_code);
        let kept = places.take(issuer, &id, code.expires_at + MEMORY, |batch, place| {
            let code = DeviceCode { place: Some(place.number), ..code.clone() };
            let pointer = UserCode { device: device.to_owned() };
            let batch = batch.put(device, &code, &[], code.expires_at + MEMORY)?;
            let batch = batch.replace(&user_code, None, &pointer, &[], Some(code.expires_at))?;
            Ok(place.former.and_then(named).into_iter().fold(batch, |batch, (device, user_code)| {
                batch.remove::<DeviceCode>(device).remove::<UserCode>(user_code)
            }))
        });
        if kept.await? {
            return Ok(user_code);
        }
    }
    let full = "too many devices are waiting for their people, try again in a few minutes";
    Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, full).after(SAFE))
}

/// A device that waits for the decision of its person.
pub struct Waiting {
    user_code: String,
    device: String,
    code: Loaded<DeviceCode>,
    /// The client.
    pub client: Arc<Client>,
}

impl Waiting {
    /// The user code, as the device shows it.
    pub fn user_code(&self) -> String {
        user_code::shown(&self.user_code)
    }

    /// The requested scope.
    pub fn scope(&self) -> &Scope {
        &self.code.record.scope
    }

    /// Allows the request on behalf of the person who is signed in. Returns `false` if it was decided, or the person
    /// signed out, meanwhile.
    pub async fn allow(self, issuer: &Issuer, signed_in: &SignedIn) -> Result<bool> {
        let person = signed_in.person(&signed_in.session.authentication.acr);
        let groups = [everything_of(&person.identity.subject)];
        // The device gets a sign-in of its own, which stays when the person signs out of this browser.
        let person = Person { sid: None, ..person };
        let in_session = || Session::require(&signed_in.cookie, issuer.store.batch());
        self.decide(issuer, Decision::Allowed(Box::new(person)), &groups, in_session).await
    }

    /// Denies the request. Returns `false` if it was decided meanwhile.
    pub async fn deny(self, issuer: &Issuer) -> Result<bool> {
        self.decide(issuer, Decision::Denied, &[], || issuer.store.batch()).await
    }

    /// Decides in one step with `using`.
    async fn decide<'i>(
        mut self,
        issuer: &'i Issuer,
        decision: Decision,
        groups: &[String],
        using: impl Fn() -> Batch<'i>,
    ) -> Result<bool> {
        for _ in 0..TRIES {
            let code = DeviceCode { decision: decision.clone(), ..self.code.record.clone() };
            let until = code.expires_at + MEMORY;
            let decided = using().replace(&self.device, Some(&self.code), &code, groups, Some(until))?;
            if decided.remove::<UserCode>(&self.user_code).commit().await? {
                return Ok(true);
            }
            // The device has polled meanwhile, or another page decided: look again.
            match issuer.store.load::<DeviceCode>(&self.device).await? {
                Some(code) if code.record.is_pending(issuer.now()) && !code.is_same(&self.code) => self.code = code,
                _ => return Ok(false),
            }
        }
        Err(Contended::of::<DeviceCode>().into())
    }
}

/// The undecided device behind a typed user code: §3.3. From here on no flood drives it out: a person is looking at it.
pub async fn find(issuer: &Issuer, typed: &str) -> Result<Option<Waiting>> {
    let Some(user_code) = user_code::read(typed) else { return Ok(None) };
    let Some(UserCode { device }) = issuer.store.get::<UserCode>(&user_code).await? else { return Ok(None) };
    let code = issuer.store.load::<DeviceCode>(&device).await?;
    let Some(code) = code.filter(|code| code.record.is_pending(issuer.now())) else { return Ok(None) };
    let Some(client) = issuer.client(&code.record.client_id).await? else { return Ok(None) };
    if let Some(place) = code.record.place {
        pending_devices::vouch(issuer, place, &names(&device, &user_code)).await?;
    }
    Ok(Some(Waiting { user_code, device, code, client }))
}

/// Answers a poll: §3.4 and §3.5. A code gives tokens once, and only to the client that started it.
pub async fn redeem(issuer: &Issuer, client: Arc<Client>, value: &str, resource: &[String]) -> Result<Authorization> {
    let refused = || OAuthError::invalid_grant("the device code is not valid");
    let device = digest(value);
    let mut polled = Err(refused());
    let poll = |code: Option<&DeviceCode>| {
        let own = code.filter(|code| code.client_id == *client.ident).ok_or_else(refused);
        polled = own.and_then(|code| {
            let audience = narrowed_audience(&client, &code.audience, resource)?;
            Ok((code.polled(issuer.now())?, audience))
        });
        let ((code, _), _) = polled.as_ref().ok()?;
        let expires_at = Some(code.expires_at + MEMORY);
        Some(Replacement { record: code.clone(), groups: code.groups(), expires_at })
    };
    issuer.store.update(&device, poll).await?;
    let ((code, too_fast), audience) = polled?;
    if too_fast {
        return Err(OAuthError::new(ErrorCode::SlowDown, "wait five seconds more between two requests"));
    }
    match code.decision {
        Decision::Pending => {
            Err(OAuthError::new(ErrorCode::AuthorizationPending, "the person has not decided yet, ask again later"))
        }
        Decision::Denied => Err(OAuthError::access_denied("the person denied the request")),
        Decision::Allowed(_) => code.into_authorization(issuer, client, &device, audience).await,
    }
}

impl DeviceCode {
    fn is_pending(&self, now: Timestamp) -> bool {
        matches!(self.decision, Decision::Pending) && now < self.expires_at
    }

    /// The same after one more poll at `now`, and whether that came too soon.
    fn polled(&self, now: Timestamp) -> Result<(Self, bool)> {
        if now >= self.expires_at {
            return Err(OAuthError::new(ErrorCode::ExpiredToken, "the device code is too old, start again"));
        }
        let too_fast = self.asked_at.is_some_and(|last| now.since(last).as_secs() < self.interval);
        let interval = if too_fast { self.interval + SLOWER.as_secs() } else { self.interval };
        Ok((Self { interval, asked_at: Some(now), ..self.clone() }, too_fast))
    }

    fn groups(&self) -> Vec<String> {
        match &self.decision {
            Decision::Allowed(person) => vec![everything_of(&person.identity.subject)],
            Decision::Pending | Decision::Denied => Vec::new(),
        }
    }

    async fn into_authorization(
        self,
        issuer: &Issuer,
        client: Arc<Client>,
        device: &str,
        audience: Vec<String>,
    ) -> Result<Authorization> {
        let Decision::Allowed(person) = self.decision else {
            return Err(OAuthError::invalid_grant("the device code is not valid"));
        };
        let now = issuer.now();
        let scope = with_provider_scopes(&client, self.scope.clone(), &person.identity.scopes);
        let expires_at = now + issuer.access_token_lifetime(&client);
        let grant = Grant {
            provided: scope.without(&self.scope),
            audience: self.audience,
            absolute_expiry: now + issuer.services.lifetimes.of_family(),
            ..Grant::new(&self.client_id, &self.issuer, *person, scope, expires_at)
        };
        let using = issuer.store.batch().use_first::<DeviceCode>(device);
        let begun = begin(issuer, client, issuer.services.random.identifier(), grant, None, using).await?;
        let used = || OAuthError::invalid_grant("the device code was already used, or the person has signed out");
        let authorization = begun.ok_or_else(used)?;
        Ok(Authorization { audience, ..authorization })
    }
}
