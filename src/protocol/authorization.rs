//! The authorization request: RFC 6749 §4.1.1, OIDC Core §3.1.2.1 and §5.5.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::depth::{MAX_DEPTH, is_deeper_than};
use super::error::{ErrorCode, OAuthError, Result};
use super::parameters::Parameters;
use super::pkce::CodeChallenge;
use super::scope::Scope;

/// The longest request, in bytes: anybody can have one stored for as long as a sign-in may take.
const MAX_REQUEST: usize = 16 * 1024;

/// How the response reaches the client: OAuth 2.0 Multiple Response Types §2.1, OAuth 2.0 Form Post Response Mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    #[default]
    Query,
    /// In a form that the browser posts to the redirect URI.
    FormPost,
}

impl ResponseMode {
    /// Reads `response_mode`.
    ///
    /// Errors: `invalid_request` for an unsupported mode.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self> {
        match parameters.one("response_mode")? {
            None | Some("query") => Ok(Self::Query),
            Some("form_post") => Ok(Self::FormPost),
            Some(_) => Err(OAuthError::invalid_request("response_mode must be query or form_post")),
        }
    }
}

/// The parameters, with `state` and `response_mode` from a request object (OIDC Core §6.1) if they are only there.
///
/// Request objects are refused, and the client expects even that response as the object says. It is not verified and
/// need not be: anybody could send the same two as plain parameters.
pub fn with_answer_parameters(parameters: &Parameters) -> Cow<'_, Parameters> {
    #[derive(Deserialize)]
    struct AnswerParameters {
        state: Option<String>,
        response_mode: Option<String>,
    }
    let payload = parameters.one("request").ok().flatten().and_then(|object| object.split('.').nth(1));
    let payload = payload.and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    let Some(AnswerParameters { state, response_mode }) = payload.and_then(|json| serde_json::from_slice(&json).ok())
    else {
        return Cow::Borrowed(parameters);
    };
    let mut parameters = parameters.clone();
    for (name, value) in [("state", state), ("response_mode", response_mode)] {
        parameters.add_missing(name, value.unwrap_or_default());
    }
    Cow::Owned(parameters)
}

/// The `prompt` parameter: OIDC Core §3.1.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// No page may be shown.
    None,
    /// Credentials must be entered again.
    Login,
    /// Consent must be asked again.
    Consent,
    /// The person chooses an account.
    SelectAccount,
}

/// A well-formed request; `grant::authorize` decides whether the client may make it.
///
/// `client_id` and `redirect_uri` are read first and are not here: they decide where all other errors go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// The requested scope; empty if there was none.
    pub scope: Scope,
    /// RFC 7636 §4.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<CodeChallenge>,
    /// Returned in the ID token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Empty if the client sent none.
    pub prompt: Vec<Prompt>,
    /// The greatest age of the sign-in that the client accepts, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
    /// An ID token that names the person who should be signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token_hint: Option<String>,
    /// Fills in the user name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    /// Requested values of `acr`, the preferred one first.
    pub acr_values: Vec<String>,
    /// Preferred languages of the pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ui_locales: Option<String>,
    /// The `claims` parameter (OIDC Core §5.5).
    #[serde(default)]
    pub claims: ClaimsRequest,
    /// RFC 8707 §2.
    #[serde(default)]
    pub resource: Vec<String>,
}

/// The `claims` parameter: OIDC Core §5.5.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClaimsRequest {
    /// Claims requested from the userinfo endpoint.
    #[serde(default)]
    pub userinfo: Map<String, Value>,
    /// Claims requested in the ID token.
    #[serde(default)]
    pub id_token: Map<String, Value>,
}

impl ClaimsRequest {
    /// The required subject, `claims.id_token.sub.value`.
    pub fn wanted_subject(&self) -> Option<&str> {
        self.id_token.get("sub")?.get("value")?.as_str()
    }

    /// The acceptable values of `acr`, the preferred one first, and whether one of them is essential (§5.5.1.1).
    pub fn wanted_acr(&self) -> (Vec<&str>, bool) {
        let Some(wish) = self.id_token.get("acr") else { return (Vec::new(), false) };
        let several = wish.get("values").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let values: Vec<&str> = wish.get("value").into_iter().chain(several).filter_map(Value::as_str).collect();
        let named = wish.get("value").is_some() || wish.get("values").is_some();
        let essential = named && wish.get("essential").and_then(Value::as_bool) == Some(true);
        (values, essential)
    }
}

