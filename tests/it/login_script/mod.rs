//! Login scripts: what they may call, what they answer, and what happens when they misbehave.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use uitsmijter::login::Credentials;
use uitsmijter::login::script::{FetchLimits, Script, ScriptError, ScriptLimits, ScriptPool, Update, check};
use uitsmijter::session::Identity;
use zeroize::Zeroizing;

mod answers;
mod backend;
mod command;
mod fetch;
mod globals;
mod limits;
mod neighbours;
mod secrets;

const PASSWORD: &str = "correct horse battery";

/// The program that runs the scripts: the test itself is another.
const PROGRAM: &str = env!("CARGO_BIN_EXE_uitsmijter");

type Outcome = Result<Option<Identity>, ScriptError>;

/// Limits that a test can wait for.
fn quick() -> ScriptLimits {
    ScriptLimits {
        timeout: Duration::from_millis(300),
        program: PROGRAM.into(),
        fetch: FetchLimits { timeout: Duration::from_millis(200), ..FetchLimits::default() },
        ..ScriptLimits::default()
    }
}

/// Limits that a busy machine keeps.
fn patient() -> ScriptLimits {
    ScriptLimits { timeout: Duration::from_secs(20), program: PROGRAM.into(), ..ScriptLimits::default() }
}

fn credentials() -> Credentials {
    Credentials {
        username: "ada".to_owned(),
        password: Zeroizing::new(PASSWORD.to_owned()),
        grant_type: "authorization_code",
    }
}

fn script(source: &str) -> Script<'static> {
    Script { tenant: "egg", namespace: None, source: Arc::from(source), fetch_hosts: None }
}

async fn login_within(limits: ScriptLimits, source: &str) -> Outcome {
    ScriptPool::new(limits).login(&script(source), credentials()).await
}

async fn login(source: &str) -> Outcome {
    login_within(patient(), source).await
}

async fn identity(source: &str) -> Identity {
    login(source).await.expect("the script answers").expect("the person may log in")
}

/// A provider that logs in after this body of its constructor.
fn provider(body: &str) -> String {
    format!(
        "class UserLoginProvider {{
            canLogin = true;
            constructor(credentials) {{ {body} }}
        }}"
    )
}

/// The value of an expression in a script; it may be a promise.
async fn value_of(expression: &str) -> Value {
    let body =
        format!("Promise.resolve({expression}).then((value) => {{ this.userProfile = {{ value }}; commit(true); }});");
    identity(&provider(&body)).await.profile.remove("value").unwrap_or(Value::Null)
}

async fn error_of(source: &str) -> ScriptError {
    login(source).await.expect_err("the script gives no answer")
}
