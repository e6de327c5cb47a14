//! Reads what a provider says about a person, after it was constructed and has committed.

use rquickjs::{Array, Function, Object, Value};
use serde_json::Map;

use super::run::Run;
use crate::login::DEFAULT_ROLE;
use crate::login::script::answer::{Answer, Update};
use crate::login::script::question::Question;
use crate::protocol::depth::{MAX_DEPTH, is_deeper_than};
use crate::protocol::subject::is_subject;
use crate::session::Identity;

/// Longest role or scope, in characters.
const MAX_NAME: usize = 255;
/// Most scopes that a script may add.
const MAX_SCOPES: usize = 100;
/// Most bytes of a profile as JSON: it travels in every token.
const MAX_PROFILE: usize = 64 * 1024;

/// Why an answer could not be read.
pub(super) enum Unread {
    Engine(rquickjs::Error),
    Unusable(String),
}

impl From<rquickjs::Error> for Unread {
    fn from(error: rquickjs::Error) -> Self {
        Self::Engine(error)
    }
}

/// Reads the getters that the question needs. Nothing but `true` is a yes: a promise or a text would be one by mistake. A
/// no that ends sessions must be said as well.
pub(super) fn read(driver: &Object<'_>, question: &Question, run: &Run) -> Result<Answer, Unread> {
    let provider: Object<'_> = driver.get("provider")?;
    let yes = |name: &str| provider.get::<_, Value<'_>>(name).map(|value| value.as_bool() == Some(true));
    match question {
        Question::Validation { .. } => match provider.get::<_, Value<'_>>("isValid")?.as_bool() {
            Some(true) => Ok(Answer::Validation(Some(update(driver, &provider)?))),
            Some(false) => Ok(Answer::Validation(None)),
            None => Err(Unread::Unusable("isValid is neither true nor false".to_owned())),
        },
        Question::Login { .. } if !yes("canLogin")? => Ok(Answer::Login(None)),
        Question::Login { username, .. } => Ok(Answer::Login(Some(Identity {
            subject: checked_subject(run.subject_or(username))?,
            username: username.clone(),
            role: role(&provider)?,
            scopes: scopes(&provider)?,
            profile: profile(driver, &provider)?,
            listed: None,
        }))),
    }
}

/// What is new about a person who may stay: the members that the class has.
fn update<'js>(driver: &Object<'js>, provider: &Object<'js>) -> Result<Update, Unread> {
    let has = |name: &str| provider.contains_key(name);
    Ok(Update {
        role: if has("role")? { Some(role(provider)?) } else { None },
        scopes: if has("scopes")? { Some(scopes(provider)?) } else { None },
        profile: if has("userProfile")? { Some(profile(driver, provider)?) } else { None },
    })
}

fn checked_subject(subject: String) -> Result<String, Unread> {
    // Refused and not repaired: two people's subjects could become the same.
    if !is_subject(&subject) {
        return Err(Unread::Unusable(
            "the subject (the username, where none is committed) is not 1 to 255 printable ASCII characters; \
             commit an id, like commit({ subject: user.id })"
                .to_owned(),
        ));
    }
    Ok(subject)
}

fn role(provider: &Object<'_>) -> Result<String, Unread> {
    let value: Value<'_> = provider.get("role")?;
    let Some(role) = value.as_string() else { return Ok(DEFAULT_ROLE.to_owned()) };
    let role = role.to_string()?;
    if role.chars().count() > MAX_NAME {
        return Err(Unread::Unusable(format!("the role is longer than {MAX_NAME} characters")));
    }
    Ok(role)
}

fn scopes(provider: &Object<'_>) -> Result<Vec<String>, Unread> {
    let value: Value<'_> = provider.get("scopes")?;
    let Some(array) = value.as_array() else { return Ok(Vec::new()) };
    if array.len() > MAX_SCOPES {
        return Err(Unread::Unusable(format!("there are more than {MAX_SCOPES} scopes")));
    }
    scope_texts(array)
}

fn scope_texts(array: &Array<'_>) -> Result<Vec<String>, Unread> {
    let mut scopes = Vec::new();
    for value in array.iter::<Value<'_>>() {
        let Some(scope) = value?.as_string().map(rquickjs::String::to_string).transpose()? else { continue };
        // A blank inside would make two scopes of one, and the client's rules judged only the one.
        let token = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if scope.is_empty() || scope.len() > MAX_NAME || !scope.bytes().all(token) {
            return Err(Unread::Unusable("a scope is not a scope-token of RFC 6749 §3.3".to_owned()));
        }
        scopes.push(scope);
    }
    Ok(scopes)
}

fn profile<'js>(driver: &Object<'js>, provider: &Object<'js>) -> Result<Map<String, serde_json::Value>, Unread> {
    let value: Value<'js> = provider.get("userProfile")?;
    // The engine's own function, taken before the script could replace it; it throws on a cycle.
    let stringify: Function<'js> = driver.get("stringify")?;
    let json: Value<'js> = stringify.call((value,))?;
    let Some(json) = json.as_string() else { return Ok(Map::new()) };
    let json = json.to_string()?;
    if json.len() > MAX_PROFILE {
        return Err(Unread::Unusable(format!("the profile is bigger than {MAX_PROFILE} bytes")));
    }
    match serde_json::from_str(&json) {
        Ok(profile) if is_deeper_than(&profile, MAX_DEPTH) => {
            Err(Unread::Unusable("the profile is nested too deeply".to_owned()))
        }
        Ok(serde_json::Value::Object(profile)) => Ok(profile),
        Ok(_) => Ok(Map::new()),
        Err(_) => Err(Unread::Unusable("the profile is nested too deeply".to_owned())),
    }
}
