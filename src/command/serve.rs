//! `serve`: starts a server from the settings; in development, with a demo if nothing is declared.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use uitsmijter::app::App;
use uitsmijter::clock::SystemClock;
use uitsmijter::login::password;
use uitsmijter::outgoing::client::{self, Policy};
use uitsmijter::random::{Random, SystemRandom};
use uitsmijter::registry::kubernetes::Cluster;
use uitsmijter::registry::{Registry, demo, reload};
use uitsmijter::server::hangup::{Hangup, ReadSettings};
use uitsmijter::server::{self, Sources};
use uitsmijter::settings::Settings;
use uitsmijter::telemetry::Telemetry;

/// Serves until the process is told to stop. `read_settings` reads the settings again.
pub(crate) fn serve(settings: Settings, read_settings: ReadSettings) -> Result<ExitCode> {
    super::install_cryptography();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot start")?;
    let telemetry = Telemetry::start(&settings.telemetry, client::builder(&Policy::Operator), runtime.handle())?;
    let volume = super::log::begin(&settings.log, telemetry.as_ref())?;
    let outcome = runtime.block_on(async {
        let hangup = Hangup::expect(read_settings, volume)?;
        run(settings, hangup).await
    });
    telemetry.into_iter().for_each(Telemetry::stop);
    outcome?;
    Ok(ExitCode::SUCCESS)
}

/// Twelve characters that cannot be confused when they are typed.
fn demo_password() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 12];
    SystemRandom.fill(&mut bytes);
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

async fn run(settings: Settings, hangup: Hangup) -> Result<()> {
    let cluster = match settings.resource_settings() {
        Some(resources) => Some(Cluster::connect(&resources).await?),
        None => None,
    };
    let password = (!settings.production && cluster.is_none()).then(demo_password);
    let documents = password
        .as_ref()
        .map(|password| demo::documents(&password::hash(password, &SystemRandom), &settings.public_origin()));
    let loader = Arc::new(super::loader(&settings, documents.unwrap_or_default())?);
    let (snapshot, problems) = loader.load();
    reload::log(problems.iter());
    reload::log(super::folder(&settings).misplaced().iter());
    reload::log(settings.conflicts(&snapshot).iter());
    settings.check_tenants(&snapshot)?;
    settings.notices().iter().for_each(|notice| tracing::warn!("{notice}"));
    let demo_password = password.filter(|_| snapshot.tenant(demo::NAME).is_some());
    let registry = Registry::new(snapshot, problems);
    if cluster.is_some() {
        registry.expect_more("custom resources have not been listed yet".into());
    }
    let app = App::open(settings, registry, Arc::new(SystemClock), Arc::new(SystemRandom)).await?;
    if let Some(password) = demo_password {
        app.demo_password.get_or_init(|| password.into());
    }
    let told = app.clone();
    let orders = super::administer::in_server(app.clone());
    server::serve(app, Sources { loader, cluster }, hangup, orders, move |address| welcome(&told, address)).await
}

/// What a person at a terminal wants to know.
fn welcome(app: &App, address: SocketAddr) {
    let snapshot = app.registry.current();
    tracing::info!(
        tenants = snapshot.tenant_count(),
        clients = snapshot.client_count(),
        "serving on {}://{address}",
        if app.settings.tls.is_some() { "https" } else { "http" }
    );
    if let Some(password) = app.demo_password.get() {
        // Deliberately on standard output and not in the log: it is for a person, and only in development.
        println!("{}", demo_card(&app.settings, password));
    }
}

fn demo_card(settings: &Settings, password: &str) -> String {
    let name = demo::NAME;
    let tenants = settings.directory.join("Resources/Configurations/Tenants");
    format!(
        "\n  Nothing is configured yet, so here is a demo (development only):\n\n    \
         open      {}\n    user      {name}\n    password  {password}\n\n  \
         To serve your own, write tenants to {}\n  and clients next to it; `uitsmijter check` reads them back to you.\n",
        settings.public_origin(),
        tenants.display(),
    )
}
