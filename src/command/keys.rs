//! `keys`: what operators do with signing keys, on the same store and while servers run.

use std::sync::Arc;

use anyhow::Result;
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use uitsmijter::clock::SystemClock;
use uitsmijter::key::TenantSigning;
use uitsmijter::key::commands::{KeyCommands, Start};
use uitsmijter::random::SystemRandom;
use uitsmijter::registry::Registry;
use uitsmijter::registry::tenant::Tenant;
use uitsmijter::settings::Settings;
use uitsmijter::store::Store;

use super::key_words::{Leaked, delete, export, import, list, revoke, rotate, seal};
use super::output::Output;
use super::whose::Whose;

/// What to do with the keys.
#[derive(Subcommand, Serialize, Deserialize)]
pub(crate) enum KeyWord {
    /// Show every key: its state, its age, when the next one takes over and when it is safe to drop.
    List {
        #[command(flatten)]
        whose: Whose,
    },
    /// Create a new signing key and announce it; it signs once every replica has published it for long enough.
    Rotate {
        #[command(flatten)]
        whose: Whose,
        /// Make it sign at once. Resource servers that still cache the old key set refuse its tokens until they fetch
        /// it again, which takes up to signing.jwks_max_age. Only for emergencies.
        #[arg(long)]
        now: bool,
    },
    /// Withdraw a key: it leaves the key set at once, and its tokens are not accepted any more. A new key signs at once.
    Revoke {
        /// The key's KID, from `keys list`.
        kid: String,
        /// End the sessions and grants of its tenant, too: everybody signs in again. Clocks may differ, so people who
        /// sign in within the next minute sign in twice.
        #[arg(long)]
        sessions: bool,
        #[command(flatten)]
        whose: Whose,
    },
    /// Seal keys that lie unsealed in the store, and take them over, once SIGNING_KEY_SECRET is set for the first time:
    /// without a seal, nothing proves that they are yours.
    Seal {
        #[command(flatten)]
        whose: Whose,
    },
    /// Adopt the keys that Uitsmijter left in the same Redis, for tenants that have none yet.
    Import {
        #[command(flatten)]
        whose: Whose,
        /// Remove the older keys from Redis afterwards, once every tenant has keys of its own.
        #[arg(long)]
        delete_source: bool,
    },
    /// Print the public keys as a JWKS.
    Export {
        #[command(flatten)]
        whose: Whose,
        /// The public keys; private keys are never exported.
        #[arg(long, required = true)]
        public: bool,
    },
}

/// Carries `word` out on `store`.
pub(super) async fn carry_out_keys(
    settings: &Settings,
    declared: &Registry,
    store: Store,
    word: KeyWord,
    said: &mut Output,
) -> Result<()> {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let commands = KeyCommands::new(store, settings.signing.clone(), clock, random)?
        .knowing(declared.current().tenants().map(|tenant| TenantSigning::of(tenant)))?;
    let meant = |whose: &Whose| tenants(settings, declared, whose.tenant.as_deref());
    match word {
        KeyWord::List { whose } => list(&commands, said, &meant(&whose)?, whose.json).await,
        KeyWord::Rotate { whose, now } => {
            let start = if now { Start::Now } else { Start::Announced };
            rotate(&commands, said, &meant(&whose)?, start, &whose).await
        }
        KeyWord::Revoke { kid, sessions, whose } => {
            revoke(&commands, said, &meant(&whose)?, &Leaked { kid, sessions }, &whose).await
        }
        KeyWord::Seal { whose } => seal(&commands, said, &meant(&whose)?, whose.json).await,
        KeyWord::Import { whose, delete_source } => {
            let all = tenants(settings, declared, None)?;
            import(&commands, said, &meant(&whose)?, &all, whose.json).await?;
            if delete_source { delete(&commands, &all).await } else { Ok(()) }
        }
        KeyWord::Export { whose, .. } => export(&commands, said, &meant(&whose)?).await,
    }
}

/// The selected tenants; if all share one key set, one stands for all.
fn tenants(settings: &Settings, declared: &Registry, whose: Option<&str>) -> Result<Vec<Arc<Tenant>>> {
    let mut tenants = super::whose::tenants(settings, declared, whose)?;
    if settings.signing.shared {
        tenants.truncate(1);
    }
    Ok(tenants)
}
