//! Ports for the processes that tests start.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many ports a test program reserves at a time. A process with an earlier one listens on it by now, or has ended.
const KEPT: usize = 256;

/// A free port below the range of outgoing connections, so that none of them takes it meanwhile. Other test programs
/// that run at the same time get different ones.
///
/// The port ten thousand higher is free and reserved, too: a Redis cluster node also listens there.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    // Each program begins at another port.
    let start = std::process::id().wrapping_mul(97);
    let candidates =
        std::iter::repeat_with(|| 12_000 + (start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000) as u16);
    let found = candidates.take(10_000).find(|port| free(*port) && free(*port + 10_000) && keep(*port));
    found.expect("a free port")
}

/// Reserves a port against other programs, by a lock that ends with this process; `false` if it is taken.
fn keep(port: u16) -> bool {
    static LOCKS: Mutex<VecDeque<File>> = Mutex::new(VecDeque::new());
    let folder = std::env::temp_dir().join("uitsmijter-test-ports");
    fs::create_dir_all(&folder).expect("a folder for the locks of ports");
    let lock = File::create(folder.join(port.to_string())).expect("a file for the lock of a port");
    let is_ours = lock.try_lock().is_ok();
    if is_ours {
        let mut locks = LOCKS.lock().expect("nobody fails while holding it");
        locks.push_back(lock);
        if locks.len() > KEPT {
            locks.pop_front();
        }
    }
    is_ours
}
