//! What each command does.

use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use uitsmijter::logged_name::LoggedNames;
use uitsmijter::login::spelling::comparable;
use uitsmijter::login::{password, script};
use uitsmijter::page::views;
use uitsmijter::random::SystemRandom;
use uitsmijter::registry::document::Document;
use uitsmijter::registry::file::Folder;
use uitsmijter::registry::kubernetes::{self, Cluster};
use uitsmijter::registry::reload::{CheckScript, Loader};
use uitsmijter::registry::tenant::Tenant;
use uitsmijter::registry::{Registry, Severity};
use uitsmijter::secret::Secret;
use uitsmijter::settings::Settings;
use uitsmijter::settings::report::Report;
use zeroize::Zeroizing;

mod administer;
mod healthcheck;
mod key_table;
mod key_words;
mod keys;
mod log;
mod output;
mod provider;
mod serve;
mod sessions;
mod whose;

pub(crate) use administer::{Order, administer};
pub(crate) use healthcheck::healthcheck;
use healthcheck::undeclared_proxies;
pub(crate) use keys::KeyWord;
pub(crate) use provider::{GrantType, ProviderTest, test as provider_test};
pub(crate) use serve::serve;
pub(crate) use sessions::SessionWord;

/// Prints what would be served. The exit code tells scripts whether there is an error, which a warning is, too, if
/// `is_strict`.
pub(crate) fn check(settings: &Settings, json: bool, is_strict: bool) -> Result<ExitCode> {
    install_cryptography();
    let declared = declared(settings)?;
    let (snapshot, problems) = (declared.current(), declared.problems());
    settings.check_tenants(&snapshot)?;
    settings.signing.check()?;
    let templates = views::problems(&settings.directory)?;
    let mut report =
        Report::new(settings, &snapshot, &[problems.to_vec(), folder(settings).misplaced(), templates].concat());
    let undeclared = if settings.proxies_are_unknown() { undeclared_proxies(settings) } else { Vec::new() };
    if !undeclared.is_empty() {
        report.notices.push(format!(
            "the server here is sent X-Forwarded-For by {}: list what is a proxy of yours in TRUSTED_PROXIES",
            undeclared.join(", ")
        ));
    }
    let report = if is_strict { report.strictly() } else { report };
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Hashes a password from standard input, so that it appears neither in process lists nor in the history.
pub(crate) fn hash() -> Result<ExitCode> {
    println!("{}", password::hash(&password_from_stdin("uitsmijter hash")?, &SystemRandom));
    Ok(ExitCode::SUCCESS)
}

/// Prints the digests of a user name, as the log has them.
///
/// Errors: there is no secret that digests could be found again with.
pub(crate) fn audit_digest(settings: &Settings, name: &str) -> Result<ExitCode> {
    let comparable = comparable(name);
    let digest = |secret: &Secret| LoggedNames::digested(secret.expose().as_bytes()).of(name, &comparable);
    let digests: Vec<String> = settings.digest_secrets().map(digest).collect();
    ensure!(
        !digests.is_empty(),
        "neither SIGNING_KEY_SECRET nor JWT_SECRET is set, so each server makes up its own key for digests, and no name can \
         be found again"
    );
    digests.iter().for_each(|digest| println!("{digest}"));
    Ok(ExitCode::SUCCESS)
}

/// A password from standard input, without the line break.
fn password_from_stdin(command: &str) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().lock().take(4096).read_to_string(&mut text).context("standard input cannot be read")?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("no password given: pass it on standard input, as in: printf %s \"$PASSWORD\" | {command}");
    }
    Ok(Zeroizing::new(password.to_owned()))
}

/// The loader of the folder of tenants and clients; `demo` is served while there is no tenant.
///
/// Errors: the folder does not exist, so its name is mistyped. A folder without declarations is fine, and in a cluster
/// none is needed.
fn loader(settings: &Settings, demo: Vec<Document>) -> Result<Loader> {
    let wanted = !settings.kubernetes.enabled;
    ensure!(!wanted || settings.directory.is_dir(), "DIRECTORY {} does not exist", settings.directory.display());
    let check_script: CheckScript =
        Arc::new(|source| script::check(source).map(drop).map_err(|error| error.to_string()));
    Ok(Loader::new(folder(settings), check_script, demo))
}

fn folder(settings: &Settings) -> Folder {
    Folder::below(&settings.directory)
}

/// All that is declared now, in files and in the cluster.
///
/// Errors: custom resources are enabled and cannot be read.
fn declared(settings: &Settings) -> Result<Registry> {
    let loader = loader(settings, Vec::new())?;
    let (snapshot, problems) = loader.load();
    let registry = Registry::new(snapshot, problems);
    if let Some(resources) = settings.resource_settings() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let documents = runtime.block_on(async { Cluster::connect(&resources).await?.read().await })?;
        loader.take(documents, &registry);
    }
    Ok(registry)
}

/// The tenant with this name.
///
/// Errors: why it is not served, or the names of those that are.
fn tenant(declared: &Registry, name: &str) -> Result<Arc<Tenant>> {
    let snapshot = declared.current();
    if let Some(tenant) = snapshot.tenant(name) {
        return Ok(tenant.clone());
    }
    let (problems, entity) = (declared.problems(), format!("tenant {}", name.escape_debug()));
    if let Some(problem) =
        problems.iter().find(|problem| problem.entity == entity && problem.severity == Severity::Error)
    {
        bail!("tenant {name:?} is not served: {}", problem.message);
    }
    let known: Vec<&str> = snapshot.tenants().map(|tenant| &*tenant.name).collect();
    if known.is_empty() {
        bail!("there is no tenant {name:?}, nor any other")
    }
    bail!("there is no tenant {name:?}; there are: {}", known.join(", "))
}

/// Prints the custom resource definitions.
pub(crate) fn crds() -> Result<ExitCode> {
    print!("{}", kubernetes::definitions()?);
    Ok(ExitCode::SUCCESS)
}

/// Once per process: outgoing TLS and our own listener use the same cryptography as the signatures.
fn install_cryptography() {
    // An error means that it is installed already.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}
