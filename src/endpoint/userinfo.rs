//! `GET POST /userinfo` and `/token/info`: OIDC Core §5.3.

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::protocol::error::{ErrorCode, OAuthError, Result};
use crate::token::claims;
use crate::web::bearer::{Bearer, challenge};

/// `/userinfo`: for OpenID Connect tokens (§5.3), which have the scope `openid`.
pub async fn get(bearer: Bearer) -> Response {
    let is_openid = bearer.token.claims.scope.contains("openid");
    drawn(about(&bearer).and_then(|answer| {
        if is_openid {
            return Ok(answer);
        }
        Err(OAuthError::new(ErrorCode::InsufficientScope, "the access token has no scope openid"))
    }))
}

/// `/token/info`: the same for every token of a person, for clients without OpenID Connect.
pub async fn info(bearer: Bearer) -> Response {
    drawn(about(&bearer))
}

fn drawn(answer: Result<Map<String, Value>>) -> Response {
    match answer {
        Ok(answer) => ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response(),
        Err(error) => challenge(error),
    }
}

/// The claims about the person of the token, as far as the scope allows.
fn about(Bearer { issuer, token }: &Bearer) -> Result<Map<String, Value>> {
    let (claims, Some(grant)) = (&token.claims, &token.grant) else {
        return Err(OAuthError::invalid_token("the access token belongs to a client, not to a person"));
    };
    // RFC 9068 §4: a token for a resource server is for that one only, and not for us.
    let us = [issuer.url.to_string(), issuer.endpoint("/userinfo")];
    let ours = |audience: &String| *audience == claims.client_id || us.contains(audience);
    if !claims.aud.as_slice().iter().any(ours) {
        return Err(OAuthError::invalid_token("the access token was made for another resource"));
    }
    let identity = &grant.person.identity;
    let mut answer = Map::new();
    answer.insert("sub".into(), identity.subject.clone().into());
    answer.extend(claims::own(identity));
    answer.extend(claims::by_scope(&claims.scope, identity));
    if claims.scope.contains("openid") {
        answer.extend(claims::requested(&grant.claims.userinfo, identity));
    }
    Ok(answer)
}
