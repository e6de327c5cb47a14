//! A process that runs scripts takes its own rights away before it reads the first one. What goes beyond ends it, and the
//! server starts another.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// What the process needs besides the engines: messages, and the pieces of a request that is put together.
const BESIDES: u64 = 48 << 20;
/// What a turn may compute beyond its time, for a process whose server is gone. The server itself is stricter.
const ORPHANED: Duration = Duration::from_secs(5);

/// The limits of this process, some of which move.
pub(super) struct Confined {
    /// Bytes of address space, without those of a single computation.
    space: u64,
    /// Bytes of address space with them.
    most: u64,
}

/// Limits this process for good. An engine may have `memory` bytes, a single computation `computation` bytes more.
///
/// Errors: the system does not allow it, and then no script may run.
pub(super) fn confine(memory: u64, computation: u64) -> Result<Confined> {
    // The kernel stops these first when memory runs out. An unwilling /proc is no reason not to serve.
    drop(std::fs::write("/proc/self/oom_score_adj", "1000"));
    let space = pages()?.0 + 2 * memory + BESIDES;
    let most = space + computation;
    let never = |resource| setrlimit(resource, Rlimit { current: Some(0), maximum: Some(0) });
    never(Resource::Core)?;
    never(Resource::Fsize)?;
    setrlimit(Resource::Nofile, Rlimit { current: Some(8), maximum: Some(8) })?;
    let confined = Confined { space, most };
    confined.narrow()?;
    Ok(confined)
}

impl Confined {
    /// There is room for the engines alone.
    pub(super) fn narrow(&self) -> Result<()> {
        self.allow(self.space)
    }

    /// There is room for a computation of so many bytes, too.
    pub(super) fn widen(&self, bytes: u64) -> Result<()> {
        self.allow(self.space.saturating_add(bytes).min(self.most))
    }

    fn allow(&self, space: u64) -> Result<()> {
        let limit = Rlimit { current: Some(space), maximum: Some(self.most) };
        setrlimit(Resource::As, limit).context("the memory of this process cannot be limited")
    }

    /// Ends this process some time after `turn`, should nobody else do so.
    pub(super) fn expect_end(&self, turn: Duration) -> Result<()> {
        let seconds = (computed() + turn + ORPHANED).as_secs() + 1;
        setrlimit(Resource::Cpu, Rlimit { current: Some(seconds), maximum: None }).context("setrlimit")
    }
}

/// What this process has computed so far.
pub(super) fn computed() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}

/// Bytes that this process holds for itself alone; 0 where nobody knows.
pub(super) fn held() -> u64 {
    pages().map_or(0, |(_, own)| own)
}

/// Bytes of address space, and those that are in memory and no part of a file.
fn pages() -> Result<(u64, u64)> {
    let mut text = String::new();
    std::fs::File::open("/proc/self/statm").and_then(|mut file| file.read_to_string(&mut text))?;
    let mut numbers = text.split(' ').map(|number| number.trim().parse::<u64>().unwrap_or_default());
    let mut next = || numbers.next().unwrap_or_default();
    let (size, resident, shared) = (next(), next(), next());
    let page = rustix::param::page_size() as u64;
    Ok((size * page, resident.saturating_sub(shared) * page))
}
