//! Which objects are in force, for `/debug/served`.

use std::collections::VecDeque;
use std::sync::Arc;

use mcwan_k8s::object::Key;
use mcwan_k8s::served::{Served, ServedListener, ServedObject};
use mcwan_routing::spec::TableSpec;
use parking_lot::Mutex;

use crate::listen::report::{ListenReport, Sockets};
use crate::live::LiveTable;

/// Tables remembered whose sockets are still to come. They come within milliseconds.
const TABLES: usize = 8;

/// The objects behind one table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    generation: u64,
    objects: Vec<ServedObject>,
}

/// Remembers the objects behind the tables that were published. Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub struct Ledger {
    gateway: Key,
    live: Arc<LiveTable>,
    report: ListenReport,
    records: Arc<Mutex<VecDeque<Record>>>,
}

impl Ledger {
    /// For one Gateway, whose tables are published in `live` and whose sockets `report` tells of.
    #[must_use]
    pub fn new(gateway: Key, live: Arc<LiveTable>, report: ListenReport) -> Self {
        Self {
            gateway,
            live,
            report,
            records: Arc::default(),
        }
    }

    /// The table of this generation was made from these objects. Call it after the publication.
    pub fn record(&self, generation: u64, objects: Vec<ServedObject>) {
        let mut records = self.records.lock();
        match records.back_mut() {
            Some(last) if last.generation == generation => last.objects = objects,
            _ => records.push_back(Record {
                generation,
                objects,
            }),
        }
        if records.len() > TABLES {
            records.remove(1);
        }
    }

    /// What is served now: a table counts from the moment on when the sockets follow it.
    #[must_use]
    pub fn served(&self) -> Served {
        let sockets = self.report.sockets();
        let (namespace, name) = self.gateway.clone();
        let mut records = self.records.lock();
        while records
            .get(1)
            .is_some_and(|r| r.generation <= sockets.generation)
        {
            records.pop_front();
        }
        let first = records
            .front()
            .filter(|r| r.generation <= sockets.generation);
        let Some(record) = first.cloned() else {
            return Served {
                namespace,
                name,
                ..Served::default()
            };
        };
        drop(records);
        Served {
            namespace,
            name,
            table: record.generation,
            objects: record.objects,
            listeners: listeners(self.live.load().table.spec(), &sockets),
        }
    }
}

/// Each listener on each of its sockets.
fn listeners(table: &TableSpec, sockets: &Sockets) -> Vec<ServedListener> {
    let mut listeners: Vec<_> = table
        .sockets
        .iter()
        .flat_map(|s| s.listeners.iter().map(move |l| (s.socket, l)))
        .map(|(socket, listener)| ServedListener {
            listener: listener.name.clone(),
            socket,
            error: sockets.error(socket).unwrap_or_default(),
        })
        .collect();
    listeners.sort_unstable();
    listeners
}
