//! A case of a status: objects as an API server has them, and what is known beside them.

use std::path::Path;

use jiff::Timestamp;
use mcwan_k8s::object::Object;
use mcwan_k8s::offer::{PeerOffer, offer};
use mcwan_k8s::problem::{ObjectRef, Problem};
use mcwan_k8s::render::render;
use mcwan_k8s::served::{self, Served, ServedListener};
use mcwan_k8s::snapshot::ClusterSnapshot;
use mcwan_k8s::status::{Answer, Facts, PeerFacts, Review, StatusWrite, Verdict, review};
use mcwan_k8s::translate::{Scope, translate};
use serde_json::{Value, json};

use crate::case;

/// All that a status is made of.
#[derive(Debug, Clone)]
pub(crate) struct World {
    snapshot: ClusterSnapshot,
    offers: Vec<PeerOffer>,
    pub(crate) served: Vec<Served>,
    peers: Vec<PeerFacts>,
    now: Timestamp,
    turn: usize,
}

/// How much a review still wants to write.
pub(crate) fn full(review: &Review) -> usize {
    review.writes.len()
}

impl World {
    /// Reads a case.
    pub(crate) fn read(path: &Path) -> Self {
        let case = case::read(path);
        let text = std::fs::read_to_string(path).unwrap();
        let lines = |word: &str| -> Vec<String> {
            let found = text.lines().filter_map(|l| l.strip_prefix(word));
            found.map(|l| l.trim().to_owned()).collect()
        };
        let mut world = Self {
            snapshot: case.cluster,
            offers: case.offers,
            served: Vec::new(),
            peers: lines("# peer:").iter().map(|l| peer(l)).collect(),
            now: "2030-01-01T00:00:00Z".parse().unwrap(),
            turn: 0,
        };
        for line in lines("# served:") {
            if line == "all" {
                world.serve_all();
            } else {
                let answer = world.answer(&line);
                world.served.push(answer);
            }
        }
        world
    }

    /// A gateway's answer.
    fn answer(&self, line: &str) -> Served {
        let mut value: Value = serde_saphyr::from_str(line).unwrap();
        if value["objects"] == "all" {
            let word = |field: &str| value[field].as_str().unwrap().to_owned();
            let gateway = (word("namespace"), word("name"));
            value["objects"] = json!(served::objects(&self.snapshot, &gateway));
        }
        serde_json::from_value(value).unwrap()
    }

    /// Has one gateway for each Gateway serve all objects as they are.
    pub(crate) fn serve_all(&mut self) {
        let translation = translate(&self.snapshot, &Scope::apart());
        let sockets = translation.table.sockets.iter();
        // The rendered listeners need not be in the case.
        let policies = self.snapshot.wan_policies.values().map(|p| ServedListener {
            listener: String::new(),
            socket: ([10, 77, 0, 1], u16::try_from(p.spec.port).unwrap_or(1)).into(),
            error: String::new(),
        });
        let listeners: Vec<ServedListener> = sockets
            .flat_map(|s| {
                s.listeners.iter().map(|l| ServedListener {
                    listener: l.name.clone(),
                    socket: s.socket,
                    error: String::new(),
                })
            })
            .chain(policies)
            .collect();
        self.served = self
            .snapshot
            .gateways
            .keys()
            .map(|key| Served {
                namespace: key.0.clone(),
                name: key.1.clone(),
                table: 1,
                objects: served::objects(&self.snapshot, key),
                listeners: listeners.clone(),
            })
            .collect();
    }

    /// What comes of it.
    pub(crate) fn review(&self) -> Review {
        let (rendered, mut problems) = render(&self.snapshot, &self.offers);
        problems.extend(offer(&self.snapshot).1);
        let translation = translate(&self.snapshot, &Scope::apart());
        let turned = |problems: &mut Vec<Problem>| {
            let turn = self.turn % problems.len().max(1);
            problems.rotate_left(turn);
        };
        turned(&mut problems);
        review(&Facts {
            snapshot: &self.snapshot,
            rendered: &rendered,
            translation: &translation,
            problems: &problems,
            served: &self.served,
            peers: &self.peers,
            now: self.now,
        })
    }

    /// Writes statuses as an API server would, and sets the clock.
    pub(crate) fn write(&mut self, writes: &[StatusWrite], now: &str) {
        self.now = now.parse().unwrap();
        self.change(|reference, value| {
            let Some(write) = writes.iter().find(|w| w.object == *reference) else {
                return;
            };
            let mut status = value["status"].clone();
            merge(&mut status, &write.status);
            value["status"] = status;
        });
    }

    /// Takes the statuses off all objects.
    pub(crate) fn forget_statuses(&mut self) {
        self.change(|_, value| {
            value.as_object_mut().unwrap().remove("status");
        });
    }

    /// Counts every generation up by one.
    pub(crate) fn next_generation(&mut self) {
        self.change(|_, value| {
            let generation = value["metadata"]["generation"].as_i64().unwrap_or(1);
            value["metadata"]["generation"] = json!(generation + 1);
        });
    }

    /// The generation of an object.
    pub(crate) fn generation(&self, object: &ObjectRef) -> Option<i64> {
        let mut objects = self.snapshot.iter();
        objects
            .find(|o| o.reference() == *object)?
            .meta()
            .generation
    }

    /// Turns everything that comes as a list.
    pub(crate) fn shuffle(&mut self, seed: u64) {
        let seed = usize::try_from(seed % 1000).unwrap();
        self.turn = seed;
        let (served, peers) = (self.served.len().max(1), self.peers.len().max(1));
        self.served.rotate_left(seed % served);
        self.peers.rotate_left(seed % peers);
        for answer in &mut self.served {
            let (objects, listeners) = (answer.objects.len().max(1), answer.listeners.len().max(1));
            answer.objects.rotate_left(seed % objects);
            answer.listeners.rotate_left(seed % listeners);
        }
    }

    /// Changes the objects that have a status.
    fn change(&mut self, change: impl Fn(&ObjectRef, &mut Value)) {
        let objects: Vec<Object> = self.snapshot.iter().collect();
        for object in objects {
            let reference = object.reference();
            let mut value = serde_json::to_value(&object).unwrap();
            let before = value.clone();
            change(&reference, &mut value);
            if value != before {
                let text = serde_saphyr::to_string(&value).unwrap();
                let manifest = mcwan_k8s::manifest::parse(text.as_bytes());
                assert!(manifest.errors.is_empty(), "{:?}\n{text}", manifest.errors);
                let changed = manifest.objects.into_iter().map(|p| p.object);
                self.snapshot = self.snapshot.clone().with(changed);
            }
        }
    }
}

/// JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

fn peer(line: &str) -> PeerFacts {
    let value: Value = serde_saphyr::from_str(line).unwrap();
    let verdict = |field: &str| {
        let word = |i: usize| value[field][i].as_str().unwrap_or_default().to_owned();
        let answer = match word(0).as_str() {
            "True" => Answer::True,
            "False" => Answer::False,
            _ => Answer::Unknown,
        };
        Verdict::new(answer, word(1), word(2))
    };
    PeerFacts {
        name: value["name"].as_str().unwrap().to_owned(),
        connected: verdict("connected"),
        synced: verdict("synced"),
        last_sync: value["lastSync"].as_str().map(|t| t.parse().unwrap()),
        services: value["services"]
            .as_u64()
            .map(|n| u32::try_from(n).unwrap()),
    }
}
