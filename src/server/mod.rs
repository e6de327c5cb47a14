//! The whole server: router, listener, background tasks, and a shutdown that loses no request.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::RustlsAcceptor;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

pub mod admin;
pub mod certificate;
mod connection;
mod door;
pub mod hangup;
pub mod known_conflicts;
pub mod resource_status;

use self::admin::CarryOut;
use self::certificate::Certificate;
use self::connection::Watching;
use self::door::Door;
use self::hangup::Hangup;
use self::resource_status::ResourceStatus;
use crate::app::App;
use crate::endpoint;
use crate::endpoint::health;
use crate::endpoint::webhook::{self, Judge};
use crate::page::views::follow_buckets;
use crate::random::Random;
use crate::registry::kubernetes::Cluster;
use crate::registry::reload::{self, Loader};
use crate::session::delivery::Delivery;
use crate::settings::{Connections, Tls, Webhook};
use crate::sso::sign_out;

/// Interval for applying the key policy.
const TICK: Duration = Duration::from_secs(30);
/// Random deviation from that interval.
const JITTER: Duration = Duration::from_secs(5);
/// Interval for reading news from other replicas.
const NEWS: Duration = Duration::from_secs(1);
/// Interval for checking tenants' templates.
const VIEWS: Duration = Duration::from_secs(5);
/// Interval for adopting a stopped replica's logout deliveries.
const DELIVERIES: Duration = Duration::from_secs(30);
/// Interval for counting the sessions of all tenants.
const COUNT: Duration = Duration::from_secs(60);
/// Interval for dropping expired records if the store does not do so by itself.
const SWEEP: Duration = Duration::from_secs(60);
/// How long a load balancer gets to notice that the server is not ready, before the listener closes.
const NOTICE: Duration = Duration::from_secs(5);
/// How long pending requests may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(25);
/// How often a peer that speaks HTTP/2 is asked whether it is still there.
const PING: Duration = Duration::from_secs(30);
/// Connections at once on the addresses for operators and for the API server.
const FEW: usize = 128;
/// The largest head of a request, in bytes: room for every parameter that a query may have.
const MAX_HEAD: u32 = 64 * 1024;

/// Where tenants and clients are declared.
pub struct Sources {
    /// The folder, and the loader that merges it with the cluster.
    pub loader: Arc<Loader>,
    /// The cluster, if it is enabled.
    pub cluster: Option<Cluster>,
}

/// Serves until the process is told to stop. `ready` is called once the address is bound.
pub async fn serve(
    app: App,
    sources: Sources,
    hangup: Hangup,
    orders: CarryOut,
    ready: impl FnOnce(SocketAddr),
) -> Result<()> {
    let judge =
        Judge { loader: sources.loader.clone(), registry: app.registry.clone(), settings: app.settings.clone() };
    let loader = sources.loader.clone();
    let status = Arc::new(ResourceStatus::new(app.clone()));
    let is_settled = sources.cluster.is_none() && known_conflicts::try_to_settle(&app, &loader).await.is_ok();
    let mut tasks = background(&app, sources, &status);
    if !is_settled {
        tasks.spawn(known_conflicts::settle(app.clone(), loader.clone()));
    }
    let certificate = match &app.settings.tls {
        Some(tls) => Some(follow_certificate(tls, &mut tasks).await?),
        None => None,
    };
    tasks.spawn(hangup.follow(app.clone(), loader, certificate.clone()));
    if let Some(hook) = &app.settings.webhook {
        judge_resources(hook, judge, app.clone(), &mut tasks).await?;
    }
    if let Some(address) = app.settings.metrics_listen {
        let listener = bind(address)
            .with_context(|| format!("cannot listen on {address}; set METRICS_LISTEN to another address"))?;
        let limits = app.settings.connections;
        let plain = Watching { inner: NoDelayAcceptor::new(), door: Door::with_room_for(FEW, app.clone()), limits };
        let mut server = axum_server::from_tcp(listener)?.acceptor(plain);
        limit(server.http_builder(), limits);
        let routes = endpoint::operators_router(app.clone()).into_make_service();
        // Until the process ends: probes are answered while the server drains.
        tasks.spawn(async move { drop(server.serve(routes).await) });
    }
    if let (None, Some(store)) = (&app.settings.store.redis, &app.settings.store.path) {
        take_orders(&admin::beside(store), orders, &mut tasks);
    }
    let handle = Handle::new();
    let stopping = tokio::spawn(stop_on_signal(app.clone(), handle.clone()));
    let bound = announce(&handle, ready);
    let outcome = tokio::join!(listen(&app, certificate, handle.clone()), bound).0;
    stopping.abort();
    tasks.shutdown().await;
    // The next replica would have to wait for the lease to end; an outage of the store is logged elsewhere.
    if app.settings.kubernetes.enabled {
        drop(status.resign().await);
    }
    app.services.keys.retire().await;
    if let Err(error) = app.store.close().await {
        tracing::warn!(cause = format!("{error:#}"), "the store could not be closed; the next start takes care of it");
    }
    outcome
}

async fn listen(app: &App, certificate: Option<Certificate>, handle: Handle<SocketAddr>) -> Result<()> {
    let (address, limits) = (app.settings.listen, app.settings.connections);
    let door = Door::of_the_public(app.clone());
    let routes = endpoint::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let cannot = || format!("cannot listen on {address}; set LISTEN to another address");
    match certificate {
        None => {
            let plain = Watching { inner: NoDelayAcceptor::new(), door, limits };
            let mut server = axum_server::bind(address).acceptor(plain).handle(handle);
            limit(server.http_builder(), limits);
            server.serve(routes).await.with_context(cannot)
        }
        Some(certificate) => {
            let tls = RustlsAcceptor::new(certificate.config()).handshake_timeout(limits.first_byte);
            let inner = tls.acceptor(NoDelayAcceptor::new());
            let mut server = axum_server::bind(address).acceptor(Watching { inner, door, limits }).handle(handle);
            limit(server.http_builder(), limits);
            server.serve(routes).await.with_context(cannot)
        }
    }
}

