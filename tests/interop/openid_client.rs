//! The `openidconnect` crate goes the whole way: discovery, sign-in, code, ID token, userinfo, refresh.

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl,
    RequestTokenError, Scope, TokenResponse,
};
use reqwest::StatusCode;
use url::Url;

use crate::configuration::{PASSWORD, SECRET, SUBJECT, USERNAME, native_application, service, tenant};
use crate::person::{Browser, Page};
use crate::server::{Server, http_client};

/// Nobody listens here: the browser stops when it is sent to another origin. A port that is never given to a server.
const REDIRECT: &str = "http://127.0.0.1:9/callback";

/// A client of the crate after discovery: token and userinfo endpoint are known if the server named them.
type Application =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// What a finished sign-in leaves behind.
struct SignedIn {
    application: Application,
    tokens: CoreTokenResponse,
    nonce: Nonce,
}

#[tokio::test]
async fn the_openidconnect_crate_signs_a_person_in_reads_userinfo_and_refreshes() {
    let server = Server::start(&[tenant(), native_application()]).await;
    let SignedIn { application, tokens, nonce } = sign_in(&server).await;

    let verifier = application.id_token_verifier();
    let id_token = tokens.id_token().expect("openid was granted");
    let claims = id_token.claims(&verifier, &nonce).expect("a valid ID token");
    assert_eq!(claims.subject().as_str(), SUBJECT);
    assert_eq!(claims.issuer().as_str(), server.issuer());
    id_token.claims(&verifier, &Nonce::new("another".into())).expect_err("the nonce is compared");

    let (algorithm, key) = (id_token.signing_alg().expect("an alg"), id_token.signing_key(&verifier).expect("a key"));
    let hash = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).expect("a hash");
    assert_eq!(claims.access_token_hash(), Some(&hash));

    let request = application.user_info(tokens.access_token().clone(), Some(claims.subject().clone()));
    let info: CoreUserInfoClaims = request.expect("a userinfo endpoint").request_async(&send).await.expect("userinfo");
    let name = info.name().and_then(|name| name.get(None)).map(|name| name.as_str());
    assert_eq!(name, Some("Ada Lovelace"));
    assert_eq!(info.email().map(|email| email.as_str()), Some("ada@example.com"));
    assert_eq!(info.email_verified(), Some(true));

    let refresh_token = tokens.refresh_token().expect("a refresh token");
    let request = application.exchange_refresh_token(refresh_token).expect("a token endpoint");
    let renewed = request.request_async(&send).await.expect("renewed tokens");
    assert_ne!(renewed.access_token().secret(), tokens.access_token().secret());
    let id_token = renewed.id_token().expect("a new ID token");
    let without_nonce = |nonce: Option<&Nonce>| match nonce {
        None => Ok(()),
        Some(_) => Err("OIDC Core §12.2: a refreshed ID token should not have a nonce".to_owned()),
    };
    let again = id_token.claims(&verifier, without_nonce).expect("a valid ID token");
    assert_eq!((again.subject(), again.auth_time()), (claims.subject(), claims.auth_time()));
}

#[tokio::test]
async fn the_openidconnect_crate_gets_a_token_for_a_service_by_basic_authentication() {
    let server = Server::start(&[tenant(), service("service")]).await;
    let ask = async |secret: &str| {
        let application = application(&server, "service").await.set_client_secret(ClientSecret::new(secret.to_owned()));
        let request = application.exchange_client_credentials().expect("a token endpoint");
        request.add_scope(Scope::new("orders:read".to_owned())).request_async(&send).await
    };

    let tokens = ask(SECRET).await.expect("a token");
    assert_eq!(
        tokens.scopes().map(|scopes| scopes.iter().map(|scope| scope.as_str()).collect()),
        Some(vec!["orders:read"])
    );
    assert!(tokens.refresh_token().is_none(), "RFC 6749 §4.4.3");
    assert!(tokens.id_token().is_none());

    match ask("a wrong secret").await {
        Err(RequestTokenError::ServerResponse(error)) => assert_eq!(error.error().as_ref(), "invalid_client"),
        other => panic!("expected invalid_client, got {other:?}"),
    }
}

/// An access token of the person, for the client `native`.
pub(crate) async fn access_token_of_a_person(server: &Server) -> String {
    sign_in(server).await.tokens.access_token().secret().clone()
}

/// Discovery with the crate: it compares the issuer and fetches the JWKS.
async fn application(server: &Server, client: &str) -> Application {
    let issuer = IssuerUrl::new(server.issuer()).expect("an issuer");
    let metadata = CoreProviderMetadata::discover_async(issuer, &send).await.expect("metadata that the crate accepts");
    CoreClient::from_provider_metadata(metadata, ClientId::new(client.to_owned()), None)
}

/// Authorization code flow with PKCE, nonce and state; the person types a wrong password first.
async fn sign_in(server: &Server) -> SignedIn {
    let redirect = RedirectUrl::new(REDIRECT.to_owned()).expect("a redirect URI");
    let application = application(server, "native").await.set_redirect_uri(redirect);
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
    assert_eq!(parameter(&answer, "iss"), Some(server.issuer()), "{answer}");
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
async fn send(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let answer = http_client().execute(request.try_into()?).await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = HttpResponse::new(answer.bytes().await?.into());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
