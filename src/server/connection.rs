//! How long a connection may do nothing: until its first byte, until the head of a request is complete, and between two
//! requests. hyper has one deadline for the last two, and none before it knows the protocol or for HTTP/2 without a stream.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::Service;

use super::door::{Door, Place};
use crate::settings::Connections;

/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(15);
/// RFC 9113 §3.4: what a connection of HTTP/2 begins with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Lets connections in by `door`, prepares them by `inner` (TLS, for instance), and watches them from then on.
#[derive(Clone)]
pub(super) struct Watching<A> {
    pub(super) inner: A,
    pub(super) door: Door,
    pub(super) limits: Connections,
}

impl<A, S> Accept<TcpStream, S> for Watching<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
{
    type Stream = Watched<A::Stream>;
    type Service = Noted<A::Service>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = self.door.enter(stream.peer_addr().ok().map(|peer| peer.ip()));
        let accepted = place.map(|place| (place, self.inner.accept(stream, service)));
        let limits = self.limits;
        Box::pin(async move {
            let (place, accepted) = accepted.ok_or_else(|| io::Error::other("too many connections"))?;
            let (stream, service) = accepted.await?;
            let activity = Arc::new(Activity::new(limits));
            Ok((Watched::new(stream, activity.clone(), place), Noted { inner: service, activity }))
        })
    }
}

/// What happens on a connection.
struct Activity {
    limits: Connections,
    state: Mutex<State>,
}

struct State {
    /// Requests that are being answered.
    under_way: usize,
    /// What it waits for, since when.
    waits_for: Wait,
    since: Instant,
    /// How much of the preface of HTTP/2 came; `None` once the connection began otherwise.
    preface: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// The first byte, and whatever tells which protocol it is.
    Protocol,
    /// The rest of a head.
    Head,
    NextRequest,
}

impl Activity {
    fn new(limits: Connections) -> Self {
        let state = State { under_way: 0, waits_for: Wait::Protocol, since: Instant::now(), preface: Some(0) };
        Self { limits, state: Mutex::new(state) }
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// These bytes came.
    fn heard(&self, bytes: &[u8]) {
        self.with(|state| {
            let Some(known) = state.preface else {
                if state.waits_for != Wait::Head {
                    (state.waits_for, state.since) = (Wait::Head, Instant::now());
                }
                return;
            };
            let expected = &PREFACE[known..];
            let came = bytes.len().min(expected.len());
            let is_preface = bytes[..came] == expected[..came];
            state.preface = is_preface.then_some(known + came);
            // Half a preface is no first byte, and frames of HTTP/2 are no requests: pings come all the time.
            if !is_preface {
                (state.waits_for, state.since) = (Wait::Head, Instant::now());
            } else if known < PREFACE.len() && known + came == PREFACE.len() {
                (state.waits_for, state.since) = (Wait::NextRequest, Instant::now());
            }
        });
    }

    fn began(&self) {
        self.with(|state| state.under_way += 1);
    }

    fn ended(&self) {
        self.with(|state| {
            state.under_way -= 1;
            (state.waits_for, state.since) = (Wait::NextRequest, Instant::now());
        });
    }

    /// When the connection ends unless something happens; `None` while requests are under way.
    fn deadline(&self) -> Option<Instant> {
        self.with(|state| {
            let patience = match state.waits_for {
                Wait::Protocol => self.limits.first_byte,
                Wait::Head => HEAD,
                Wait::NextRequest => self.limits.idle,
            };
            (state.under_way == 0).then(|| state.since + patience)
        })
    }
}

/// A stream that ends when nothing happens for too long.
pub(super) struct Watched<S> {
    inner: S,
    activity: Arc<Activity>,
    alarm: Pin<Box<Sleep>>,
    _place: Place,
}

impl<S> Watched<S> {
    fn new(inner: S, activity: Arc<Activity>, place: Place) -> Self {
        let alarm = Box::pin(sleep_until(activity.deadline().unwrap_or_else(Instant::now)));
        Self { inner, activity, alarm, _place: place }
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(deadline) = self.activity.deadline() else { return Poll::Pending };
        if self.alarm.deadline() != deadline {
            self.alarm.as_mut().reset(deadline);
        }
        self.alarm.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.inner).poll_read(cx, buf) {
            Poll::Pending => self.poll_alarm(cx),
            ready => {
                let came = &buf.filled()[before..];
                if !came.is_empty() {
                    self.activity.heard(came);
                }
                ready
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// The service of one connection, which notes the requests that are under way.
#[derive(Clone)]
pub(super) struct Noted<S> {
    inner: S,
    activity: Arc<Activity>,
}

impl<S, R> Service<R> for Noted<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let under_way = UnderWay::begin(self.activity.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let _under_way = under_way;
            answer.await
        })
    }
}

/// A request under way; a client that gives up drops it.
struct UnderWay(Arc<Activity>);

impl UnderWay {
    fn begin(activity: Arc<Activity>) -> Self {
        activity.began();
        Self(activity)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.ended();
    }
}
