//! Applications on the `openidconnect` crate: a sign-in, and one that stays signed in for days.

use std::time::{Duration, SystemTime};

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreProviderMetadata, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AuthorizationCode, ClientId, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, RefreshToken, Scope,
    SubjectIdentifier, TokenResponse,
};
use reqwest::{Client, StatusCode};
use url::Url;

use crate::calendar::Calendar;
use crate::configuration::{PASSWORD, SUBJECT, USERNAME};
use crate::person::{Browser, Page};
use crate::server::{http_client, http_client_through_time};

/// Nobody listens here: the browser stops when it is sent to another origin. A port that is never given to a server.
const REDIRECT: &str = "http://127.0.0.1:9/callback";

/// A client of the crate after discovery: token and userinfo endpoint are known if the server named them.
pub(crate) type Application =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// The result of a finished sign-in.
pub(crate) struct SignedIn {
    pub(crate) application: Application,
    pub(crate) tokens: CoreTokenResponse,
    pub(crate) nonce: Nonce,
}

/// How long it uses cached discovery and keys: as long as the server allows. The crate keeps both until its user
/// fetches them again, and fetches nothing by itself, not even for an unknown key.
const REMEMBERS: Duration = Duration::from_secs(60 * 60);

/// How many processes the party has. They start one after the other, so that there is always one whose keys are nearly
/// as old as they may be.
pub(crate) const PROCESSES: u32 = 6;

/// A program that stays signed in by its refresh token, in the time of a calendar.
pub(crate) struct RelyingParty {
    issuer: String,
    calendar: Calendar,
    http: Client,
    processes: Vec<Process>,
    refresh_token: RefreshToken,
}

struct Process {
    application: Application,
    discovered: SystemTime,
}

/// The tokens after a sign-in or a refresh.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) id: String,
}

impl RelyingParty {
    /// Signs the person in.
    pub(crate) async fn sign_in(issuer: &str, calendar: &Calendar) -> (Self, Tokens) {
        let SignedIn { application, tokens, .. } = sign_in(issuer).await;
        let started = |number| Process {
            application: application.clone(),
            discovered: calendar.now() - REMEMBERS / PROCESSES * number,
        };
        let party = Self {
            issuer: issuer.to_owned(),
            calendar: calendar.clone(),
            http: http_client_through_time(),
            processes: (0..PROCESSES).map(started).collect(),
            refresh_token: tokens.refresh_token().expect("a refresh token").clone(),
        };
        (party, Tokens::of(&tokens))
    }

    /// Uses the refresh token, and keeps its successor.
    pub(crate) async fn renew(&mut self) -> Tokens {
        let application = &self.processes[0].application;
        let request = application.exchange_refresh_token(&self.refresh_token).expect("a token endpoint");
        let tokens = request.request_async(&|request| send_by(&self.http, request)).await.expect("renewed tokens");
        self.refresh_token = tokens.refresh_token().expect("the next refresh token").clone();
        Tokens::of(&tokens)
    }

    /// Every process verifies an ID token of the party with its cached keys; returns the crate's error.
    pub(crate) async fn verify(&mut self, id_token: &str) -> Result<(), String> {
        let now = self.calendar.now();
        let id_token: CoreIdToken = id_token.parse().map_err(|error| format!("{error}"))?;
        for process in &mut self.processes {
            if now.duration_since(process.discovered).is_ok_and(|age| age >= REMEMBERS) {
                *process = Process { application: application(&self.issuer, "native").await, discovered: now };
            }
            let verifier = process.application.id_token_verifier().set_time_fn(move || now.into());
            // The nonce was compared when the token arrived.
            let claims = id_token.claims(&verifier, |_: Option<&Nonce>| Ok(())).map_err(|error| format!("{error}"))?;
            assert_eq!(claims.subject().as_str(), SUBJECT);
        }
        Ok(())
    }

    /// Asks for the userinfo of an access token; returns the crate's error.
    pub(crate) async fn user_info(&self, access_token: &str) -> Result<(), String> {
        let subject = SubjectIdentifier::new(SUBJECT.to_owned());
        let application = &self.processes[0].application;
        let request = application.user_info(AccessToken::new(access_token.to_owned()), Some(subject));
        let answer = request.expect("a userinfo endpoint").request_async(&|request| send_by(&self.http, request)).await;
        answer.map(|_: CoreUserInfoClaims| ()).map_err(|error| format!("{error:?}"))
    }
}

impl Tokens {
    fn of(answer: &CoreTokenResponse) -> Self {
        let id = answer.id_token().expect("openid was granted").to_string();
        Self { access: answer.access_token().secret().clone(), id }
    }
}

/// An access token of the person, for the client `native`.
pub(crate) async fn access_token_of_a_person(issuer: &str) -> String {
    sign_in(issuer).await.tokens.access_token().secret().clone()
}

/// Discovery with the crate: it compares the issuer and fetches the JWKS.
pub(crate) async fn application(issuer: &str, client: &str) -> Application {
    let issuer = IssuerUrl::new(issuer.to_owned()).expect("an issuer");
    let metadata = CoreProviderMetadata::discover_async(issuer, &send).await.expect("metadata that the crate accepts");
    CoreClient::from_provider_metadata(metadata, ClientId::new(client.to_owned()), None)
}

/// Authorization code flow with PKCE, nonce and state; the person types a wrong password first.
pub(crate) async fn sign_in(issuer: &str) -> SignedIn {
    let redirect = RedirectUrl::new(REDIRECT.to_owned()).expect("a redirect URI");
    let application = application(issuer, "native").await.set_redirect_uri(redirect);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = application
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("profile".to_owned()))
        .add_scope(Scope::new("email".to_owned()))
        .set_pkce_challenge(challenge)
        .url();

    let mut browser = Browser::new();
    let login = browser.open(url).await.page();
    expect_login_page(&login, StatusCode::OK);
    let refused = browser.submit(&login, &[("username", USERNAME), ("password", "guessed")]).await.page();
    assert!(refused.body.contains("data-error"), "no message after a wrong password\n{}", refused.body);
    assert!(!refused.body.contains("guessed"), "the password is sent back\n{}", refused.body);
    let answer = browser.submit(&refused, &[("username", USERNAME), ("password", PASSWORD)]).await.left();

    assert!(answer.as_str().starts_with(&format!("{REDIRECT}?")), "{answer}");
    assert_eq!(parameter(&answer, "state").as_deref(), Some(state.secret().as_str()), "{answer}");
    assert_eq!(parameter(&answer, "iss"), Some(issuer.to_owned()), "{answer}");
    let code = AuthorizationCode::new(parameter(&answer, "code").expect("a code"));
    let request = application.exchange_code(code).expect("a token endpoint").set_pkce_verifier(verifier);
    let tokens = request.request_async(&send).await.expect("tokens for the code");
    SignedIn { application, tokens, nonce }
}

#[track_caller]
fn expect_login_page(page: &Page, status: StatusCode) {
    assert_eq!(page.status, status, "{}\n{}", page.url, page.body);
    assert_eq!(page.url.path(), "/login", "{}", page.body);
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The crate's way to HTTP. It must not follow redirects (the crate's own warning).
pub(crate) async fn send(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    send_by(&http_client(), request).await
}

async fn send_by(http: &Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let answer = http.execute(request.try_into()?).await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = HttpResponse::new(answer.bytes().await?.into());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
