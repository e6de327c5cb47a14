//! The `openidconnect` crate goes the whole way: discovery, sign-in, code, ID token, userinfo, refresh.

use openidconnect::core::CoreUserInfoClaims;
use openidconnect::{
    AccessTokenHash, ClientSecret, Nonce, OAuth2TokenResponse, RequestTokenError, Scope, TokenResponse,
};

use crate::application::{SignedIn, application, send, sign_in};
use crate::configuration::{SECRET, SUBJECT, native_application, service, tenant};
use crate::server::Server;

#[tokio::test]
async fn the_openidconnect_crate_signs_a_person_in_reads_userinfo_and_refreshes() {
    let server = Server::start(&[tenant(), native_application()]).await;
    let SignedIn { application, tokens, nonce } = sign_in(&server.issuer()).await;

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
        let application =
            application(&server.issuer(), "service").await.set_client_secret(ClientSecret::new(secret.to_owned()));
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
