//! Proof Key for Code Exchange: RFC 7636.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::error::{OAuthError, Result};
use super::parameters::Parameters;

/// RFC 7636 §4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChallengeMethod {
    /// The challenge is the SHA-256 of the verifier.
    S256,
    /// The challenge is the verifier: only for clients that are allowed to.
    #[serde(rename = "plain")]
    Plain,
}

/// The challenge from `/authorize`, to be matched by its verifier at `/token`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeChallenge {
    value: String,
    /// How the challenge is derived from the verifier.
    pub method: ChallengeMethod,
}

impl CodeChallenge {
    /// Reads `code_challenge` and `code_challenge_method`; a challenge without a method is `plain` (§4.3).
    ///
    /// Errors: `invalid_request` for a method without a challenge, an unknown method or a malformed challenge (§4.4.1).
    pub fn from_parameters(parameters: &Parameters) -> Result<Option<Self>> {
        let method = match parameters.one("code_challenge_method")? {
            Some("S256") => ChallengeMethod::S256,
            None | Some("plain") => ChallengeMethod::Plain,
            Some(_) => return Err(OAuthError::invalid_request("code_challenge_method must be S256")),
        };
        match parameters.one("code_challenge")? {
            Some(value) if is_verifier(value) => Ok(Some(Self { value: value.to_owned(), method })),
            Some(_) => Err(OAuthError::invalid_request("code_challenge must be 43 to 128 characters of A-Za-z0-9-._~")),
            None if parameters.one("code_challenge_method")?.is_some() => {
                Err(OAuthError::invalid_request("code_challenge is missing"))
            }
            None => Ok(None),
        }
    }

    /// §4.6: whether the challenge was derived from `verifier`.
    pub fn verify(&self, verifier: &str) -> bool {
        let computed = match self.method {
            ChallengeMethod::S256 => {
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
                URL_SAFE_NO_PAD.encode(digest)
            }
            ChallengeMethod::Plain => verifier.to_owned(),
        };
        is_verifier(verifier) && bool::from(computed.as_bytes().ct_eq(self.value.as_bytes()))
    }
}

/// §4.1: 43 to 128 unreserved characters; §4.2 gives a challenge the same form.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_verifies() {
        // RFC 7636 Appendix B
        let form = b"code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
        let challenge = CodeChallenge::from_parameters(&Parameters::from_form(form).unwrap()).unwrap().unwrap();
        assert!(challenge.verify("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!challenge.verify("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"));
        assert!(!challenge.verify(""));
    }

    #[test]
    fn a_challenge_without_a_method_is_plain() {
        let form = format!("code_challenge={}", "a".repeat(43));
        let challenge = CodeChallenge::from_parameters(&Parameters::from_form(form.as_bytes()).unwrap()).unwrap();
        assert_eq!(challenge.unwrap().method, ChallengeMethod::Plain);
    }
}