/// Limits on what a client may make us wait for and buffer before a request is complete.
fn limit(builder: &mut Builder<TokioExecutor>, limits: Connections) {
    // Deadlines are those of `connection`.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(MAX_HEAD as usize);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).max_header_list_size(MAX_HEAD);
    http2.keep_alive_interval(PING.min(limits.idle / 2)).keep_alive_timeout(limits.first_byte);
}

fn bind(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn announce(handle: &Handle<SocketAddr>, ready: impl FnOnce(SocketAddr)) {
    if let Some(address) = handle.listening().await {
        ready(address);
    }
}

/// Serves the webhook, also while the server drains: without it the API server stores nothing.
async fn judge_resources(hook: &Webhook, judge: Judge, app: App, tasks: &mut JoinSet<()>) -> Result<()> {
    let certificate = follow_certificate(&hook.tls, tasks).await?;
    let listener = bind(hook.listen)
        .with_context(|| format!("cannot listen on {}; set WEBHOOK_LISTEN to another address", hook.listen))?;
    let limits = app.settings.connections;
    let inner = RustlsAcceptor::new(certificate.config()).handshake_timeout(limits.first_byte);
    let acceptor = Watching { inner, door: Door::with_room_for(FEW, app), limits };
    let mut server = axum_server::from_tcp(listener)?.acceptor(acceptor);
    limit(server.http_builder(), limits);
    tasks.spawn(async move { drop(server.serve(webhook::router(judge).into_make_service()).await) });
    Ok(())
}

/// Only this process can open its store, so commands come to it.
fn take_orders(path: &Path, orders: CarryOut, tasks: &mut JoinSet<()>) {
    match admin::bind(path) {
        Ok(listener) => drop(tasks.spawn(admin::serve(listener, path.to_owned(), orders))),
        Err(error) => {
            let cause = format!("{error:#}");
            tracing::warn!(cause, "`keys` and `sessions` need the store to themselves: stop the server to use them");
        }
    }
}

/// A certificate that is read again when its files change.
async fn follow_certificate(files: &Tls, tasks: &mut JoinSet<()>) -> Result<Certificate> {
    let certificate = Certificate::open(files).await?;
    tasks.spawn(certificate.clone().follow());
    Ok(certificate)
}

fn background(app: &App, Sources { loader, cluster }: Sources, status: &Arc<ResourceStatus>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if let Some(cluster) = cluster {
        tasks.spawn(cluster.clone().follow(loader.clone(), app.registry.clone(), app.services.metrics.clone()));
        tasks.spawn(cluster.publish(app.registry.clone(), status.clone()));
    }
    tasks.spawn(reload::watch(loader, app.registry.clone()));
    let services = app.services.clone();
    tasks.spawn(every(TICK, async move || {
        sleep(jitter(services.random.as_ref())).await;
        // Failures are logged where they are noticed.
        drop(services.keys.tick().await);
    }));
    let keys = app.services.keys.clone();
    tasks.spawn(every(NEWS, async move || drop(keys.follow_news().await)));
    let views = app.views.clone();
    tasks.spawn(every(VIEWS, async move || {
        let views = views.clone();
        let read = tokio::task::spawn_blocking(move || views.reload()).await;
        if let Err(error) = read.map_err(anyhow::Error::from).flatten() {
            tracing::warn!(cause = format!("{error:#}"), "the tenants' templates could not be read");
        }
    }));
    let (refresh, backends) = (app.settings.templates_refresh, app.settings.backends.clone());
    tasks.spawn(follow_buckets::follow(app.views.clone(), app.registry.clone(), refresh, backends));
    tasks.spawn(health::watch(app.clone()));
    let resuming = app.clone();
    tasks.spawn(every(DELIVERIES, async move || {
        let app = &resuming;
        if app.registry.missing().is_some() {
            return;
        }
        let issuer_of = |delivery: &Delivery| app.issuer_named(&delivery.tenant, &delivery.participant.issuer);
        // Outages are reported by the requests that they affect; pending deliveries wait for the end of it.
        drop(sign_out::resume(&app.store, app.services.clock.now(), issuer_of).await);
    }));
    let counting = app.clone();
    tasks.spawn(every(COUNT, async move || counting.count_sessions().await));
    let store = app.store.clone();
    tasks.spawn(every(SWEEP, async move || {
        if let Err(error) = store.sweep().await {
            let cause = format!("{error:#}");
            tracing::warn!(cause, "what has expired could not be dropped; it will be tried again");
        }
    }));
    tasks
}

/// A delay of up to [`JITTER`], so that replicas that were started together do not act at the same time.
fn jitter(random: &dyn Random) -> Duration {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    JITTER.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

/// Runs `job` periodically, never twice at once.
async fn every(period: Duration, job: impl AsyncFn()) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        job().await;
    }
}

/// SIGTERM and SIGINT: readiness ends first, then the listener, then pending requests finish.
async fn stop_on_signal(app: App, handle: Handle<SocketAddr>) -> Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: no new requests, those under way may finish");
    app.stop();
    if app.settings.production {
        sleep(NOTICE).await;
    }
    handle.graceful_shutdown(Some(DRAIN));
    Ok(())
}
