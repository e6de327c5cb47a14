//! The admin socket: commands that need a store which only this process can open, the embedded one. A Unix socket beside
//! the store's file, for the user that the server runs as and for root; one order and one answer per connection, as JSON.

use std::fs::Permissions;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// What a command said, and its exit code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The exit code.
    pub code: u8,
    /// For standard output.
    pub out: String,
    /// For standard error.
    pub errors: String,
}

/// Carries an order out, on a thread that may block; whoever starts the server knows the words.
pub type CarryOut = Arc<dyn Fn(Value) -> Answer + Send + Sync>;

/// The largest order, in bytes.
const MAX_ORDER: u64 = 64 * 1024;
/// How long somebody may take to send one.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many are carried out at the same time.
const AT_A_TIME: usize = 4;
/// The only rights on the socket.
const OWNER_ONLY: u32 = 0o600;

/// The path of the socket for the store in the file `store`.
pub fn beside(store: &Path) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(".admin");
    path.into()
}

/// Binds the socket. One that lies there is left by a process that has ended, because this one has the store.
pub fn bind(path: &Path) -> Result<UnixListener> {
    let whose = || format!("the admin socket {} cannot be opened", path.display());
    if let Ok(found) = path.symlink_metadata() {
        ensure!(found.file_type().is_socket(), "{} is there and is no socket", path.display());
        std::fs::remove_file(path).with_context(whose)?;
    }
    let listener = UnixListener::bind(path).with_context(whose)?;
    std::fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY)).with_context(whose)?;
    Ok(listener)
}

/// Answers at `listener`, which is bound to `path`, until the task ends.
pub async fn serve(listener: UnixListener, path: PathBuf, carry_out: CarryOut) {
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    // The rights of a socket are not looked at everywhere, and it was bound a moment before it got them.
    let owner = path.metadata().map(|found| found.uid()).unwrap_or_default();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_secs(1)).await;
            continue;
        };
        let carry_out = carry_out.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(stream, owner, &carry_out).await {
                tracing::warn!(cause = format!("{error:#}"), "an order at the admin socket was not carried out");
            }
            drop(place);
        });
    }
}

async fn answer(mut stream: UnixStream, owner: u32, carry_out: &CarryOut) -> Result<()> {
    let asking = stream.peer_cred()?.uid();
    ensure!(asking == owner || asking == 0, "it came from the user {asking}");
    let mut order = Vec::new();
    let mut limited = (&mut stream).take(MAX_ORDER);
    timeout(PATIENCE, limited.read_to_end(&mut order)).await.context("it took too long")??;
    let order: Value = serde_json::from_slice(&order).context("it is not JSON")?;
    tracing::info!(%order, "an operator gives an order at the admin socket");
    let carry_out = carry_out.clone();
    let answer = tokio::task::spawn_blocking(move || carry_out(order)).await?;
    stream.write_all(&serde_json::to_vec(&answer)?).await?;
    Ok(stream.shutdown().await?)
}

/// Gives `order` to the server that listens at `path`; `None` if there is none.
pub async fn ask(path: &Path, order: &impl Serialize) -> Result<Option<Answer>> {
    let Ok(mut stream) = UnixStream::connect(path).await else { return Ok(None) };
    stream.write_all(&serde_json::to_vec(order)?).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    ensure!(!answer.is_empty(), "the server at {} did not carry it out; its log says why", path.display());
    serde_json::from_slice(&answer).map(Some).context("the server is of another version")
}
