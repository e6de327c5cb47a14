//! `POST /oauth/device_authorization` and `/device_authorization`: RFC 8628 §3.1 and §3.2.

use axum::Json;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::json;

use crate::grant::device_code;
use crate::protocol::authorization::resources;
use crate::protocol::error::Result;
use crate::protocol::parameters::Parameters;
use crate::protocol::scope::Scope;
use crate::web::client_request::{ClientForm, ClientRequest};

/// The request of a device.
pub struct DeviceAuthorizationRequest {
    scope: Scope,
    resource: Vec<String>,
}

impl ClientForm for DeviceAuthorizationRequest {
    fn from_parameters(parameters: &Parameters) -> Result<Self> {
        parameters.refuse_duplicates()?;
        let scope = parameters.one("scope")?.map(Scope::parse).transpose()?.unwrap_or_default();
        Ok(Self { scope, resource: resources(parameters)? })
    }
}

/// Gives the device its two codes, and the URL that it shows.
pub async fn post(
    ClientRequest { issuer, client, form }: ClientRequest<DeviceAuthorizationRequest>,
) -> Result<impl IntoResponse + use<>> {
    let started = device_code::start(&issuer, &client, &form.scope, form.resource).await?;
    let page = client.device_grant.verification_uri.clone().unwrap_or_else(|| issuer.endpoint("/activate"));
    let separator = if page.contains('?') { '&' } else { '?' };
    let answer = json!({
        "device_code": started.device_code,
        "user_code": started.user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}{separator}user_code={}", started.user_code),
        "expires_in": started.expires_in.as_secs(),
        "interval": started.interval.as_secs(),
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}
