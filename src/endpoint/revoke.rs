//! `POST /revoke`: RFC 7009.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::protocol::parameters::Parameters;
use crate::token::{access_token, refresh_token};
use crate::web::client_request::{ClientForm, ClientRequest};

/// §2.1. The hint is ignored: a token shows its type.
pub struct RevocationRequest {
    token: String,
}

impl ClientForm for RevocationRequest {
    fn from_parameters(parameters: &Parameters) -> Result<Self> {
        parameters.refuse_duplicates()?;
        Ok(Self { token: parameters.required("token")?.to_owned() })
    }
}

/// Refuses clients that fail to authenticate; that counts as a refusal, too.
pub async fn post(
    issuer: Issuer,
    request: std::result::Result<ClientRequest<RevocationRequest>, Response>,
) -> std::result::Result<StatusCode, Response> {
    let answer = match request {
        Ok(request) => revoke(request).await.map_err(IntoResponse::into_response),
        Err(refusal) => Err(refusal),
    };
    issuer.count(|counters| if answer.is_ok() { &counters.revoke_success } else { &counters.revoke_failure });
    answer
}

/// §2.2: 200 also for invalid tokens. §2.1: refused for another client's.
async fn revoke(ClientRequest { issuer, client, form }: ClientRequest<RevocationRequest>) -> Result<StatusCode> {
    if !refresh_token::revoke(&issuer, &client.ident, &form.token).await? {
        access_token::revoke(&issuer, &client.ident, &form.token).await?;
    }
    Ok(StatusCode::OK)
}
