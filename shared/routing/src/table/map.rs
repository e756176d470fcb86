//! Maps of the index. They are only looked up, never walked, so their order shows nowhere.

use std::net::SocketAddr;

use foldhash::fast::RandomState;

#[expect(
    clippy::disallowed_types,
    reason = "an index that is only looked up; its order is never seen"
)]
pub(super) type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;

/// A map by socket address.
pub(super) type SocketMap<V> = HashMap<SocketAddr, V>;

/// Up to this many entries are searched one by one: faster than hashing, and several times smaller.
const FEW: usize = 8;

/// A map by string: a list while it is small, else a hash map with a random seed.
#[derive(Debug)]
pub(super) enum StrMap<V> {
    /// At most [`FEW`].
    Few(Box<[(Box<str>, V)]>),
    /// More. Boxed, because most maps of a table are small.
    Many(Box<HashMap<Box<str>, V>>),
}

impl<V> StrMap<V> {
    /// Looks up.
    pub(super) fn get(&self, key: &str) -> Option<&V> {
        match self {
            Self::Few(list) => list.iter().find(|(k, _)| **k == *key).map(|(_, v)| v),
            Self::Many(map) => map.get(key),
        }
    }

    /// Whether there is nothing in it.
    pub(super) const fn is_empty(&self) -> bool {
        matches!(self, Self::Few(list) if list.is_empty())
    }
}

impl<V> Default for StrMap<V> {
    fn default() -> Self {
        Self::Few(Box::default())
    }
}

/// The keys are distinct: they come from maps.
impl<V> FromIterator<(Box<str>, V)> for StrMap<V> {
    fn from_iter<I: IntoIterator<Item = (Box<str>, V)>>(entries: I) -> Self {
        let list: Vec<_> = entries.into_iter().collect();
        if list.len() <= FEW {
            Self::Few(list.into_boxed_slice())
        } else {
            Self::Many(Box::new(list.into_iter().collect()))
        }
    }
}
