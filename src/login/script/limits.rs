//! What scripts may cost.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{FetchLimits, MAX_COMPUTATION};
use crate::outgoing::backends::Backends;

/// Bytes of memory for the scripts of all tenants, where the machine has more than twice as many.
const MEMORY_OF_ALL: u64 = 256 << 20;
/// With less, no script could run.
pub(crate) const LEAST_MEMORY: u64 = 160 << 20;

/// What scripts may cost.
#[derive(Clone, Debug)]
pub struct ScriptLimits {
    /// From the question to the answer (`SCRIPT_TIMEOUT`).
    pub timeout: Duration,
    /// How much processor time a script may take without waiting for anything.
    pub busy: Duration,
    /// A tenant whose turn computes for longer makes way for others.
    pub patience: Duration,
    /// Turns at the same time, of tenants whose turns are short.
    pub turns: usize,
    /// Turns at the same time, of tenants whose turns are long.
    pub heavy_turns: usize,
    /// Runs at the same time, waiting ones included; more are refused. One tenant gets at most half of them.
    pub max_runs: usize,
    /// Bytes for the scripts of all tenants: processes, computations, and what they send and receive (`SCRIPT_MEMORY`).
    pub memory: u64,
    /// What one `fetch` may cost.
    pub fetch: FetchLimits,
    /// Which private addresses `fetch` may reach.
    pub backends: Backends,
    /// This program, which runs the scripts.
    pub program: PathBuf,
}

impl Default for ScriptLimits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, NonZero::get);
        Self {
            timeout: Duration::from_secs(30),
            busy: Duration::from_secs(5),
            patience: Duration::from_millis(100),
            turns: (2 * cores).clamp(4, 32),
            heavy_turns: (cores + 1).clamp(3, 16),
            max_runs: 1024,
            memory: memory_of_all(),
            fetch: FetchLimits::default(),
            backends: Backends::default(),
            program: this_program(),
        }
    }
}

impl ScriptLimits {
    /// Bytes for the processes, without their computations, which have [`MAX_COMPUTATION`] together.
    pub(super) fn processes_memory(&self) -> u64 {
        self.memory.max(LEAST_MEMORY) / 8 * 7 - MAX_COMPUTATION
    }

    /// Bytes for what scripts send and receive.
    pub(super) fn bodies_memory(&self) -> u64 {
        self.memory.max(LEAST_MEMORY) / 8
    }
}

/// A quarter of a gigabyte, or half of what a container may have if that is less.
fn memory_of_all() -> u64 {
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse::<u64>().ok());
    limit.map_or(MEMORY_OF_ALL, |limit| (limit / 2).clamp(LEAST_MEMORY, MEMORY_OF_ALL))
}

/// On Linux the name by which the kernel knows this program: it stays what it is when the file is replaced.
fn this_program() -> PathBuf {
    let own = Path::new("/proc/self/exe");
    if own.exists() { own.to_owned() } else { std::env::current_exe().unwrap_or_default() }
}
