//! The whole: router, listener, background tasks, and a stop that loses no request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::RustlsAcceptor;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::app::App;
use crate::certificate::Certificate;
use crate::endpoint;
use crate::hangup::Hangup;
use crate::registry::reload::{self, Loader};
use crate::web::views::follow;

/// How often the policy looks at the keys.
const TICK: Duration = Duration::from_secs(30);
/// How often news of other replicas are read.
const NEWS: Duration = Duration::from_secs(1);
/// How often tenants' templates are looked at.
const VIEWS: Duration = Duration::from_secs(5);
/// How often expired records are dropped, where the store does not do so by itself.
const SWEEP: Duration = Duration::from_secs(60);
/// How long a balancer gets to notice that the server is not ready any more, before the listener goes.
const NOTICE: Duration = Duration::from_secs(5);
/// How long requests under way may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(25);
/// How long a client may take to send the head of a request.
const HEADER_READ: Duration = Duration::from_secs(15);
/// The largest head of a request, in bytes: room for every parameter that may stand in a query.
const MAX_HEAD: u32 = 64 * 1024;

/// Serves until the process is told to stop. `ready` is called once the address is bound.
pub async fn serve(app: App, loader: Arc<Loader>, hangup: Hangup, ready: impl FnOnce(SocketAddr)) -> Result<()> {
    let certificate = match &app.settings.tls {
        Some(tls) => Some(Certificate::open(tls).await?),
        None => None,
    };
    let mut tasks = background(&app, loader.clone());
    tasks.spawn(hangup.follow(app.clone(), loader, certificate.clone()));
    if let Some(certificate) = certificate.clone() {
        tasks.spawn(certificate.follow());
    }
    if let Some(address) = app.settings.metrics_listen {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}; set METRICS_LISTEN to another address"))?;
        let routes = endpoint::operators_router(app.clone());
        // Until the process ends: probes are answered while the server drains.
        tasks.spawn(async move { drop(axum::serve(listener, routes).await) });
    }
    let handle = Handle::new();
    let stopping = tokio::spawn(stop_on_signal(app.clone(), handle.clone()));
    let bound = announce(&handle, ready);
    let outcome = tokio::join!(listen(&app, certificate, handle.clone()), bound).0;
    stopping.abort();
    drop(tasks);
    app.keys.retire().await;
    outcome
}

async fn listen(app: &App, certificate: Option<Certificate>, handle: Handle<SocketAddr>) -> Result<()> {
    let address = app.settings.listen;
    let routes = endpoint::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let cannot = || format!("cannot listen on {address}; set LISTEN to another address");
    match certificate {
        None => {
            let mut server = axum_server::bind(address).acceptor(NoDelayAcceptor::new()).handle(handle);
            limit(server.http_builder());
            server.serve(routes).await.with_context(cannot)
        }
        Some(certificate) => {
            let no_delay = RustlsAcceptor::new(certificate.config()).acceptor(NoDelayAcceptor::new());
            let mut server = axum_server::bind(address).acceptor(no_delay).handle(handle);
            limit(server.http_builder());
            server.serve(routes).await.with_context(cannot)
        }
    }
}

/// What a client may make us wait for and keep in memory before a request is one.
fn limit(builder: &mut Builder<TokioExecutor>) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_READ).max_buf_size(MAX_HEAD as usize);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(MAX_HEAD);
}

async fn announce(handle: &Handle<SocketAddr>, ready: impl FnOnce(SocketAddr)) {
    if let Some(address) = handle.listening().await {
        ready(address);
    }
}

fn background(app: &App, loader: Arc<Loader>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(reload::watch(loader, app.registry.clone()));
    let keys = app.keys.clone();
    tasks.spawn(every(TICK, move || {
        let keys = keys.clone();
        // An outage is logged where it is noticed, once, and so is its end.
        async move { drop(keys.tick().await) }
    }));
    let keys = app.keys.clone();
    tasks.spawn(every(NEWS, move || {
        let keys = keys.clone();
        async move { drop(keys.follow_news().await) }
    }));
    let views = app.views.clone();
    tasks.spawn(every(VIEWS, move || {
        let views = views.clone();
        async move {
            let read = tokio::task::spawn_blocking(move || views.reload()).await;
            if let Err(error) = read.map_err(anyhow::Error::from).flatten() {
                tracing::warn!(cause = format!("{error:#}"), "the tenants' templates could not be read");
            }
        }
    }));
    tasks.spawn(follow::follow(app.views.clone(), app.registry.clone(), app.settings.templates_refresh));
    let store = app.store.clone();
    tasks.spawn(every(SWEEP, move || {
        let store = store.clone();
        async move {
            if let Err(error) = store.sweep().await {
                tracing::warn!(
                    cause = format!("{error:#}"),
                    "what has expired could not be dropped; it will be tried again"
                );
            }
        }
    }));
    tasks
}

/// Runs `job` now and then, never twice at once.
async fn every<F: Future<Output = ()>>(period: Duration, job: impl Fn() -> F) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        job().await;
    }
}

/// SIGTERM and SIGINT: readiness goes first, then the listener, then what is under way finishes.
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
