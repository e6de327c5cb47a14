//! Ports for the processes that tests start.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many ports a program of tests keeps from the others. Whoever was given an earlier one listens there by now, or has
/// ended.
const KEPT: usize = 256;

/// A free port below those that the system gives to outgoing connections, so that none of them takes it meanwhile. Other
/// programs of tests that run at the same time are given other ones.
///
/// The one ten thousand higher is free, too, and given to nobody: the node of a Redis cluster listens there besides.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    // Each program begins elsewhere.
    let start = std::process::id().wrapping_mul(97);
    let candidates =
        std::iter::repeat_with(|| 12_000 + (start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000) as u16);
    let found = candidates.take(10_000).find(|port| free(*port) && free(*port + 10_000) && keep(*port));
    found.expect("a free port")
}

/// Keeps a port from the other programs, by a lock that ends with this process at the latest; `false` if it is another's.
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
