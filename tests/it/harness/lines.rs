//! Log lines that a test captures.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;
use tracing_subscriber::fmt::MakeWriter;
use uitsmijter::settings::Log;

/// Log lines of one test.
#[derive(Clone, Default)]
pub(crate) struct Lines(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panics while it logs").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Call it before a test listens. With a single subscriber, tracing asks it once whether a line is enabled, on the
/// thread that reaches the line first, and caches the answer for all threads: those of other tests would say no.
pub(crate) fn heed_every_thread() {
    static OTHER: LazyLock<Dispatch> = LazyLock::new(|| {
        uitsmijter::log::dispatch(&Log::default(), std::io::sink, false, None).expect("a subscriber").0
    });
    LazyLock::force(&OTHER);
}
