//! Applies changes of headers.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::HeaderModifier;

/// A header map that a [`HeaderModifier`] can change: the one of `http`, or a proxy's own.
pub trait HeaderTarget {
    /// Replaces all values of a header by one.
    fn set(&mut self, name: &HeaderName, value: &HeaderValue);
    /// Adds a value after those that are there.
    fn add(&mut self, name: &HeaderName, value: &HeaderValue);
    /// Removes all values of a header.
    fn remove(&mut self, name: &HeaderName);
}

impl HeaderTarget for HeaderMap {
    fn set(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.insert(name, value.clone());
    }

    fn add(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.append(name, value.clone());
    }

    fn remove(&mut self, name: &HeaderName) {
        Self::remove(self, name);
    }
}

impl HeaderModifier {
    /// Makes the changes: set, then add, then remove.
    pub fn apply(&self, target: &mut impl HeaderTarget) {
        for (name, value) in &self.set {
            target.set(name, value);
        }
        for (name, value) in &self.add {
            target.add(name, value);
        }
        for name in &self.remove {
            target.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::HeaderModifier;

    fn pair(name: &'static str, value: &'static str) -> (HeaderName, HeaderValue) {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    }

    /// `HTTPRouteRequestHeaderModifier`.
    #[test]
    fn set_overwrites_add_appends_remove_removes() {
        let modifier = HeaderModifier {
            set: vec![pair("x-set", "new"), pair("x-fresh", "1")],
            add: vec![pair("x-add", "b"), pair("x-add-fresh", "c")],
            remove: vec![
                HeaderName::from_static("x-remove"),
                HeaderName::from_static("x-absent"),
            ],
        };
        let mut headers: HeaderMap = [
            pair("x-set", "old"),
            pair("x-add", "a"),
            pair("x-remove", "1"),
            pair("x-keep", "k"),
        ]
        .into_iter()
        .collect();
        headers.append("x-set", HeaderValue::from_static("older"));
        headers.append("x-remove", HeaderValue::from_static("2"));
        modifier.apply(&mut headers);
        let mut lines: Vec<String> = headers
            .iter()
            .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()))
            .collect();
        lines.sort();
        assert_eq!(
            lines,
            [
                "x-add-fresh: c",
                "x-add: a",
                "x-add: b",
                "x-fresh: 1",
                "x-keep: k",
                "x-set: new"
            ]
        );
    }

    #[test]
    fn an_empty_modifier_changes_nothing() {
        let modifier = HeaderModifier::default();
        assert!(modifier.is_empty());
        let before: HeaderMap = [pair("a", "1")].into_iter().collect();
        let mut headers = before.clone();
        modifier.apply(&mut headers);
        assert_eq!(headers, before);
    }
}
