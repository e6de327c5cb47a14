//! Claims about a person: OIDC Core §5.1, §5.4 and §5.5.

use serde_json::{Map, Value};

use crate::protocol::authorization::ClaimsRequest;
use crate::protocol::scope::Scope;
use crate::session::Identity;

/// The type of a standard claim (§5.1).
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Flag,
    Number,
    Object,
}

/// The standard claims, the scope that asks for them, and their type (§5.1, §5.4).
const STANDARD: [(&str, &str, Kind); 19] = [
    ("name", "profile", Kind::Text),
    ("given_name", "profile", Kind::Text),
    ("family_name", "profile", Kind::Text),
    ("middle_name", "profile", Kind::Text),
    ("nickname", "profile", Kind::Text),
    ("preferred_username", "profile", Kind::Text),
    ("profile", "profile", Kind::Text),
    ("picture", "profile", Kind::Text),
    ("website", "profile", Kind::Text),
    ("gender", "profile", Kind::Text),
    ("birthdate", "profile", Kind::Text),
    ("zoneinfo", "profile", Kind::Text),
    ("locale", "profile", Kind::Text),
    ("updated_at", "profile", Kind::Number),
    ("email", "email", Kind::Text),
    ("email_verified", "email", Kind::Flag),
    ("phone_number", "phone", Kind::Text),
    ("phone_number_verified", "phone", Kind::Flag),
    ("address", "address", Kind::Object),
];

/// Claims that the server sets in every ID token or userinfo response; a profile cannot override them.
const RESERVED: [&str; 19] = [
    "iss",
    "sub",
    "aud",
    "azp",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "auth_time",
    "at_hash",
    "c_hash",
    "sid",
    "acr",
    "amr",
    "client_id",
    "events",
    "cnf",
    "grant_id",
];

/// The names of the claims that can be requested, for discovery.
pub fn supported() -> Vec<&'static str> {
    let own = ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid"];
    own.into_iter().chain(STANDARD.iter().map(|(name, ..)| *name)).collect()
}

/// The standard claims that `scope` asks for, without those of the wrong type (§5.1).
pub fn by_scope(scope: &Scope, identity: &Identity) -> Map<String, Value> {
    let asked = STANDARD.iter().filter(|(_, by, _)| scope.contains(by));
    asked.filter_map(|(name, _, kind)| Some(((*name).to_owned(), value(identity, name, *kind)?))).collect()
}

/// The claims that a client requested by name (§5.5), if the profile has them.
pub fn requested(claims: &Map<String, Value>, identity: &Identity) -> Map<String, Value> {
    let names = claims.keys().filter(|name| !RESERVED.contains(&name.as_str()));
    names
        .filter_map(|name| {
            let kind = STANDARD.iter().find(|(standard, ..)| standard == name).map(|(.., kind)| *kind);
            let value = match kind {
                Some(kind) => value(identity, name, kind),
                None => identity.profile.get(name).filter(|value| says_something(value)).cloned(),
            };
            Some((name.clone(), value?))
        })
        .collect()
}

/// The scopes of the claims that are requested by name.
pub fn scopes_of(asked: &ClaimsRequest) -> impl Iterator<Item = &'static str> {
    asked.userinfo.keys().chain(asked.id_token.keys()).filter_map(|name| scope_of(name))
}

/// The request without the claims whose scope is not `permitted`.
pub fn narrowed(asked: &ClaimsRequest, permitted: impl Fn(&str) -> bool) -> ClaimsRequest {
    let mut narrowed = asked.clone();
    for claims in [&mut narrowed.userinfo, &mut narrowed.id_token] {
        claims.retain(|name, _| scope_of(name).is_none_or(&permitted));
    }
    narrowed
}

fn scope_of(name: &str) -> Option<&'static str> {
    STANDARD.iter().find(|(standard, ..)| *standard == name).map(|(_, scope, _)| *scope)
}

/// The members of the profile that are not standard claims, which clients of `/token/info` expect at top level.
pub fn own(identity: &Identity) -> Map<String, Value> {
    let own = |(name, value): &(&String, &Value)| {
        !RESERVED.contains(&name.as_str())
            && !STANDARD.iter().any(|(standard, ..)| standard == name)
            && says_something(value)
    };
    identity.profile.iter().filter(own).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn value(identity: &Identity, name: &str, kind: Kind) -> Option<Value> {
    let value = identity.profile.get(name).filter(|value| says_something(value))?;
    if let (Kind::Object, Value::Object(members)) = (kind, value) {
        return address(name, members);
    }
    let fits = match kind {
        Kind::Text => value.is_string(),
        Kind::Flag => value.is_boolean(),
        Kind::Number => value.is_number(),
        Kind::Object => false,
    };
    if !fits {
        left_out(name);
    }
    fits.then(|| value.clone())
}

/// §5.1.1: an object of strings.
fn address(name: &str, members: &Map<String, Value>) -> Option<Value> {
    let said: Map<String, Value> = members
        .iter()
        .filter(|(_, value)| says_something(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let fits = said.values().all(Value::is_string);
    if !fits {
        left_out(name);
    }
    (fits && !said.is_empty()).then(|| said.into())
}

fn left_out(name: &str) {
    tracing::warn!(claim = name, "a claim of the login provider has the wrong type and is left out");
}

/// §5.3.2: claims without a value are omitted, never sent as null or as an empty string.
fn says_something(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("")
}
