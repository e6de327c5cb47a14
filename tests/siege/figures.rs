//! What a process uses, as the kernel tells.

use std::fs;

use crate::replica::Replica;

/// Resident memory in bytes.
pub(crate) fn resident(replica: &Replica) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", replica.process_id())).expect("a living process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its resident memory");
    let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

/// Open descriptors.
pub(crate) fn descriptors(replica: &Replica) -> usize {
    fs::read_dir(format!("/proc/{}/fd", replica.process_id())).expect("a living process").count()
}

/// Bytes as people read them.
pub(crate) fn mib(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
