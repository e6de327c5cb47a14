//! `POST /revoke`: RFC 7009.

use axum::http::StatusCode;

use crate::metrics::OfTenant;
use crate::protocol::error::Result;
use crate::protocol::parameters::Parameters;
use crate::token::{access_token, refresh_token};
use crate::web::client_request::{ClientForm, ClientRequest};

/// §2.1. The hint is not needed: a token tells what it is.
pub struct RevocationRequest {
    token: String,
}

impl ClientForm for RevocationRequest {
    fn from_parameters(parameters: &Parameters) -> Result<Self> {
        parameters.refuse_duplicates()?;
        Ok(Self { token: parameters.required("token")?.to_owned() })
    }
}

/// §2.2: 200 also for what is not, or no longer, a token. §2.1: refused for another client's.
pub async fn post(ClientRequest { issuer, client, form }: ClientRequest<RevocationRequest>) -> Result<StatusCode> {
    if !refresh_token::revoke(&issuer, &client.ident, &form.token).await? {
        access_token::revoke(&issuer, &client.ident, &form.token).await?;
    }
    issuer.metrics.revoke_success.get_or_create(&OfTenant::named(&issuer.tenant.name)).inc();
    Ok(StatusCode::OK)
}
