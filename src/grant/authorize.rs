//! How an authorization request is decided: OIDC Core §3.1.2.2 to §3.1.2.4. Knows the request and who is signed in, and
//! neither browsers nor the store.

use super::permission::{check_grant, check_targets, permitted_scope};
use crate::clock::Timestamp;
use crate::protocol::authorization::{AuthorizationRequest, ClaimsRequest, Prompt};
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::pkce::ChallengeMethod;
use crate::protocol::scope::Scope;
use crate::protocol::token::GrantType;
use crate::registry::client::Client;
use crate::registry::tenant::Tenant;
use crate::session::authentication::{LEVELS, PASSWORD};
use crate::session::interaction::Proofs;
use crate::session::{Session, SignedIn};
use crate::token::claims;

/// What a client may have of what it asked for. Holding this means that the request was checked.
pub struct Permitted {
    /// The scope.
    pub(super) scope: Scope,
    /// The `acr` of the sign-in.
    pub(super) acr: String,
    /// The claims requested by name.
    pub(super) claims: ClaimsRequest,
    /// The resources (RFC 8707).
    pub(super) audience: Vec<String>,
}

impl Permitted {
    /// Checks a client's request before anybody signs in: grant, PKCE, `acr`, resources and scope.
    ///
    /// Errors: for the client (RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6).
    pub fn of(client: &Client, request: &AuthorizationRequest) -> Result<Self> {
        check_grant(client, GrantType::AuthorizationCode)?;
        check_pkce(client, request)?;
        let acr = acr(request)?;
        check_targets(client, &request.resource)?;
        Ok(Self {
            scope: permitted_scope(client, &request.scope)?,
            acr,
            // §5.5: a claim that belongs to a scope is only for clients that may ask for the scope.
            claims: claims::narrowed(&request.claims, |scope| client.lists_scope(scope)),
            audience: request.resource.clone(),
        })
    }

    /// What a person is asked to agree to: the scope, and the scopes of the claims requested by name.
    pub fn asked_scope(&self) -> Scope {
        let mut scope = self.scope.clone();
        claims::scopes_of(&self.claims).for_each(|token| scope.add(token));
        scope
    }
}

/// RFC 9700 §2.1.1: public clients must use PKCE, and operators may require it of others.
fn check_pkce(client: &Client, request: &AuthorizationRequest) -> Result<()> {
    match &request.code_challenge {
        None if client.needs_pkce() => {
            Err(OAuthError::invalid_request("code_challenge is missing: this client must use PKCE with S256"))
        }
        Some(challenge) if challenge.method == ChallengeMethod::Plain && !client.allow_plain_pkce => {
            Err(OAuthError::invalid_request("code_challenge_method must be S256"))
        }
        _ => Ok(()),
    }
}

/// OIDC Core §2: the first requested `acr` that can be met.
///
/// Errors: `unmet_authentication_requirements` when the client accepts none that can be (§5.5.1.1).
fn acr(request: &AuthorizationRequest) -> Result<String> {
    let (wanted, essential) = request.claims.wanted_acr();
    let is_supported = |wish: &&str| LEVELS.contains(wish);
    match wanted.into_iter().find(is_supported) {
        Some(acr) => Ok(acr.to_owned()),
        None if essential => Err(OAuthError::new(
            ErrorCode::UnmetAuthenticationRequirements,
            "nobody can sign in here by any of the demanded acr values",
        )),
        None => Ok(request.acr_values.iter().map(String::as_str).find(is_supported).unwrap_or(PASSWORD).to_owned()),
    }
}

/// What a decision depends on.
pub struct Known {
    /// Who is signed in in this browser.
    pub signed_in: Option<SignedIn>,
    /// Whom the client wants, by `id_token_hint` or by the claim `sub` (§5.5.1).
    pub wanted_subject: Option<String>,
    /// What the person has proved on our pages for this very request.
    pub proofs: Proofs,
    /// Whether a silent answer would go to a program that nobody can identify, and the operator wants a page before it (RFC
    /// 8252 §8.6).
    pub is_confirmed: bool,
    /// Whether the person agreed to all of it earlier. Looked up only where it can matter, and `false` otherwise.
    pub has_agreed: bool,
}

/// What comes next.
pub enum Next {
    /// The person enters credentials.
    Login,
    /// The person is asked for consent.
    Consent,
    /// The client gets a code, in this session.
    Code(Box<SignedIn>),
}

/// Decides what comes next for a checked request.
///
/// Errors: for the client (§3.1.2.6), if a page is needed but may not be shown or would not help.
pub fn decide(
    tenant: &Tenant,
    client: &Client,
    request: &AuthorizationRequest,
    known: Known,
    now: Timestamp,
) -> Result<Next> {
    let Known { signed_in, wanted_subject, proofs, is_confirmed, has_agreed } = known;
    // §3.1.2.3: somebody must be signed in, recently enough for the client and the tenant.
    let is_enough =
        |session: &Session| proofs.has_signed_in(session) || !needs_credentials(tenant, request, session, now);
    let Some(signed_in) = signed_in.filter(|signed_in| is_enough(&signed_in.session)) else { return login(request) };
    // §3.1.2.1: it must be the person whom the client means.
    if wanted_subject.is_some_and(|wanted| wanted != signed_in.session.identity.subject) {
        if !proofs.has_signed_in(&signed_in.session) {
            return login(request);
        }
        return Err(OAuthError::login_required("another person than the one that the client asked for signed in"));
    }
    // §3.1.2.4: the person must have agreed, earlier or to this very request.
    let is_demanded = request.prompts(Prompt::Consent);
    let is_silent = is_confirmed && !proofs.has_signed_in(&signed_in.session);
    let needs_consent = is_demanded || is_silent || (client.consent_required && !has_agreed);
    if needs_consent && !proofs.has_consented(&signed_in.session) {
        return consent(request);
    }
    Ok(Next::Code(Box::new(signed_in)))
}

/// §3.1.2.1: `prompt` and `max_age`; and tenants that ask for the password at every application.
fn needs_credentials(tenant: &Tenant, request: &AuthorizationRequest, session: &Session, now: Timestamp) -> bool {
    let asked = request.prompts(Prompt::Login) || request.prompts(Prompt::SelectAccount);
    // Both times are whole seconds: an age of exactly `max_age` may be a fraction more.
    let too_old = request.max_age.is_some_and(|max_age| session.age(now).as_secs() >= max_age);
    asked || too_old || !(tenant.silent_login || request.prompts(Prompt::None))
}

/// The person has to sign in.
///
/// Errors: `login_required` (§3.1.2.6), if no page may be shown.
pub fn login(request: &AuthorizationRequest) -> Result<Next> {
    if request.prompts(Prompt::None) {
        return Err(OAuthError::login_required("nobody is signed in and prompt is none"));
    }
    Ok(Next::Login)
}

fn consent(request: &AuthorizationRequest) -> Result<Next> {
    if request.prompts(Prompt::None) {
        return Err(OAuthError::new(ErrorCode::ConsentRequired, "the person has not consented and prompt is none"));
    }
    Ok(Next::Consent)
}
