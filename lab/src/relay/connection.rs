//! One connection through a relay.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep, sleep_until};

use super::{IN_FLIGHT, Shared};

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// The connection cannot go on: reset both sides.
#[derive(Debug)]
struct Reset;

/// Bytes on the way, or the end of them.
struct Chunk {
    due: Instant,
    /// None: FIN.
    bytes: Option<(Bytes, OwnedSemaphorePermit)>,
}

/// Serves one accepted connection until both directions have ended.
pub(super) async fn run(mut near: TcpStream, shared: Arc<Shared>) {
    let outcome = match open(&near, &shared).await {
        Ok(Some(mut far)) => {
            let outcome = exchange(&mut near, &mut far, &shared).await;
            if outcome.is_err() {
                reset(&far);
            }
            outcome
        }
        Ok(None) => Ok(()),
        Err(_) => Err(Reset),
    };
    if outcome.is_err() {
        reset(&near);
    }
}

/// Makes the kernel send RST, not FIN, when the stream is dropped.
fn reset(stream: &TcpStream) {
    // A socket that is gone already needs no reset.
    let _gone = stream.set_zero_linger().is_err();
}

/// Connects to the target, one round trip later as a handshake through the tunnel would. None when the client went
/// away during a cut: its SYN would never have arrived.
async fn open(near: &TcpStream, shared: &Shared) -> io::Result<Option<TcpStream>> {
    near.set_nodelay(true)?;
    let waited = shared.is_cut();
    shared.passable().await;
    let round_trip = 2 * shared.config.delay;
    if waited {
        // The flags are as fresh as the runtime's last look at its sockets, so it gets time for one.
        sleep(round_trip.max(Duration::from_millis(1))).await;
        // Writable at once, so this does not wait; it reads the flags.
        let ready = near.ready(Interest::READABLE | Interest::WRITABLE).await?;
        if ready.is_read_closed() {
            return Ok(None);
        }
    } else {
        sleep(round_trip).await;
    }
    let far = TcpStream::connect(shared.config.target).await?;
    far.set_nodelay(true)?;
    Ok(Some(far))
}

async fn exchange(near: &mut TcpStream, far: &mut TcpStream, shared: &Shared) -> Result<(), Reset> {
    let (near_read, near_write) = near.split();
    let (far_read, far_write) = far.split();
    tokio::try_join!(
        pump(near_read, far_write, shared, &shared.to_target),
        pump(far_read, near_write, shared, &shared.from_target),
    )?;
    Ok(())
}

/// One direction: reads at once, delivers when due.
async fn pump(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    shared: &Shared,
    delivered: &AtomicU64,
) -> Result<(), Reset> {
    // The semaphore bounds the bytes; the channel bounds the chunks of a sender of single bytes.
    let (queue, due) = mpsc::channel(4096);
    let is_reset = AtomicBool::new(false);
    tokio::try_join!(
        read(from, queue, shared, &is_reset),
        deliver(due, to, shared, (delivered, &is_reset)),
    )?;
    Ok(())
}

async fn read(
    mut from: ReadHalf<'_>,
    queue: mpsc::Sender<Chunk>,
    shared: &Shared,
    is_reset: &AtomicBool,
) -> Result<(), Reset> {
    let space = Arc::new(Semaphore::new(IN_FLIGHT as usize));
    let mut buffer = vec![0; CHUNK];
    let mut due = Instant::now();
    loop {
        let read = from.read(&mut buffer).await;
        due = due.max(Instant::now() + shared.config.delay + jitter(shared));
        let bytes = match read {
            Ok(0) => None,
            Ok(n) => {
                let bytes = Bytes::copy_from_slice(buffer.get(..n).unwrap_or_default());
                let n = u32::try_from(n).unwrap_or(IN_FLIGHT);
                let permit = Arc::clone(&space).acquire_many_owned(n).await;
                Some((bytes, permit.map_err(closed)?))
            }
            Err(_) => {
                is_reset.store(true, Ordering::Relaxed);
                None
            }
        };
        let last = bytes.is_none();
        queue.send(Chunk { due, bytes }).await.map_err(closed)?;
        if last {
            return Ok(());
        }
    }
}

/// The other half of this direction is gone.
fn closed<E>(_error: E) -> Reset {
    Reset
}

fn jitter(shared: &Shared) -> Duration {
    shared.config.jitter.mul_f64(fastrand::f64())
}

async fn deliver(
    mut due: mpsc::Receiver<Chunk>,
    mut to: WriteHalf<'_>,
    shared: &Shared,
    (delivered, is_reset): (&AtomicU64, &AtomicBool),
) -> Result<(), Reset> {
    while let Some(chunk) = due.recv().await {
        sleep_until(chunk.due).await;
        let was_cut = shared.is_cut();
        shared.passable().await;
        // A reset connection retransmits nothing: what a cut held back is gone for good.
        if is_reset.load(Ordering::Relaxed) && (was_cut || chunk.bytes.is_none()) {
            return Err(Reset);
        }
        let Some((bytes, _permit)) = chunk.bytes else {
            return to.shutdown().await.map_err(closed);
        };
        to.write_all(&bytes).await.map_err(closed)?;
        delivered.fetch_add(u64::try_from(bytes.len()).unwrap_or(0), Ordering::Relaxed);
    }
    Ok(())
}
