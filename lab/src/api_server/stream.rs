//! Bodies that come bit by bit.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Shared;
use super::answer::Body;
use super::objects::key;

/// Bookmarks come this often, so that a test sees some.
const BOOKMARKS: Duration = Duration::from_millis(200);

/// What a watch is about.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) plural: String,
    pub(super) kind: String,
    pub(super) api_version: String,
    /// Empty for all.
    pub(super) namespace: String,
    /// Empty for all.
    pub(super) name: String,
    /// The version that it goes on from.
    pub(super) from: u64,
}

/// A body fed by a task, which ends with it.
struct Fed {
    bits: mpsc::Receiver<io::Result<Bytes>>,
    _task: JoinSet<()>,
}

impl HttpBody for Fed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let bit = self.bits.poll_recv(cx);
        bit.map(|bit| bit.map(|bit| bit.map(Frame::data)))
    }
}

/// A body that breaks off after some bytes.
pub(super) fn broken(bytes: Bytes) -> Body {
    let (feed, bits) = mpsc::channel(2);
    let sent = feed
        .try_send(Ok(bytes))
        .and(feed.try_send(Err(io::Error::other("cut"))));
    debug_assert!(sent.is_ok(), "there is room for both");
    Fed {
        bits,
        _task: JoinSet::new(),
    }
    .boxed()
}

/// Events from a version on, for some seconds.
pub(super) fn events(shared: Arc<Shared>, watching: Watching, seconds: u64) -> Body {
    let (feed, bits) = mpsc::channel(16);
    let mut task = JoinSet::new();
    task.spawn(async move {
        let lasting = Duration::from_secs(seconds);
        let _its_time = tokio::time::timeout(lasting, tell(shared, watching, feed)).await;
    });
    Fed { bits, _task: task }.boxed()
}

async fn tell(shared: Arc<Shared>, mut watching: Watching, feed: mpsc::Sender<io::Result<Bytes>>) {
    let mut changed = shared.changed.subscribe();
    loop {
        changed.borrow_and_update();
        let (events, now) = {
            let state = shared.state.lock();
            let events = state.objects.since(&watching.plural, watching.from);
            (events, state.objects.version())
        };
        // Compacted away under the watch: it ends, and the next one gets 410.
        let Some(events) = events else { return };
        for event in events {
            watching.from = event.version;
            if watching.wants(&event.object) && !send(&feed, event.kind, &event.object).await {
                return;
            }
        }
        watching.from = watching.from.max(now);
        let woken = tokio::time::timeout(BOOKMARKS, changed.changed()).await;
        if woken.is_err() && !send(&feed, "BOOKMARK", &watching.bookmark()).await {
            return;
        }
    }
}

impl Watching {
    fn wants(&self, object: &Value) -> bool {
        let (namespace, name) = key(object);
        (self.namespace.is_empty() || namespace == self.namespace)
            && (self.name.is_empty() || name == self.name)
    }

    fn bookmark(&self) -> Value {
        json!({
            "kind": self.kind,
            "apiVersion": self.api_version,
            "metadata": {"resourceVersion": self.from.to_string()},
        })
    }
}

async fn send(feed: &mpsc::Sender<io::Result<Bytes>>, kind: &str, object: &Value) -> bool {
    let line = format!("{}\n", json!({"type": kind, "object": object}));
    feed.send(Ok(Bytes::from(line))).await.is_ok()
}
