//! Reads the settings: defaults, then a file, then the environment, then flags.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::environment::overlay;
use super::resolved::Settings;
use super::written::Written;

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--directory`
    pub directory: Option<PathBuf>,
    /// `--store-path`
    pub store_path: Option<PathBuf>,
    /// `--webhook`
    pub webhook: bool,
}

/// Default address of the webhook (`--webhook`): the API server calls from another machine.
const WEBHOOK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9443);

impl Settings {
    /// Reads everything: defaults, `config_file`, `environment` (a variable's name to its value), `flags`.
    ///
    /// Errors: one sentence per line, each naming the key or variable and what is expected.
    pub fn load(
        config_file: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<String>,
        flags: &Flags,
    ) -> Result<Self> {
        let mut written = match config_file {
            None => Written::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
                Written::parse(&text).with_context(|| format!("in the configuration file {}", path.display()))?
            }
        };
        overlay(&mut written, environment)?;
        written.listen = flags.listen.or(written.listen);
        written.directory = flags.directory.clone().unwrap_or(written.directory);
        written.store.path = flags.store_path.clone().or(written.store.path);
        if flags.webhook {
            written.kubernetes.webhook.listen.get_or_insert(WEBHOOK);
        }
        let settings = written.resolve()?;
        settings.check()?;
        Ok(settings)
    }
}
