//! Values by hostname pattern.

use super::map::StrMap;
use crate::hostname::HostPattern;

/// Values by hostname pattern, at most one each.
#[derive(Debug)]
pub(super) struct HostMap<V> {
    exact: StrMap<V>,
    /// By suffix, without `*.`.
    wildcard: StrMap<V>,
    /// Length of the longest key of `wildcard`: bounds the work that a long host of many labels makes.
    longest: usize,
    any: Option<V>,
}

impl<V> HostMap<V> {
    /// Offers the values whose pattern takes `host`, the most specific first, until one is taken.
    pub(super) fn search<'a, R>(
        &'a self,
        host: &str,
        mut take: impl FnMut(&'a V) -> Option<R>,
    ) -> Option<R> {
        if let Some(found) = self.exact.get(host).and_then(&mut take) {
            return Some(found);
        }
        if !self.wildcard.is_empty() {
            let mut suffixes = suffixes(host).filter(|s| s.len() <= self.longest);
            if let Some(found) = suffixes.find_map(|s| self.wildcard.get(s).and_then(&mut take)) {
                return Some(found);
            }
        }
        self.any.as_ref().and_then(take)
    }
}

/// What remains of a host after one label, after two, and so on; the longest first. A wildcard stands for something,
/// so the dot that begins a host does not count.
fn suffixes(host: &str) -> impl Iterator<Item = &str> {
    host.match_indices('.')
        .filter(|(at, _)| *at > 0)
        .filter_map(move |(at, _)| host.get(at + 1..))
}

/// The patterns are distinct: they come from a map.
impl<'p, V> FromIterator<(&'p HostPattern, V)> for HostMap<V> {
    fn from_iter<I: IntoIterator<Item = (&'p HostPattern, V)>>(entries: I) -> Self {
        let (mut exact, mut wildcard, mut any) = (Vec::new(), Vec::new(), None);
        for (pattern, value) in entries {
            match pattern {
                HostPattern::Exact(name) => exact.push((Box::from(name.as_str()), value)),
                HostPattern::Wildcard(suffix) => wildcard.push((Box::from(suffix.as_str()), value)),
                HostPattern::Any => any = Some(value),
            }
        }
        Self {
            longest: wildcard
                .iter()
                .map(|(suffix, _): &(Box<str>, V)| suffix.len())
                .max()
                .unwrap_or(0),
            exact: exact.into_iter().collect(),
            wildcard: wildcard.into_iter().collect(),
            any,
        }
    }
}
