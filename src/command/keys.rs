//! `keys`: an operator's hand on the signing keys, on the same store and while servers run.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use serde::Serialize;
use uitsmijter::clock::SystemClock;
use uitsmijter::key::TenantSigning;
use uitsmijter::key::adopt::OlderKeys;
use uitsmijter::key::commands::{KeyCommands, Start};
use uitsmijter::key::older_redis::OlderRedis;
use uitsmijter::random::SystemRandom;
use uitsmijter::registry::Snapshot;
use uitsmijter::registry::tenant::Tenant;
use uitsmijter::settings::Settings;
use uitsmijter::store::{self, Store};

use super::key_table;

/// What to do with the keys.
#[derive(Subcommand)]
pub(crate) enum KeyWord {
    /// Show every key: its state, its age, when the next one takes over and when it is safe to drop.
    List {
        #[command(flatten)]
        whose: Whose,
    },
    /// Make a new signing key and announce it; it signs once every replica has published it for long enough.
    Rotate {
        #[command(flatten)]
        whose: Whose,
        /// Let it sign at once. Resource servers that still cache the old key set refuse its tokens until they fetch
        /// it again, which takes up to signing.jwks_max_age; for emergencies.
        #[arg(long)]
        now: bool,
    },
    /// Withdraw a key: out of the key set at once, and what it signed is not believed any more. A new key signs at once.
    Revoke {
        /// The key, as `keys list` names it.
        kid: String,
        /// End the sessions and grants of its tenant, too: everybody signs in again.
        #[arg(long)]
        sessions: bool,
        #[command(flatten)]
        whose: Whose,
    },
    /// Adopt the keys that Uitsmijter left in the same Redis, for tenants that have none yet.
    Import {
        #[command(flatten)]
        whose: Whose,
        /// Remove the older keys from Redis afterwards.
        #[arg(long)]
        delete_source: bool,
    },
    /// Print the public keys as a JWKS.
    Export {
        #[command(flatten)]
        whose: Whose,
        /// The public halves: the only ones that are ever exported.
        #[arg(long, required = true)]
        public: bool,
    },
}

/// For which tenants, and for whom to read.
#[derive(clap::Args)]
pub(crate) struct Whose {
    /// Only this tenant; without it, all.
    #[arg(long)]
    tenant: Option<String>,
    /// As JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// Carries it out.
pub(crate) fn keys(settings: &Settings, word: KeyWord) -> Result<ExitCode> {
    super::log::begin_quiet(&settings.log)?;
    super::install_cryptography();
    let snapshot = super::declared(settings)?.current();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(carry_out(settings, &snapshot, word))?;
    Ok(ExitCode::SUCCESS)
}

async fn carry_out(settings: &Settings, snapshot: &Snapshot, word: KeyWord) -> Result<()> {
    let store_settings = settings.store_settings();
    ensure!(
        store_settings.redis.is_some() || store_settings.path.is_some(),
        "keys live in the store of the servers: set REDIS_HOST or STORE_PATH as for them"
    );
    let clock = Arc::new(SystemClock);
    let store = Store::new(store::open(&store_settings, clock.clone()).await?, clock.clone());
    let older = OlderRedis(store.clone());
    let commands = KeyCommands::new(store, settings.signing_settings(), clock, Arc::new(SystemRandom))?;
    match word {
        KeyWord::List { whose } => list(&commands, settings, snapshot, &whose).await,
        KeyWord::Rotate { whose, now } => {
            let start = if now { Start::Now } else { Start::Announced };
            rotate(&commands, &tenants(settings, snapshot, &whose)?, start, whose.json).await
        }
        KeyWord::Revoke { kid, sessions, whose } => {
            let tenant = owner(&commands, tenants(settings, snapshot, &whose)?, &kid).await?;
            revoke(&commands, &tenant, &kid, whose.json).await?;
            if sessions { commands.end_sessions(&signing(&tenant)).await } else { Ok(()) }
        }
        KeyWord::Import { whose, delete_source } => {
            import(&commands, &older, &tenants(settings, snapshot, &whose)?, whose.json).await?;
            if delete_source { older.remove().await } else { Ok(()) }
        }
        KeyWord::Export { whose, .. } => export(&commands, &tenants(settings, snapshot, &whose)?).await,
    }
}

/// The tenants that are meant; with one key set for all, one stands for all.
fn tenants(settings: &Settings, snapshot: &Snapshot, whose: &Whose) -> Result<Vec<Arc<Tenant>>> {
    let mut tenants: Vec<Arc<Tenant>> = match &whose.tenant {
        Some(name) => {
            let known = || snapshot.tenants().map(|tenant| &*tenant.name).collect::<Vec<_>>().join(", ");
            vec![
                snapshot
                    .tenant(name)
                    .with_context(|| format!("there is no tenant {name}; there are: {}", known()))?
                    .clone(),
            ]
        }
        None => snapshot.tenants().cloned().collect(),
    };
    ensure!(
        !tenants.is_empty(),
        "there is no tenant below {}; set DIRECTORY as for the servers",
        settings.directory.display()
    );
    tenants.sort_by(|a, b| a.name.cmp(&b.name));
    if settings.signing_settings().shared {
        tenants.truncate(1);
    }
    Ok(tenants)
}

fn signing(tenant: &Tenant) -> TenantSigning<'_> {
    TenantSigning { name: &tenant.name, algorithm: tenant.algorithm, overrides: Some(&tenant.signing) }
}

