//! A Kubernetes API server, as far as watching goes, that misbehaves on request.
//!
//! It gets, lists (in pages), watches (with bookmarks), and answers discovery; objects are put in and taken out by the test. Over
//! HTTP/1.1 without TLS. What it does to requests is a [`Fault`], for all kinds or for one.
//!
//! Deliberately absent: writing over HTTP, validation, defaults, selectors other than `metadata.name`.

mod answer;
mod objects;
mod stream;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use objects::Objects;

/// A kind that the server serves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Name in URLs.
    pub plural: String,
    /// Kind.
    pub kind: String,
}

/// What becomes of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// They are answered as they should.
    #[default]
    None,
    /// The connection is closed without an answer.
    Away,
    /// There is never an answer.
    Hang,
    /// This status, in the words of an API server.
    Status(u16),
    /// 200, and a page of HTML.
    Html,
    /// 200, and JSON that is no list and no event.
    OtherJson,
    /// Lists have no items, and nothing else is wrong: but they are of another kind.
    OtherKind,
    /// Lists break off in the middle.
    Truncated,
    /// The first page of a list is fine, the second is 500.
    SecondPage,
    /// Watches get 410.
    Expired,
    /// Watches end as soon as they began.
    Short,
}

/// A running API server. Dropping it closes its socket and its connections.
#[derive(Debug)]
pub struct ApiServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

/// What the server and its connections share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the watches: a change, or a fault.
    changed: watch::Sender<u64>,
    /// Counts up when all connections are to be cut.
    cut: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    objects: Objects,
    fault: Fault,
    faults: BTreeMap<String, Fault>,
    requests: BTreeMap<(&'static str, String), u64>,
}

impl State {
    /// What becomes of a request for a kind.
    fn fault(&self, plural: &str) -> Fault {
        self.faults.get(plural).copied().unwrap_or(self.fault)
    }
}

impl ApiServer {
    /// Starts on a free loopback port, serving some kinds.
    ///
    /// # Errors
    /// When no socket can be had.
    pub async fn start(resources: impl IntoIterator<Item = Resource>) -> io::Result<Self> {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let listener = TcpListener::bind(any).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: watch::Sender::new(0),
            cut: watch::Sender::new(0),
        });
        resources
            .into_iter()
            .for_each(|r| shared.state.lock().objects.serve(r));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            _tasks: tasks,
        })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves another kind: its CRD was installed.
    pub fn serve(&self, resource: Resource) {
        self.change(|s| s.objects.serve(resource));
    }

    /// Serves a kind no longer: its CRD was removed. Its objects are gone without events.
    pub fn unserve(&self, plural: &str) {
        self.change(|s| s.objects.unserve(plural));
    }

    /// Creates or replaces an object, as `kubectl apply` would. Sets `uid`, `generation` and `resourceVersion`.
    ///
    /// # Panics
    /// When it is not an object of a kind that is served: a mistake in the test.
    pub fn apply(&self, object: Value) {
        self.change(|s| s.objects.apply(object));
    }

    /// Deletes an object; the namespace is empty for cluster-scoped kinds. Nothing happens when it is not there.
    pub fn delete(&self, plural: &str, namespace: &str, name: &str) {
        self.change(|s| s.objects.delete(plural, namespace, name));
    }

    /// Forgets all events, as compaction does: a watch from an older version gets 410.
    pub fn compact(&self) {
        self.change(|s| s.objects.compact());
    }

    /// What becomes of all requests from now on. Watches that are open are cut.
    pub fn fault(&self, fault: Fault) {
        self.change(|s| s.fault = fault);
        self.cut();
    }

    /// What becomes of the requests for one kind from now on; watches that are open stay as they are.
    pub fn fault_of(&self, plural: &str, fault: Fault) {
        self.change(|s| {
            s.faults.insert(plural.to_owned(), fault);
        });
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        self.shared.cut.send_modify(|n| *n += 1);
    }

    /// Requests so far for a kind; `verb` is `get`, `list` or `watch`. One for each page of a list.
    #[must_use]
    pub fn requests(&self, verb: &'static str, plural: &str) -> u64 {
        let state = self.shared.state.lock();
        let key = (verb, plural.to_owned());
        state.requests.get(&key).copied().unwrap_or(0)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) {
        change(&mut self.shared.state.lock());
        self.shared.changed.send_modify(|n| *n += 1);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                }
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves a connection until it ends or is cut.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let mut cut = shared.cut.subscribe();
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { answer::answer(&request, shared).await }
    });
    let http = hyper::server::conn::http1::Builder::new();
    tokio::select! {
        // An answer that is an error closes the connection: that is what `Away` is.
        _ended = http.serve_connection(TokioIo::new(stream), service) => {}
        _ = cut.changed() => {}
    }
}

#[cfg(test)]
mod tests;
