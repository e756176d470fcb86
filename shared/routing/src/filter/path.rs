//! Changes of paths (`HTTPPathModifier`), for rewrites and redirects.

use std::borrow::Cow;

use super::PathModifier;

impl PathModifier {
    /// The new path. `prefix` is what a `PathPrefix` match took, without trailing slash
    /// ([`Lookup::Found`](crate::table::Lookup::Found)); without one, `ReplacePrefixMatch` changes nothing.
    ///
    /// The result always begins with `/`, and the joint of prefix and rest is one slash, as in the table of the
    /// specification. A path that begins with `//` could be taken for a host, so none is made.
    #[must_use]
    pub fn path<'a>(&'a self, prefix: Option<&str>, path: &'a str) -> Cow<'a, str> {
        match self {
            Self::ReplaceFullPath(new) => rooted(Cow::Borrowed(new)),
            Self::ReplacePrefixMatch(new) => match prefix.and_then(|p| path.strip_prefix(p)) {
                None => Cow::Borrowed(path),
                Some(rest) => rooted(joined(new.trim_end_matches('/'), rest)),
            },
        }
    }

    /// The new path, and the query as it was.
    #[must_use]
    pub fn path_and_query(&self, prefix: Option<&str>, path: &str, query: Option<&str>) -> String {
        with_query(&self.path(prefix, path), query)
    }
}

/// A path and its query.
pub(super) fn with_query(path: &str, query: Option<&str>) -> String {
    match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

/// Puts the rest of a path behind a new front without trailing slash. The rest is empty or begins with `/`, unless the
/// replaced prefix was not a whole number of segments.
fn joined<'a>(front: &str, rest: &'a str) -> Cow<'a, str> {
    match (front, rest.starts_with('/')) {
        ("", true) => Cow::Borrowed(rest),
        (_, false) if !rest.is_empty() => Cow::Owned(format!("{front}/{rest}")),
        _ => Cow::Owned(format!("{front}{rest}")),
    }
}

/// A path that begins with exactly one slash.
fn rooted(path: Cow<'_, str>) -> Cow<'_, str> {
    let inner = path.trim_start_matches('/');
    if inner.len() + 1 == path.len() {
        path
    } else {
        Cow::Owned(format!("/{inner}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::PathModifier;

    fn replace(prefix: &str, new: &str, path: &str) -> String {
        let prefix = prefix.trim_end_matches('/');
        PathModifier::ReplacePrefixMatch(new.into())
            .path(Some(prefix), path)
            .into_owned()
    }

    /// The table of `HTTPPathModifier.replacePrefixMatch`.
    #[test]
    fn replacing_a_prefix_follows_the_table_of_the_specification() {
        for (path, prefix, new, want) in [
            ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
            ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
            ("/foo", "/foo", "/xyz", "/xyz"),
            ("/foo/", "/foo", "/xyz", "/xyz/"),
            ("/foo/bar", "/foo", "", "/bar"),
            ("/foo/", "/foo", "", "/"),
            ("/foo", "/foo", "", "/"),
            ("/foo/", "/foo", "/", "/"),
            ("/foo", "/foo", "/", "/"),
            ("/foo/bar", "/foo", "/", "/bar"),
            ("/foo", "/foo", "/xyz/", "/xyz"),
            ("/bar", "/", "/xyz", "/xyz/bar"),
            ("/", "/", "/", "/"),
            ("/foo/bar", "/foo", "xyz", "/xyz/bar"),
            ("/foo//evil.example", "/foo", "/", "/evil.example"),
            ("/strip-prefix/three", "/strip-prefix", "/", "/three"),
        ] {
            assert_eq!(replace(prefix, new, path), want, "{path} {prefix} {new}");
        }
    }

    #[test]
    fn a_whole_path_is_replaced_and_the_query_stays() {
        let full = PathModifier::ReplaceFullPath("/full".into());
        assert_eq!(full.path_and_query(None, "/a/b", Some("q=1")), "/full?q=1");
        assert_eq!(full.path_and_query(Some("/a"), "/a/b", None), "/full");
        assert_eq!(
            PathModifier::ReplaceFullPath(String::new()).path(None, "/a"),
            "/"
        );
        assert_eq!(
            PathModifier::ReplaceFullPath("x".into()).path(None, "/a"),
            "/x"
        );
    }

    #[test]
    fn without_a_matched_prefix_the_path_stays() {
        let modifier = PathModifier::ReplacePrefixMatch("/new".into());
        assert_eq!(modifier.path(None, "/a/b"), "/a/b");
        assert_eq!(
            modifier.path_and_query(Some("/other"), "/a/b", Some("q")),
            "/a/b?q"
        );
    }

    proptest! {
        #[test]
        fn a_new_path_begins_with_one_slash(
            prefix in "(/[ab]{1,2}){0,2}",
            new in "/{0,2}([ab]{1,2}/?){0,2}",
            rest in "(/[ab]{0,2}){0,3}",
        ) {
            let path = format!("{prefix}{rest}");
            let got = replace(&prefix, &new, &path);
            prop_assert!(got.starts_with('/') && !got.starts_with("//"), "{}", got);
            prop_assert!(got.ends_with(rest.trim_start_matches('/')), "{}", got);
        }
    }
}
