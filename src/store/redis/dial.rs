//! From settings to a connection: one server, the master that the sentinels name, or a cluster.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::cluster::ClusterClient;
use ::redis::cluster_async::ClusterConnection;
use ::redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo,
    RedisResult, TlsCertificates, TlsMode,
};
use anyhow::{Context, Result, bail, ensure};

use crate::store::settings::{RedisSettings, SentinelSettings};

/// Timeout of connecting, with all that precedes the first command.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(1);
/// How many commands may wait to be sent before their senders do.
const PIPELINE: usize = 1024;

/// What to connect to.
pub(super) enum Dialer {
    /// One server.
    Server(Box<Client>),
    /// The master that the sentinels name, and its address when it was last dialled.
    Sentinel(Box<SentinelClient>, Option<ConnectionAddr>),
}

impl Dialer {
    /// A new connection to a server that answers and, behind sentinels, says itself that it is the master.
    pub(super) async fn dial(&mut self, response_timeout: Duration) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTION_TIMEOUT))
            .set_response_timeout(Some(response_timeout))
            .set_pipeline_buffer_size(PIPELINE);
        let mut connection = match self {
            Self::Server(client) => client.get_multiplexed_async_connection_with_config(&config).await?,
            Self::Sentinel(sentinels, address) => {
                let master = sentinels.async_get_client().await?;
                *address = Some(master.get_connection_info().addr().clone());
                master.get_multiplexed_async_connection_with_config(&config).await?
            }
        };
        // A server that is still loading its data accepts connections and refuses everything else.
        ::redis::cmd("PING").exec_async(&mut connection).await?;
        Ok(connection)
    }

    /// Whether the sentinels name another master than the one last dialled. The old one may go on taking writes for
    /// a while, and all of them will be lost.
    pub(super) async fn has_moved(&mut self) -> bool {
        let Self::Sentinel(sentinels, address) = self else { return false };
        // Sentinels that are away, or in the middle of a decision, are no reason to leave a master that answers.
        let Ok(master) = sentinels.async_get_client().await else { return false };
        Some(master.get_connection_info().addr()) != address.as_ref()
    }
}

/// The settings, read and found to make sense.
pub(super) enum Target {
    Kept(Dialer),
    Cluster(Box<ClusterClient>),
}

