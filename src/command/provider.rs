//! `provider test`: one run of a tenant's login script against its backend, step by step.

use std::process::ExitCode;

use anyhow::{Result, bail};
use uitsmijter::login::Credentials;
use uitsmijter::login::people::script_of;
use uitsmijter::login::script::{self, Script, ScriptError, ScriptPool, Update};
use uitsmijter::session::Identity;
use uitsmijter::settings::{Log, LogLevel, Settings};

/// The arguments.
pub(crate) struct ProviderTest {
    /// The tenant's full name.
    pub(crate) tenant: String,
    /// The name to sign in with; the password comes from standard input.
    pub(crate) username: String,
    /// The `grant_type` that the script sees: `authorization_code`, `interceptor`, `password` or `device_code`.
    pub(crate) grant_type: GrantType,
}

/// The grant types that login scripts see.
#[derive(Clone, Copy, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum GrantType {
    AuthorizationCode,
    Interceptor,
    Password,
    DeviceCode,
}

impl GrantType {
    fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::Interceptor => "interceptor",
            Self::Password => "password",
            Self::DeviceCode => "device_code",
        }
    }
}

/// The script answered that the person may not log in.
const REFUSED: u8 = 3;

/// Runs the script and prints every step. The code is 0 for a person who may log in, 3 for one who may not.
pub(crate) fn test(settings: &Settings, asked: ProviderTest) -> Result<ExitCode> {
    // Requests of the script are logged at this level.
    super::log::begin(&Log { level: LogLevel::Debug, ..settings.log }, None)?;
    super::install_cryptography();
    let tenant = super::tenant(&super::declared(settings)?, &asked.tenant)?;
    let Some(script) = script_of(&tenant) else {
        bail!("the tenant {:?} has no providers; its listed users sign in", asked.tenant);
    };
    let password = super::password_from_stdin("uitsmijter provider test --tenant T --username U")?;
    let credentials = Credentials { username: asked.username.clone(), password, grant_type: asked.grant_type.as_str() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(settings, &script, credentials))
}

async fn run(settings: &Settings, script: &Script<'_>, credentials: Credentials) -> Result<ExitCode> {
    let classes = script::check(&script.source).map_err(failed)?;
    step("UserLoginProvider", found(classes.login));
    step("UserValidationProvider", found(classes.validation));
    let username = credentials.username.clone();
    let pool = ScriptPool::new(settings.script_limits());
    let identity = match pool.login(script, credentials).await {
        Ok(identity) => identity,
        Err(error) => {
            step("committed", if error == ScriptError::NeverCommitted { "no" } else { "unknown" });
            return Err(failed(error));
        }
    };
    step("committed", "yes");
    let Some(identity) = identity else {
        step("canLogin", "no");
        return Ok(REFUSED.into());
    };
    step("canLogin", "yes");
    describe(&identity);
    match pool.validate(script, &username).await {
        Ok(Some(update)) => {
            step("isValid", "yes");
            renewed(&update);
        }
        Ok(None) => step("isValid", "no"),
        Err(ScriptError::MissingClass(_)) => step("isValid", "undecided; see allow_missing_providers"),
        Err(error) => return Err(failed(error)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints names and not values where the values are the person's.
fn describe(identity: &Identity) {
    step("subject", &identity.subject);
    step("role", &identity.role);
    step("scopes", &identity.scopes.join(" "));
    step("userProfile", &identity.profile.keys().map(String::as_str).collect::<Vec<_>>().join(" "));
}

/// What a refresh would change.
fn renewed(update: &Update) {
    if let Some(role) = &update.role {
        step("role now", role);
    }
    if let Some(scopes) = &update.scopes {
        step("scopes now", &scopes.join(" "));
    }
    if let Some(profile) = &update.profile {
        step("userProfile now", &profile.keys().map(String::as_str).collect::<Vec<_>>().join(" "));
    }
}

fn found(is_there: bool) -> &'static str {
    if is_there { "found" } else { "missing" }
}

fn failed(error: ScriptError) -> anyhow::Error {
    anyhow::Error::new(error).context("the login script failed")
}

fn step(what: &str, how: &str) {
    println!("{what:<24}{}", how.escape_debug());
}
