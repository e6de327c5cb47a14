//! Ports for the processes that tests start.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// A free port below those that the system gives to outgoing connections, so that none of them takes it meanwhile.
///
/// The one ten thousand higher is free, too: the node of a Redis cluster listens there besides.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    // Each process of tests begins elsewhere.
    let start = std::process::id().wrapping_mul(97);
    let candidates =
        std::iter::repeat_with(|| 10_000 + (start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000) as u16);
    candidates.take(12_000).find(|port| free(*port) && free(*port + 10_000)).expect("a free port")
}