/// The target that `settings` describe, and its name for people, which carries no secret.
pub(super) fn target(settings: &RedisSettings) -> Result<(Target, String)> {
    let braces = ['{', '}'];
    ensure!(!settings.prefix.contains(braces), "the prefix of the Redis store must not contain braces");
    let info = login(settings)?;
    let certificates = certificates(settings)?;
    let tls = tls(&info);
    if tls {
        // Another crate in this process may have a second provider, and rustls does not choose between two.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    }
    match (&settings.sentinel, settings.cluster_hosts.as_slice()) {
        (Some(_), [_, ..]) => bail!("Redis can be reached through sentinels or as a cluster, not both: remove one"),
        (Some(sentinel), []) => behind_sentinels(sentinel, &info, certificates, tls),
        (None, []) => {
            let name = format!("Redis at {}", info.addr());
            let client = match certificates {
                Some(certificates) => Client::build_with_tls(info, certificates),
                None => Client::open(info),
            };
            Ok((Target::Kept(Dialer::Server(Box::new(client?))), name))
        }
        (None, hosts) => cluster(settings, hosts, &info, certificates, tls),
    }
}

fn behind_sentinels(
    sentinel: &SentinelSettings,
    info: &ConnectionInfo,
    certificates: Option<TlsCertificates>,
    tls: bool,
) -> Result<(Target, String)> {
    ensure!(!sentinel.hosts.is_empty(), "the Redis sentinels have no hosts");
    ensure!(!sentinel.master.is_empty(), "the Redis sentinels need the name of the master");
    let addresses = addresses(&sentinel.hosts, 26379, tls)?;
    let mut builder = SentinelClientBuilder::new(addresses, &sentinel.master, SentinelServerType::Master)?
        .set_client_to_redis_db(info.redis_settings().db());
    if let Some(username) = info.redis_settings().username() {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = info.redis_settings().password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(username) = &sentinel.username {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = &sentinel.password {
        builder = builder.set_client_to_sentinel_password(password.expose());
    }
    if tls {
        builder =
            builder.set_client_to_redis_tls_mode(TlsMode::Secure).set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates);
    }
    let name = format!("the Redis master {:?} behind the sentinels {}", sentinel.master, sentinel.hosts.join(", "));
    Ok((Target::Kept(Dialer::Sentinel(Box::new(builder.build()?), None)), name))
}

fn cluster(
    settings: &RedisSettings,
    hosts: &[String],
    info: &ConnectionInfo,
    certificates: Option<TlsCertificates>,
    tls: bool,
) -> Result<(Target, String)> {
    ensure!(info.redis_settings().db() == 0, "a Redis Cluster has no database but 0");
    let mut nodes = Vec::new();
    for address in addresses(hosts, settings.port, tls)? {
        nodes.push(address.into_connection_info()?.set_redis_settings(info.redis_settings().clone()));
    }
    // The crate would repeat whatever failed, also what a node may already have done: link.rs repeats with more care.
    let mut builder = ClusterClient::builder(nodes)
        .retries(0)
        .connection_timeout(CONNECTION_TIMEOUT)
        .response_timeout(Duration::from_millis(settings.response_timeout_ms));
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    Ok((Target::Cluster(Box::new(builder.build()?)), format!("the Redis Cluster at {}", hosts.join(", "))))
}

/// A connection to a cluster in which at least one node answers.
pub(super) async fn dial_cluster(client: &ClusterClient) -> RedisResult<ClusterConnection> {
    client.get_async_connection().await
}

/// Address and login as if there were one server; sentinels and clusters take the login only.
fn login(settings: &RedisSettings) -> Result<ConnectionInfo> {
    if let Some(url) = &settings.url {
        // The crate's error does not repeat the URL, which may carry the password.
        let info = url.expose().into_connection_info().context("the URL of Redis cannot be read")?;
        return with_defaults(info, settings);
    }
    let address = address(&settings.host, settings.port, settings.tls || settings.ca_file.is_some())?;
    with_defaults(address.into_connection_info()?, settings)
}

fn with_defaults(info: ConnectionInfo, settings: &RedisSettings) -> Result<ConnectionInfo> {
    let mut redis: RedisConnectionInfo = info.redis_settings().clone();
    if let (None, Some(username)) = (redis.username(), &settings.username) {
        redis = redis.set_username(username);
    }
    if let (None, Some(password)) = (redis.password(), &settings.password) {
        redis = redis.set_password(password.expose());
    }
    if redis.db() == 0 {
        redis = redis.set_db(settings.db.into());
    }
    let info = info.set_redis_settings(redis);
    let plain = match info.addr() {
        ConnectionAddr::Tcp(host, port) if settings.tls || settings.ca_file.is_some() => Some((host.clone(), *port)),
        ConnectionAddr::TcpTls { insecure: true, .. } => {
            bail!("the URL of Redis asks for TLS without checks; name the authority with `ca_file`")
        }
        _ => None,
    };
    Ok(match plain {
        Some((host, port)) => info.set_addr(socket(host, port, true)),
        None => info,
    })
}

fn certificates(settings: &RedisSettings) -> Result<Option<TlsCertificates>> {
    let Some(path) = &settings.ca_file else { return Ok(None) };
    let pem = std::fs::read(path).with_context(|| format!("the CA file {} of Redis cannot be read", path.display()))?;
    Ok(Some(TlsCertificates { client_tls: None, root_cert: Some(pem) }))
}

fn tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

fn addresses(hosts: &[String], default_port: u16, tls: bool) -> Result<Vec<ConnectionAddr>> {
    hosts.iter().map(|host| address(host, default_port, tls)).collect()
}

/// `host`, `host:port`, `[::1]` or `[::1]:port`.
fn address(text: &str, default_port: u16, tls: bool) -> Result<ConnectionAddr> {
    let broken = || format!("{text:?} is no address of Redis: write host or host:port");
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, port)| (host, port.strip_prefix(':'))).with_context(broken)?,
        // More than one colon without brackets is a bare IPv6 address.
        None if text.matches(':').count() == 1 => text.split_once(':').map_or((text, None), |(h, p)| (h, Some(p))),
        None => (text, None),
    };
    let port = port.map(str::parse).transpose().with_context(broken)?.unwrap_or(default_port);
    ensure!(!host.is_empty() && !host.contains(['/', '@']), broken());
    Ok(socket(host.to_owned(), port, tls))
}

fn socket(host: String, port: u16, tls: bool) -> ConnectionAddr {
    if tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_host_may_carry_a_port() {
        let read = |text| address(text, 6379, false).map(|address| address.to_string()).ok();
        assert_eq!(read("redis").as_deref(), Some("redis:6379"));
        assert_eq!(read("redis:7000").as_deref(), Some("redis:7000"));
        assert_eq!(read("[::1]:7000").as_deref(), Some("::1:7000"));
        assert_eq!(read("::1").as_deref(), Some("::1:6379"));
        for broken in ["", ":7000", "redis:port", "redis:70000", "redis://redis", "me:secret@redis", "[::1"] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }

    #[test]
    fn no_text_of_an_error_shows_the_password() {
        let url = Some(Secret::new("redis://me:hunter2@ho st:port/x"));
        let settings = RedisSettings { url, password: Some(Secret::new("hunter2")), ..RedisSettings::default() };
        let Err(error) = target(&settings) else { panic!("the URL is broken") };
        assert!(!format!("{error:?} {settings:?}").contains("hunter2"), "{error:?} {settings:?}");
    }
}
