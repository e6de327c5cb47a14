//! The certificate of the listener: read again when its files change, so that a renewal needs no restart.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_lc_rs::digest::{self, SHA256};
use axum_server::tls_rustls::RustlsConfig;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::settings::Tls;

/// How often the files are checked. They are small, and not every file system can report changes.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Certificate and key. Clones share them.
#[derive(Clone)]
pub struct Certificate(Arc<CertificateFiles>);

struct CertificateFiles {
    files: Tls,
    config: RustlsConfig,
    /// The fingerprint of what was read last, valid or not.
    last: Mutex<Vec<u8>>,
}

impl Certificate {
    /// Reads the files for the first time.
    ///
    /// Errors: they cannot be read, or do not belong together.
    pub async fn open(files: &Tls) -> Result<Self> {
        let (cert, key) = read(files).await?;
        let last = Mutex::new(fingerprint(&cert, &key));
        let config = RustlsConfig::from_pem(cert, key).await.with_context(|| unusable(files))?;
        Ok(Self(Arc::new(CertificateFiles { files: files.clone(), config, last })))
    }

    /// The configuration for each handshake.
    pub fn config(&self) -> RustlsConfig {
        self.0.config.clone()
    }

    /// Reads the files again; a valid certificate is used from the next handshake on.
    ///
    /// Errors: as in `open`, once for each content; the previous certificate stays in use.
    pub async fn reload(&self) -> Result<()> {
        let CertificateFiles { files, config, last } = &*self.0;
        let mut last = last.lock().await;
        let (cert, key) = match read(files).await {
            Ok(read) => read,
            Err(_) if last.is_empty() => return Ok(()),
            Err(error) => {
                last.clear();
                return Err(error);
            }
        };
        let new = fingerprint(&cert, &key);
        if std::mem::replace(&mut *last, new.clone()) != new {
            config.reload_from_pem(cert, key).await.with_context(|| unusable(files))?;
            tracing::info!(file = %files.cert_file.display(), "the certificate was read again");
        }
        Ok(())
    }

    /// Reloads whenever the files change, while the future is polled.
    pub async fn follow(self) {
        loop {
            sleep(CHECK_INTERVAL).await;
            self.reload_or_log().await;
        }
    }

    /// Reloads, and logs a failure.
    pub async fn reload_or_log(&self) {
        if let Err(error) = self.reload().await {
            tracing::error!(cause = format!("{error:#}"), "the certificate of before stays in use");
        }
    }
}

async fn read(files: &Tls) -> Result<(Vec<u8>, Vec<u8>)> {
    let cert = tokio::fs::read(&files.cert_file).await.with_context(|| unusable(files))?;
    let key = tokio::fs::read(&files.key_file).await.with_context(|| unusable(files))?;
    Ok((cert, key))
}

fn unusable(Tls { cert_file, key_file }: &Tls) -> String {
    format!("the certificate {} or its key {} cannot be used", cert_file.display(), key_file.display())
}

/// Only the TLS library keeps the private key.
fn fingerprint(cert: &[u8], key: &[u8]) -> Vec<u8> {
    [digest::digest(&SHA256, cert), digest::digest(&SHA256, key)]
        .iter()
        .flat_map(|digest| digest.as_ref())
        .copied()
        .collect()
}
