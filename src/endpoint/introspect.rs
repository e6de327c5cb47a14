//! `POST /introspect`: RFC 7662.

use axum::Json;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::grant::permission::current_scope;
use crate::issuer::Issuer;
use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::protocol::parameters::Parameters;
use crate::registry::client::Client;
use crate::token::{access_token, refresh_token};
use crate::web::client_request::{ClientForm, ClientRequest};

/// §2.1. The hint is ignored: a token shows its type.
pub struct IntrospectionRequest {
    token: String,
}

impl ClientForm for IntrospectionRequest {
    fn from_parameters(parameters: &Parameters) -> Result<Self> {
        parameters.refuse_duplicates()?;
        Ok(Self { token: parameters.required("token")?.to_owned() })
    }
}

/// §2.2: all about an active token of the tenant; of any other one only that it is not active.
pub async fn post(
    ClientRequest { issuer, client, form }: ClientRequest<IntrospectionRequest>,
) -> Result<impl IntoResponse + use<>> {
    // §2.1: without authentication strangers could try tokens.
    if client.is_public() {
        return Err(OAuthError::invalid_client("a public client cannot introspect tokens"));
    }
    let answer = match access(&issuer, &form.token).await? {
        Some(answer) => answer,
        None => refresh(&issuer, &client, &form.token).await?.unwrap_or_else(|| json!({ "active": false })),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

async fn access(issuer: &Issuer, token: &str) -> Result<Option<Value>> {
    let active = match access_token::verify(issuer, token).await {
        Ok(active) => active,
        Err(error) if error.code == ErrorCode::InvalidToken => return Ok(None),
        Err(error) => return Err(error),
    };
    let Value::Object(mut answer) = serde_json::to_value(&active.claims)? else { return Ok(None) };
    answer.insert("active".into(), true.into());
    answer.insert("token_type".into(), "Bearer".into());
    if let Some(grant) = active.grant {
        answer.insert("username".into(), grant.person.identity.username.into());
    }
    Ok(Some(answer.into()))
}

/// Only the client that holds a refresh token learns about it.
async fn refresh(issuer: &Issuer, client: &Client, token: &str) -> Result<Option<Value>> {
    let active = refresh_token::active(issuer, token).await?;
    Ok(active.filter(|(grant, _)| *grant.client_id == *client.ident).map(|(grant, expires_at)| {
        json!({
            "active": true,
            "iss": grant.issuer,
            "sub": grant.person.identity.subject,
            "client_id": grant.client_id,
            "username": grant.person.identity.username,
            "scope": current_scope(client, &grant, &grant.person.identity),
            "exp": expires_at,
        })
    }))
}
