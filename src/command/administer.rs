//! `keys` and `sessions`: on the servers' store while they run, or in the server that has the store for itself.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use uitsmijter::app::App;
use uitsmijter::clock::SystemClock;
use uitsmijter::random::SystemRandom;
use uitsmijter::registry::Registry;
use uitsmijter::server::admin::{self, CarryOut};
use uitsmijter::settings::Settings;
use uitsmijter::store::{self, Store};

use super::keys::{KeyWord, carry_out_keys};
use super::output::{Output, print};
use super::sessions::{SessionWord, carry_out_sessions};

/// What an operator wants.
#[derive(Serialize, Deserialize)]
pub(crate) enum Order {
    /// Something with keys.
    Keys(KeyWord),
    /// Something with sessions.
    Sessions(SessionWord),
}

/// Carries it out: by the running server where only that can open the store, otherwise on the store itself.
pub(crate) fn administer(settings: &Settings, order: Order) -> Result<ExitCode> {
    super::log::begin_quiet(&settings.log)?;
    super::install_cryptography();
    let store = settings.store_settings();
    ensure!(
        store.redis.is_some() || store.path.is_some(),
        "keys and sessions are in the servers' store: set REDIS_HOST or STORE_PATH as for the servers"
    );
    if let (None, Some(path)) = (&store.redis, &store.path) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        if let Some(answer) = runtime.block_on(admin::ask(&admin::beside(path), &order))? {
            return print(&answer);
        }
        // Opening the file would create it, and there would be nothing in it.
        ensure!(path.exists(), "there is no store at {}", path.display());
    }
    let declared = super::declared(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut said = Output::default();
    let outcome = runtime.block_on(on_the_store(settings, declared, order, &mut said));
    print(&said.answer(outcome))
}

async fn on_the_store(settings: &Settings, declared: Registry, order: Order, said: &mut Output) -> Result<()> {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    match order {
        Order::Keys(word) => {
            let store = Store::new(store::open(&settings.store_settings(), clock.clone()).await?, clock);
            carry_out_keys(settings, &declared, store, word, said).await
        }
        Order::Sessions(word) => {
            let app = App::open(settings.clone(), declared, clock, random).await?;
            let outcome = carry_out_sessions(&app, word, said).await;
            app.services.keys.retire().await;
            app.store.close().await?;
            outcome
        }
    }
}

/// How a server carries out the orders that come by its admin socket.
pub(super) fn in_server(app: App) -> CarryOut {
    Arc::new(move |order| {
        let mut said = Output::default();
        let outcome = Handle::current().block_on(async {
            match serde_json::from_value(order).context("the server is of another version")? {
                Order::Keys(word) => {
                    carry_out_keys(&app.settings, &app.registry, app.store.clone(), word, &mut said).await
                }
                Order::Sessions(word) => carry_out_sessions(&app, word, &mut said).await,
            }
        });
        said.answer(outcome)
    })
}