impl AuthorizationRequest {
    /// Reads everything but `client_id`, `redirect_uri`, `state` and `response_mode`.
    ///
    /// Errors: as RFC 6749 §4.1.2.1 and OIDC Core §3.1.2.6 name them.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self> {
        parameters.refuse_duplicates()?;
        if parameters.size() > MAX_REQUEST {
            return Err(OAuthError::invalid_request("the request is too long"));
        }
        // OIDC Core §3.1.2.6; JAR (RFC 9101) and PAR (RFC 9126) are not supported.
        if parameters.one("request")?.is_some() {
            return Err(OAuthError::new(ErrorCode::RequestNotSupported, "request objects are not supported"));
        }
        if parameters.one("request_uri")?.is_some() {
            return Err(OAuthError::new(ErrorCode::RequestUriNotSupported, "request_uri is not supported"));
        }
        match parameters.required("response_type")? {
            "code" => {}
            _ => return Err(OAuthError::new(ErrorCode::UnsupportedResponseType, "response_type must be code")),
        }
        let max_age = parameters.one("max_age")?.map(str::parse).transpose();
        Ok(Self {
            scope: parameters.one("scope")?.map(Scope::parse).transpose()?.unwrap_or_default(),
            code_challenge: CodeChallenge::from_parameters(parameters)?,
            nonce: parameters.owned("nonce")?,
            prompt: prompts(parameters)?,
            max_age: max_age.map_err(|_| OAuthError::invalid_request("max_age must be a number of seconds"))?,
            id_token_hint: parameters.owned("id_token_hint")?,
            login_hint: parameters.owned("login_hint")?,
            acr_values: words(parameters.one("acr_values")?),
            ui_locales: parameters.owned("ui_locales")?,
            claims: claims(parameters)?,
            resource: resources(parameters)?,
        })
    }

    /// Whether it asks for something that a session alone cannot show: that credentials or consent were just given.
    pub fn counts_proofs(&self) -> bool {
        let wants_somebody = self.id_token_hint.is_some() || self.claims.wanted_subject().is_some();
        !self.prompt.is_empty() || self.max_age.is_some() || wants_somebody
    }

    /// Whether the client asked for this prompt.
    pub fn prompts(&self, prompt: Prompt) -> bool {
        self.prompt.contains(&prompt)
    }
}

fn words(list: Option<&str>) -> Vec<String> {
    list.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect()
}

fn prompts(parameters: &Parameters) -> Result<Vec<Prompt>> {
    // Unknown values are ignored: another specification may define them (OIDC Core §3.1.2.1, `create` is one).
    let known = |word: &String| serde_json::from_value(word.as_str().into()).ok();
    let asked = words(parameters.one("prompt")?);
    let prompts: Vec<Prompt> = asked.iter().filter_map(known).collect();
    if prompts.contains(&Prompt::None) && asked.len() > 1 {
        return Err(OAuthError::invalid_request("prompt none cannot be combined with another"));
    }
    Ok(prompts)
}

fn claims(parameters: &Parameters) -> Result<ClaimsRequest> {
    #[derive(Deserialize)]
    struct Wire {
        userinfo: Option<Map<String, Value>>,
        id_token: Option<Map<String, Value>>,
    }
    let Some(text) = parameters.text("claims")? else { return Ok(ClaimsRequest::default()) };
    let wire: Wire =
        serde_json::from_str(text).map_err(|_| OAuthError::invalid_request("claims is not a JSON object of claims"))?;
    let claims =
        ClaimsRequest { userinfo: wire.userinfo.unwrap_or_default(), id_token: wire.id_token.unwrap_or_default() };
    let mut wishes = claims.userinfo.values().chain(claims.id_token.values());
    if wishes.any(|wish| is_deeper_than(wish, MAX_DEPTH)) {
        return Err(OAuthError::invalid_request("claims is nested too deeply"));
    }
    Ok(claims)
}

/// Reads `resource`, RFC 8707 §2: absolute URIs without a fragment.
///
/// Errors: `invalid_target` for anything else, and for more than 16.
pub fn resources(parameters: &Parameters) -> Result<Vec<String>> {
    let resources = parameters.all("resource")?;
    // The URL parser skips blanks around a URI; the token would carry them.
    let valid = |resource: &String| {
        !resource.contains(char::is_whitespace) && url::Url::parse(resource).is_ok_and(|url| url.fragment().is_none())
    };
    if resources.len() > 16 || !resources.iter().all(valid) {
        return Err(OAuthError::new(ErrorCode::InvalidTarget, "resource must be an absolute URI without a fragment"));
    }
    Ok(resources.to_vec())
}
