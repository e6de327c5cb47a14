//! A proxy before Redis that loses one response: the command is executed, and then the connection is closed.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Forwards everything until a test makes it lose something.
pub(crate) struct LossyProxy {
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
    lose: Arc<Mutex<Option<&'static str>>>,
}

impl LossyProxy {
    /// A proxy in front of what listens on `target` on this machine. It ends with the test's runtime.
    pub(crate) async fn start(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let lose = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&lose);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, target, Arc::clone(&shared)));
            }
        });
        Self { port, lose }
    }

    /// Loses the response to the next request that contains `command`, and the connection with it.
    pub(crate) fn lose_answer_to(&self, command: &'static str) {
        *self.lose.lock().expect("nobody panics here") = Some(command);
    }

    /// Whether the answer has been lost by now.
    pub(crate) fn has_lost(&self) -> bool {
        self.lose.lock().expect("nobody panics here").is_none()
    }
}

async fn pass_on(mut client: TcpStream, target: u16, lose: Arc<Mutex<Option<&'static str>>>) -> Option<()> {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await.ok()?;
    let (mut sent, mut answered) = (vec![0; 65536], vec![0; 65536]);
    let mut doomed = false;
    loop {
        tokio::select! {
            length = client.read(&mut sent) => {
                let bytes = &sent[..length.ok().filter(|length| *length > 0)?];
                let contains =
                    |command: &mut &str| bytes.windows(command.len()).any(|window| window == command.as_bytes());
                doomed |= lose.lock().expect("nobody panics here").take_if(contains).is_some();
                server.write_all(bytes).await.ok()?;
            }
            length = server.read(&mut answered) => {
                let bytes = &answered[..length.ok().filter(|length| *length > 0)?];
                if doomed {
                    return None;
                }
                client.write_all(bytes).await.ok()?;
            }
        }
    }
}
