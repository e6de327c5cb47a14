//! Strangers: requests of somebody who has neither an account nor a client secret, as large as the server takes them.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};

/// The length of the parameter that fills a request.
const FILLING: usize = 15_000;
/// Concurrent connections of the strangers.
const CONNECTIONS: usize = 16;
/// Requests over one connection, after which the next comes from another address.
const PER_CONNECTION: usize = 8;
/// Requests of one round, after which the strangers look whether they may stop.
const ROUND: usize = 2 * CONNECTIONS * PER_CONNECTION;

/// What a stranger asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `GET /authorize` with a long `nonce`.
    Authorize,
    /// `POST /authorize` with the same in its form.
    AuthorizeByPost,
    /// `GET /login` with long `ui_locales`.
    Login,
    /// `GET /activate` with a long `user_code`.
    Activate,
    /// `POST /oauth/device_authorization` with a long `scope` and parameters that nobody knows.
    Device,
    /// A wrong secret for the client `web`.
    Secret,
    /// A name that nobody has, at the client that takes passwords.
    Password,
}

/// Requests that a server would have to remember until somebody goes on with them.
pub(crate) const REQUESTS: [Kind; 5] =
    [Kind::Authorize, Kind::AuthorizeByPost, Kind::Login, Kind::Activate, Kind::Device];

/// Requests that a server would have to hash for, and to count.
pub(crate) const GUESSES: [Kind; 2] = [Kind::Secret, Kind::Password];

/// Where the strangers come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    /// One address.
    One,
    /// Ten thousand of them.
    Many,
}

impl From {
    fn address(self, number: usize) -> Ipv4Addr {
        match self {
            Self::One => Ipv4Addr::new(127, 66, 0, 1),
            Self::Many => Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 77, 0, 1)) + (number % 10_000) as u32),
        }
    }
}

/// What became of a flood.
#[derive(Default, Debug)]
pub(crate) struct Flooded {
    /// How often each kind of request had each status.
    pub(crate) statuses: BTreeMap<(Kind, u16), usize>,
    /// Connections that the server closed before it answered.
    pub(crate) closed: usize,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Flooded {
    /// How many answers there were.
    pub(crate) fn answered(&self) -> usize {
        self.statuses.values().sum()
    }

    /// Answers that say that the server failed. 503 says that it defends itself.
    pub(crate) fn failed(&self) -> usize {
        let failures = self.statuses.iter().filter(|((_, status), _)| *status >= 500 && *status != 503);
        failures.map(|(_, count)| count).sum()
    }
}

/// Sends `count` requests of these kinds in turn, the first with this number.
async fn flood(port: u16, kinds: &[Kind], from: From, first: usize, count: usize) -> Flooded {
    let (total, next) = (first + count, Arc::new(AtomicUsize::new(first)));
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (kinds, next) = (kinds.to_vec(), next.clone());
        connections.spawn(async move { send_all(port, &kinds, from, total, &next).await });
    }
    let mut flooded = Flooded::default();
    while let Some(one) = connections.join_next().await {
        let one = one.expect("a stranger does not give up");
        flooded.closed += one.closed;
        for (answer, count) in one.statuses {
            *flooded.statuses.entry(answer).or_default() += count;
        }
    }
    flooded
}

async fn send_all(port: u16, kinds: &[Kind], from: From, total: usize, next: &AtomicUsize) -> Flooded {
    let mut flooded = Flooded::default();
    loop {
        let first = next.fetch_add(PER_CONNECTION, Ordering::Relaxed);
        if first >= total {
            return flooded;
        }
        let Ok(mut stream) = connect(port, from.address(first / PER_CONNECTION)).await else {
            flooded.closed += 1;
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        for number in first..total.min(first + PER_CONNECTION) {
            let kind = kinds[number % kinds.len()];
            let Ok(status) = exchange(&mut stream, &request(kind, number)).await else {
                flooded.closed += 1;
                break;
            };
            *flooded.statuses.entry((kind, status)).or_default() += 1;
        }
    }
}

/// A connection to the server from this address.
pub(crate) async fn connect(port: u16, from: Ipv4Addr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

fn request(kind: Kind, number: usize) -> String {
    let filling = format!("{number:08}{}", "x".repeat(FILLING - 8));
    let asked = "client_id=native&redirect_uri=http://127.0.0.1:9/callback&response_type=code&scope=openid&state=s\
                 &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    match kind {
        Kind::Authorize => get(&format!("/authorize?{asked}&nonce={filling}")),
        Kind::AuthorizeByPost => post("/authorize", "", &format!("{asked}&nonce={filling}")),
        Kind::Login => get(&format!("/login?ui_locales={filling}")),
        Kind::Activate => get(&format!("/activate?user_code={filling}")),
        Kind::Device => {
            let scope = "openid+".repeat(200);
            post("/oauth/device_authorization", "", &format!("client_id=tv&scope={scope}openid&x={filling}"))
        }
        Kind::Secret => {
            let form = format!("grant_type=client_credentials&client_id=web&client_secret={filling}");
            post("/token", "", &form)
        }
        Kind::Password => {
            let form = format!("grant_type=password&client_id=desk&username={filling}&password=guess-{number}");
            post("/token", "", &form)
        }
    }
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n")
}

fn post(target: &str, head: &str, form: &str) -> String {
    let length = form.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\n{head}Content-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\n\r\n{form}"
    )
}

/// The status of the answer; its body is read and forgotten.
async fn exchange(stream: &mut TcpStream, request: &str) -> Result<u16> {
    stream.write_all(request.as_bytes()).await?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    let head = loop {
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        match stream.read(&mut buffer).await? {
            0 => return Err(Error::from(ErrorKind::UnexpectedEof)),
            read => answer.extend_from_slice(&buffer[..read]),
        }
    };
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut left = (head + length.unwrap_or(0usize)).saturating_sub(answer.len());
    while left > 0 {
        let wanted = left.min(buffer.len());
        match stream.read(&mut buffer[..wanted]).await? {
            0 => return Err(Error::from(ErrorKind::UnexpectedEof)),
            read => left -= read,
        }
    }
    status.ok_or_else(|| Error::from(ErrorKind::InvalidData))
}

/// Floods until `done` and at least `total` requests were answered, round after round.
pub(crate) async fn flood_until(port: u16, kinds: &[Kind], from: From, total: usize, done: &AtomicBool) -> Flooded {
    let (begun, mut all, mut first) = (Instant::now(), Flooded::default(), 0);
    while !done.load(Ordering::Relaxed) || first < total {
        let one = flood(port, kinds, from, first, ROUND).await;
        first += ROUND;
        all.closed += one.closed;
        for (answer, count) in one.statuses {
            *all.statuses.entry(answer).or_default() += count;
        }
    }
    all.took = begun.elapsed();
    all
}

/// Opens this many connections, each from an address of its own, and sends `words` on each.
pub(crate) async fn silent(port: u16, from: From, count: usize, words: &[u8]) -> Vec<TcpStream> {
    let opened = (0..count).map(|number| async move {
        let mut stream = connect(port, from.address(number)).await.ok()?;
        stream.write_all(words).await.ok()?;
        Some(stream)
    });
    join_all(opened).await.into_iter().flatten().collect()
}
