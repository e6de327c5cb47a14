//! `GET POST /userinfo` and `/token/info`: OIDC Core §5.3.

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::protocol::error::OAuthError;
use crate::token::claims;
use crate::web::bearer::{Bearer, challenge};

/// What the server knows about the person whose token this is, as far as the scope allows.
pub async fn get(Bearer { token, .. }: Bearer) -> Response {
    let Some(grant) = &token.grant else {
        return challenge(OAuthError::invalid_token("the access token does not speak of a person"));
    };
    let identity = &grant.person.identity;
    let mut answer: Map<String, Value> = Map::new();
    answer.insert("sub".into(), identity.subject.clone().into());
    answer.extend(claims::own(identity));
    answer.extend(claims::by_scope(token.claims.scope(), identity));
    answer.extend(claims::requested(&grant.claims.userinfo, identity));
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}
