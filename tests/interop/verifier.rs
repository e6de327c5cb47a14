//! A resource server in another language: a process that verifies one token after another, with the cache of its
//! library.

use std::ffi::OsStr;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::calendar::Calendar;
use crate::token::header;
use crate::tool::{self, Conversation};

/// Popular libraries for verification, each at its defaults.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Library {
    /// `jsonwebtoken` with `jwks-rsa`: keeps each key for 10 minutes and fetches when it meets an unknown one.
    JsonWebToken,
    /// `PyJWT` with `PyJWKClient`: keeps the key set for 5 minutes and fetches at most every 30 s for an unknown key.
    PyJwt,
    /// `golang-jwt` with `keyfunc`: fetches every hour, and at most every 5 minutes for an unknown key.
    GolangJwt,
}

/// Part of the message of a library that refuses; a refusal for another reason proves nothing.
pub(crate) struct Reasons {
    pub(crate) changed: &'static str,
    pub(crate) unsigned: &'static str,
    pub(crate) elsewhere: &'static str,
    pub(crate) expired: &'static str,
}

impl Library {
    pub(crate) const ALL: [Self; 3] = [Self::JsonWebToken, Self::PyJwt, Self::GolangJwt];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::JsonWebToken => "jwks-rsa + jsonwebtoken",
            Self::PyJwt => "PyJWKClient",
            Self::GolangJwt => "keyfunc + golang-jwt",
        }
    }

    pub(crate) fn reasons(self) -> Reasons {
        match self {
            Self::JsonWebToken => Reasons {
                changed: "invalid signature",
                unsigned: "jwt signature is required",
                elsewhere: "jwt audience invalid",
                expired: "jwt expired",
            },
            Self::PyJwt => Reasons {
                changed: "InvalidSignatureError",
                unsigned: "InvalidAlgorithmError",
                elsewhere: "InvalidAudienceError",
                expired: "ExpiredSignatureError",
            },
            Self::GolangJwt => Reasons {
                changed: "token signature is invalid",
                unsigned: "signing method none is invalid",
                elsewhere: "token has invalid audience",
                expired: "token is expired",
            },
        }
    }

    /// The program, and the source that it runs if that is not the program itself.
    async fn program(self) -> (PathBuf, Option<PathBuf>) {
        match self {
            Self::JsonWebToken => {
                tool::expect_modules("node");
                (tool::program("node"), Some(tool::source("node/verify.js")))
            }
            Self::PyJwt => (tool::python(), Some(tool::source("python/verify.py"))),
            Self::GolangJwt => (tool::go_program().await, None),
        }
    }
}

/// A running resource server.
pub(crate) struct Verifier {
    pub(crate) library: Library,
    process: Conversation,
    calendar: Option<Calendar>,
}

impl Verifier {
    /// One that knows only the issuer, on the clock of this machine.
    pub(crate) async fn start(library: Library, issuer: &str) -> Self {
        Self::start_with(library, issuer, &[], None).await
    }

    /// One on the clock of `calendar`, which shares this secret with the server for HS256.
    pub(crate) async fn start_in(library: Library, issuer: &str, calendar: &Calendar, secret: Option<&str>) -> Self {
        let mut environment = calendar.environment();
        environment.extend(secret.map(|secret| ("JWT_SECRET", secret.to_owned())));
        Self::start_with(library, issuer, &environment, Some(calendar.clone())).await
    }

    async fn start_with(
        library: Library,
        issuer: &str,
        environment: &[(&str, String)],
        calendar: Option<Calendar>,
    ) -> Self {
        let (program, source) = library.program().await;
        let arguments: Vec<&OsStr> = source.iter().map(|path| path.as_os_str()).chain([OsStr::new(issuer)]).collect();
        Self { library, process: Conversation::start(&program, &arguments, environment), calendar }
    }

    /// Its verdict on a token for `audience`: `accepted` with the `claims`, or the `reason` why not.
    pub(crate) async fn verify(&mut self, audience: &str, token: &str) -> Value {
        let mut question = json!({ "audience": audience, "token": token });
        if let Some(calendar) = &self.calendar {
            question["now"] = json!(calendar.timestamp());
        }
        self.process.ask(&question).await
    }

    /// An empty request, after time was set forward: a process whose connections were idle for hours has to notice that
    /// before it uses one of them, as it would in real hours.
    pub(crate) async fn look_at_the_clock(&mut self) {
        let verdict = self.verify("nobody", "").await;
        assert_eq!(verdict["accepted"], false, "{verdict}");
    }

    /// Fails the test unless the token is accepted.
    pub(crate) async fn expect_accepted(&mut self, audience: &str, token: &str) -> Value {
        let verdict = self.verify(audience, token).await;
        assert_eq!(verdict["accepted"], true, "{:?} on {}: {verdict}", self.library, header(token));
        verdict["claims"].clone()
    }

    /// Fails the test unless the token is refused for that reason.
    pub(crate) async fn expect_refused(&mut self, audience: &str, token: &str, reason: &str) {
        let verdict = self.verify(audience, token).await;
        assert_eq!(verdict["accepted"], false, "{:?} on {}: {verdict}", self.library, header(token));
        let given = verdict["reason"].as_str().unwrap_or_default();
        assert!(given.contains(reason), "{:?}: expected {reason:?} in {verdict}", self.library);
    }
}
