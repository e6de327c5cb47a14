//! What SIGHUP does: everything that can change while the server runs is read again.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::App;
use crate::log::Volume;
use crate::registry::reload::Loader;
use crate::server::certificate::Certificate;
use crate::settings::Settings;

/// Reads the settings in the same way as at the start.
pub type ReadSettings = Box<dyn Fn() -> Result<Settings> + Send + Sync>;

/// The signal, and what is needed to act on it.
pub struct Hangup {
    signal: Signal,
    read_settings: ReadSettings,
    volume: Volume,
}

impl Hangup {
    /// From here on the signal no longer ends the process.
    pub fn expect(read_settings: ReadSettings, volume: Volume) -> Result<Self> {
        let signal = signal(SignalKind::hangup()).context("SIGHUP cannot be waited for")?;
        Ok(Self { signal, read_settings, volume })
    }

    /// Reads everything again at each signal, while the future is polled. Errors are logged and change nothing.
    pub async fn follow(mut self, app: App, loader: Arc<Loader>, certificate: Option<Certificate>) {
        while self.signal.recv().await.is_some() {
            tracing::info!("told to read everything again");
            self.settings(&app);
            if let Some(certificate) = &certificate {
                certificate.reload_or_log().await;
            }
            let (registry, views, loader) = (app.registry.clone(), app.views.clone(), loader.clone());
            let read = tokio::task::spawn_blocking(move || {
                loader.reload(&registry);
                views.reload()
            });
            match read.await.map_err(anyhow::Error::from).flatten() {
                Ok(()) => tracing::info!("everything was read again"),
                Err(error) => {
                    tracing::error!(cause = format!("{error:#}"), "the tenants' templates could not be read");
                }
            }
        }
    }

    fn settings(&self, app: &App) {
        let new = match (self.read_settings)() {
            Ok(new) => new,
            Err(error) => {
                tracing::error!(cause = format!("{error:#}"), "the settings of before stay in force");
                return;
            }
        };
        if let Err(error) = self.volume.set(new.log.level) {
            tracing::error!(cause = format!("{error:#}"), "the level of the log cannot change");
        }
        let needing = app.settings.needing_restart(&new);
        if !needing.is_empty() {
            tracing::warn!(settings = needing.join(", "), "these settings changed, and need a restart");
        }
    }
}
