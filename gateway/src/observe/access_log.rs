//! The access log's way out: lines are put into one buffer, a thread of its own writes it.
//!
//! Requests never wait for the disk or a pipe. The buffer is bounded; what does not fit is dropped and counted. A file
//! that was renamed or removed (log rotation) is opened anew within a second, so no signal is needed.

mod sink;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mcwan_telemetry::metrics::Metrics;
use parking_lot::{Condvar, Mutex};

pub use sink::Sink;
use sink::Writer;

/// Bytes that wait at most.
const MAX_BUFFERED: usize = 8 * 1024 * 1024;
/// The writer waits for this much before it writes …
const BATCH: usize = 64 * 1024;
/// … or for this long.
const FLUSH_AFTER: Duration = Duration::from_millis(50);
/// A larger buffer is given back after the burst that needed it.
const MAX_IDLE: usize = 1024 * 1024;
/// At the end, the last lines get this long to be written.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The access log. Dropping it writes what is left.
#[derive(Debug)]
pub struct AccessLog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Told when the buffer stops being empty, has grown to a batch, or closes.
    wake: Condvar,
    /// Told when the writer has ended.
    ended: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    buffer: Vec<u8>,
    closing: bool,
    ended: bool,
}

impl AccessLog {
    /// Opens the sink and starts the writer.
    ///
    /// # Errors
    /// When the file cannot be opened, or there is no thread to be had.
    pub fn open(sink: Sink) -> std::io::Result<Self> {
        let writer = Writer::open(sink)?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || theirs.write_until_closed(writer))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Registers `mcwan_access_log_dropped_total`.
    ///
    /// # Errors
    /// When it is registered already.
    pub fn register(&self, metrics: &Metrics) -> prometheus::Result<()> {
        let shared = Arc::clone(&self.shared);
        metrics.counter(
            "mcwan_access_log_dropped_total",
            "Access-log lines that were not written because the log could not keep up or could not be written.",
            &[],
            move |s| {
                let dropped = shared.dropped.load(Ordering::Relaxed);
                s.add(&[], u32::try_from(dropped).map_or(f64::from(u32::MAX), f64::from));
            },
        )
    }

    /// Adds the line that `write` appends to the buffer it is given.
    pub fn append(&self, write: impl FnOnce(&mut Vec<u8>)) {
        SCRATCH.with_borrow_mut(|line| {
            line.clear();
            write(line);
            self.shared.append(line);
        });
    }

    /// Lines dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        if self.shared.close()
            && let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the access log's writer panicked");
        }
    }
}

impl Shared {
    fn append(&self, line: &[u8]) {
        let mut queue = self.queue.lock();
        let before = queue.buffer.len();
        if before + line.len() > MAX_BUFFERED || queue.closing {
            drop(queue);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.buffer.extend_from_slice(line);
        let after = queue.buffer.len();
        drop(queue);
        // The writer sleeps in two places only: on an empty buffer, and until a batch is there.
        if before == 0 || (before < BATCH && after >= BATCH) {
            self.wake.notify_one();
        }
    }

    fn write_until_closed(&self, mut writer: Writer) {
        let mut batch = Vec::with_capacity(2 * BATCH);
        while self.take(&mut batch) {
            if let Err(lost) = writer.write(&batch) {
                self.dropped.fetch_add(lost.lines, Ordering::Relaxed);
            }
            batch.clear();
            // One burst must not keep megabytes for ever.
            if batch.capacity() > MAX_IDLE {
                batch = Vec::with_capacity(2 * BATCH);
            }
        }
        self.queue.lock().ended = true;
        self.ended.notify_all();
    }

    /// Waits for lines and swaps them with `batch`, which is empty. False at the end.
    fn take(&self, batch: &mut Vec<u8>) -> bool {
        let mut queue = self.queue.lock();
        while queue.buffer.is_empty() && !queue.closing {
            self.wake.wait(&mut queue);
        }
        if queue.buffer.len() < BATCH && !queue.closing {
            self.wake.wait_for(&mut queue, FLUSH_AFTER);
        }
        std::mem::swap(&mut queue.buffer, batch);
        !batch.is_empty()
    }

    /// Asks the writer to end. False when it did not within [`CLOSE_WITHIN`]: a full pipe must not hold up the exit.
    fn close(&self) -> bool {
        let mut queue = self.queue.lock();
        queue.closing = true;
        self.wake.notify_all();
        if !queue.ended {
            self.ended.wait_for(&mut queue, CLOSE_WITHIN);
        }
        queue.ended
    }
}

#[cfg(test)]
mod tests;