async fn list(commands: &KeyCommands, settings: &Settings, snapshot: &Snapshot, whose: &Whose) -> Result<()> {
    let mut keys = Vec::new();
    for tenant in tenants(settings, snapshot, whose)? {
        keys.extend(commands.list(&signing(&tenant)).await?);
    }
    match whose.json {
        true => print_json(&keys)?,
        false => write!(std::io::stdout(), "{}", key_table::table(&keys)).context("standard output was closed")?,
    }
    Ok(())
}

async fn rotate(commands: &KeyCommands, tenants: &[Arc<Tenant>], start: Start, json: bool) -> Result<()> {
    for tenant in tenants {
        let rotated = commands.rotate(&signing(tenant), start).await?;
        if json {
            print_json(&serde_json::json!({ "tenant": tenant.name.as_ref(), "rotated": rotated }))?;
            continue;
        }
        for key in rotated {
            let what = match (start, key.was_announced) {
                (Start::Now, _) => "signs from now on",
                (Start::Announced, false) => {
                    "is announced; it signs once every replica has published it for long enough"
                }
                (Start::Announced, true) => "was announced before and will sign in its time",
            };
            println!("{}: {} key {} {what}", tenant.name, key.algorithm, key.kid);
        }
    }
    Ok(())
}

/// The tenant that has this key.
async fn owner(commands: &KeyCommands, tenants: Vec<Arc<Tenant>>, kid: &str) -> Result<Arc<Tenant>> {
    for tenant in tenants {
        if commands.list(&signing(&tenant)).await?.iter().any(|key| key.kid == kid) {
            return Ok(tenant);
        }
    }
    bail!("no tenant has a key {kid}; `uitsmijter keys list` shows them")
}

async fn revoke(commands: &KeyCommands, tenant: &Tenant, kid: &str, json: bool) -> Result<()> {
    let successor = commands.revoke(&signing(tenant), kid).await?;
    match (json, successor) {
        (true, successor) => {
            print_json(&serde_json::json!({ "tenant": tenant.name.as_ref(), "revoked": kid, "signs_now": successor }))?;
        }
        (false, Some(next)) => println!("{}: {kid} is revoked; {next} signs from now on", tenant.name),
        (false, None) => println!("{}: {kid} is revoked", tenant.name),
    }
    Ok(())
}

async fn import(commands: &KeyCommands, older: &OlderRedis, tenants: &[Arc<Tenant>], json: bool) -> Result<()> {
    for tenant in tenants {
        let kids = commands.import(&signing(tenant), older).await?;
        match json {
            true => print_json(&serde_json::json!({ "tenant": tenant.name.as_ref(), "imported": kids }))?,
            false => println!("{}: imported {}", tenant.name, kids.join(", ")),
        }
    }
    Ok(())
}

async fn export(commands: &KeyCommands, tenants: &[Arc<Tenant>]) -> Result<()> {
    ensure!(tenants.len() == 1, "a key set belongs to one tenant: name it with --tenant");
    print_json(&commands.export(&signing(&tenants[0])).await?)
}

fn print_json(value: &impl Serialize) -> Result<()> {
    // A reader that has seen enough, such as `head`, is an error to report and not a panic.
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(value)?).context("standard output was closed")
}
