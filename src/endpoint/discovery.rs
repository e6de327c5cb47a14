//! `GET /.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`: OIDC Discovery, RFC 8414.

use std::collections::BTreeSet;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::document;
use crate::issuer::Issuer;
use crate::page::locale::Locale;
use crate::protocol::client_keys;
use crate::protocol::error::Result;
use crate::protocol::jwk::Algorithm;
use crate::protocol::metadata::ServerMetadata;
use crate::protocol::token::GrantType;
use crate::session::authentication::LEVELS;
use crate::token::claims;
use crate::web::cors;
use crate::web::trace::span_of;

/// The tenant's document, aggregated from its clients. It has nothing of another tenant.
pub async fn get(State(app): State<App>, issuer: Result<Issuer, Response>, request: Request) -> Response {
    let response = match issuer {
        Ok(issuer) => match document(&app, &issuer, request.headers()).await {
            Ok(response) => response,
            Err(error) => span_of(&request, &issuer).in_scope(|| error.into_response()),
        },
        Err(nobody) => nobody,
    };
    cors::to_anyone(response)
}

async fn document(app: &App, issuer: &Issuer, headers: &HeaderMap) -> Result<Response> {
    let algorithms = issuer.signer().await?.supported_algorithms();
    let compose = || Ok(serde_json::to_vec(&metadata(issuer, &algorithms))?);
    let (body, etag) = app.metadata.of(issuer, &algorithms, compose)?;
    Ok(document::respond(headers, body, &etag, issuer.services.documents_max_age))
}

fn metadata(issuer: &Issuer, algorithms: &[Algorithm]) -> ServerMetadata {
    let with_proof = vec!["client_secret_basic", "client_secret_post", "private_key_jwt"];
    let with_any: Vec<_> = with_proof.iter().copied().chain(["none"]).collect();
    let assertions: Vec<_> = client_keys::ALGORITHMS.iter().map(|algorithm| algorithm.as_str()).collect();
    ServerMetadata {
        issuer: issuer.url.to_string(),
        authorization_endpoint: issuer.endpoint("/authorize"),
        token_endpoint: issuer.endpoint("/token"),
        userinfo_endpoint: issuer.endpoint("/userinfo"),
        jwks_uri: issuer.endpoint("/.well-known/jwks.json"),
        revocation_endpoint: issuer.endpoint("/revoke"),
        introspection_endpoint: issuer.endpoint("/introspect"),
        end_session_endpoint: issuer.endpoint("/logout"),
        device_authorization_endpoint: issuer.endpoint("/oauth/device_authorization"),
        scopes_supported: scopes(issuer),
        response_types_supported: vec!["code"],
        response_modes_supported: vec!["query", "form_post"],
        grant_types_supported: grant_types(issuer),
        acr_values_supported: LEVELS.to_vec(),
        subject_types_supported: vec!["public"],
        id_token_signing_alg_values_supported: algorithms
            .iter()
            .filter(|algorithm| algorithm.is_asymmetric())
            .map(|algorithm| algorithm.as_str())
            .collect(),
        token_endpoint_auth_methods_supported: with_any.clone(),
        token_endpoint_auth_signing_alg_values_supported: assertions.clone(),
        revocation_endpoint_auth_methods_supported: with_any,
        revocation_endpoint_auth_signing_alg_values_supported: assertions.clone(),
        introspection_endpoint_auth_methods_supported: with_proof,
        introspection_endpoint_auth_signing_alg_values_supported: assertions,
        code_challenge_methods_supported: vec!["S256"],
        claims_supported: claims::supported(),
        claims_parameter_supported: true,
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
        request_parameter_supported: false,
        request_uri_parameter_supported: false,
        authorization_response_iss_parameter_supported: true,
        ui_locales_supported: Locale::ALL.iter().map(|locale| locale.tag()).collect(),
        op_policy_uri: issuer.tenant.informations.privacy_url.clone(),
        service_documentation: issuer.tenant.informations.imprint_url.clone(),
    }
}

/// Patterns are left out: they name no scope.
fn scopes(issuer: &Issuer) -> Vec<String> {
    let clients = issuer.snapshot.clients_of(&issuer.tenant.name);
    let literal = clients.iter().flat_map(|client| client.scopes.iter()).filter_map(|pattern| pattern.literal());
    let all: BTreeSet<&str> = literal.chain(["openid"]).collect();
    all.into_iter().map(str::to_owned).collect()
}

fn grant_types(issuer: &Issuer) -> Vec<&'static str> {
    let clients = issuer.snapshot.clients_of(&issuer.tenant.name);
    let all: BTreeSet<GrantType> = clients.iter().flat_map(|client| client.grant_types.iter().copied()).collect();
    all.into_iter().map(GrantType::as_str).collect()
}
