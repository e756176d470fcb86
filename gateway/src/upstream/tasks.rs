//! Tasks with an owner.

use std::sync::OnceLock;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Where the tasks of connections run, and who waits for them.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    runtime: OnceLock<Handle>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Decides the runtime, unless that is done.
    pub(crate) fn use_runtime(&self, handle: &Handle) {
        self.runtime.get_or_init(|| handle.clone());
    }

    /// The runtime: decided, or else the current one, if any.
    pub(crate) fn runtime(&self) -> Option<&Handle> {
        if let (None, Ok(handle)) = (self.runtime.get(), Handle::try_current()) {
            self.use_runtime(&handle);
        }
        self.runtime.get()
    }

    /// Runs `task`, unless there is no runtime or all is being stopped. Returns whether it runs.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let Some(runtime) = self.runtime().filter(|_| !self.stop.is_cancelled()) else {
            return false;
        };
        // The tracker owns the task; the handle adds nothing.
        drop(self.tracker.spawn_on(task, runtime));
        true
    }

    /// Ends all tasks and waits for them.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Cancelled when all tasks are to end.
    pub(super) fn stop_token(&self) -> CancellationToken {
        self.stop.child_token()
    }

    /// Ends when all tasks are to end.
    pub(super) async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}
