use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{
    HeaderMatch, PathMatch, Pattern, PatternError, QueryMatch, RequestMatch, RequestView,
    StringMatch, first_value,
};

fn regex(source: &str) -> Pattern {
    Pattern::new(source).unwrap()
}

#[test]
fn a_prefix_takes_whole_segments_and_ignores_a_trailing_slash() {
    for (prefix, path, want) in [
        ("/", "/", true),
        ("/", "/anything", true),
        ("/", "*", true),
        ("/v2", "/v2", true),
        ("/v2", "/v2/", true),
        ("/v2", "/v2/example", true),
        ("/v2", "/v2example", false),
        ("/v2", "/V2", false),
        ("/v2", "/", false),
        ("/v2/", "/v2", true),
        ("/v2/", "/v2/", true),
        ("/v2/", "/v2/x", true),
        ("/v2/", "/v2x", false),
        ("/a/b", "/a/b/c", true),
        ("/a/b", "/a//b", false),
        ("/a/b", "/a/bc", false),
        ("/a%2Fb", "/a/b", false),
    ] {
        assert_eq!(
            PathMatch::Prefix(prefix.into()).matches(path),
            want,
            "{prefix} {path}"
        );
    }
}

#[test]
fn an_exact_path_is_case_sensitive_and_whole() {
    let one = PathMatch::Exact("/one".into());
    for (path, want) in [
        ("/one", true),
        ("/one/", false),
        ("/one/example", false),
        ("/One", false),
        ("/", false),
    ] {
        assert_eq!(one.matches(path), want, "{path}");
    }
}

#[test]
fn a_pattern_matches_the_whole_value_whatever_its_alternatives() {
    for (source, value, want) in [
        ("/a|/b", "/a", true),
        ("/a|/b", "/ax", false),
        ("/a|/b", "x/b", false),
        ("/v[0-9]+/.*", "/v12/x", true),
        ("^/a$", "/a", true),
        ("(?m)^a$", "a\nb", false),
        ("(?i)/ABC", "/abc", true),
        ("(?x) /a # comment", "/a", true),
        ("[#](?:a)", "#a", true),
        (r"/\w{1,64}", "/abc_9", true),
        (r"\w", "é", false),
        (r"(?u:\w)", "é", true),
        ("é+", "éé", true),
        ("", "", true),
        ("", "x", false),
    ] {
        assert_eq!(regex(source).matches(value), want, "{source:?} {value:?}");
    }
}

#[test]
fn a_pattern_cannot_escape_its_anchors() {
    for source in ["a)|(b", "(", "a)", "[", "(?=a)", r"(a)\1", "*"] {
        let error = Pattern::new(source).unwrap_err();
        assert!(
            matches!(&error, PatternError::Syntax(why) if !why.is_empty() && !why.contains('\n')),
            "{source}: {error}"
        );
    }
}

#[test]
fn a_pattern_has_a_bounded_program_and_depth() {
    assert_eq!(
        Pattern::new("(?:[a-z]{100}){1000}"),
        Err(PatternError::TooLarge)
    );
    let deep = "(".repeat(200) + "a" + &")".repeat(200);
    assert!(matches!(Pattern::new(&deep), Err(PatternError::Syntax(_))));
}

#[test]
fn patterns_are_equal_by_source_and_print_it() {
    assert_eq!(regex("a+"), regex("a+"));
    assert_ne!(regex("a+"), regex("a*"));
    assert_eq!(serde_json::to_string(&regex("a+")).unwrap(), "\"a+\"");
    assert_eq!(regex("a+").source(), "a+");
}

fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
    list.iter()
        .map(|(n, v)| {
            (
                HeaderName::from_bytes(n.as_bytes()).unwrap(),
                HeaderValue::from_static(v),
            )
        })
        .collect()
}

fn header(name: &str, value: StringMatch) -> HeaderMatch {
    HeaderMatch {
        name: HeaderName::from_bytes(name.as_bytes()).unwrap(),
        value,
    }
}

#[test]
fn header_names_ignore_case_and_values_do_not() {
    let version = header("Version", StringMatch::Exact("one".into()));
    assert!(version.matches(&headers(&[("VERSION", "one")])));
    assert!(!version.matches(&headers(&[("version", "One")])));
    assert!(!version.matches(&headers(&[("version", "one1")])));
    assert!(!version.matches(&headers(&[("other", "one")])));
}

#[test]
fn lines_of_one_header_are_joined_by_commas() {
    let mut map = headers(&[]);
    map.append("color", HeaderValue::from_static("blue"));
    map.append("color", HeaderValue::from_static("green"));
    assert!(header("color", StringMatch::Exact("blue,green".into())).matches(&map));
    assert!(!header("color", StringMatch::Exact("blue".into())).matches(&map));
    assert!(header("color", StringMatch::Regex(regex("blue,.*"))).matches(&map));
}

#[test]
fn a_header_value_need_not_be_utf8() {
    let mut map = HeaderMap::new();
    map.insert("raw", HeaderValue::from_bytes(&[0xff, 0xfe]).unwrap());
    assert!(header("raw", StringMatch::Regex(regex(".{2}"))).matches(&map));
    assert!(!header("raw", StringMatch::Regex(regex(r"\w*"))).matches(&map));
    assert!(!header("raw", StringMatch::Exact("ÿþ".into())).matches(&map));
}

#[test]
fn query_parameters_are_decoded_and_the_first_counts() {
    for (query, name, want) in [
        ("animal=whale", "animal", Some("whale")),
        ("animal=whale&animal=cow", "animal", Some("whale")),
        ("a=1&animal=whale", "animal", Some("whale")),
        ("Animal=whale", "animal", None),
        ("animal", "animal", Some("")),
        ("animal=", "animal", Some("")),
        ("animals=whale", "animal", None),
        ("q=a+b%20c%2B", "q", Some("a b c+")),
        ("%61nimal=x", "animal", Some("x")),
        ("q=100%", "q", Some("100%")),
        ("q=%zz%4", "q", Some("%zz%4")),
        ("q=a=b", "q", Some("a=b")),
        ("", "", None),
        ("&&=x", "", Some("x")),
    ] {
        let got = first_value(query, name).map(|v| String::from_utf8(v.into_owned()).unwrap());
        assert_eq!(got.as_deref(), want, "{query} {name}");
    }
}

#[test]
fn query_values_match_by_regular_expression_too() {
    let digits = QueryMatch {
        name: "id".into(),
        value: StringMatch::Regex(regex("[0-9]+")),
    };
    assert!(digits.matches(Some("id=42")));
    assert!(!digits.matches(Some("id=42x")));
    assert!(!digits.matches(Some("id=%ff")));
    assert!(!digits.matches(None));
}

#[test]
fn all_conditions_of_a_match_must_hold() {
    let all = RequestMatch {
        path: PathMatch::Prefix("/path5".into()),
        method: Some(Method::PATCH),
        headers: vec![header("version", StringMatch::Exact("four".into()))],
        query: vec![QueryMatch {
            name: "q".into(),
            value: StringMatch::Exact("1".into()),
        }],
    };
    let with = headers(&[("version", "four")]);
    let without = headers(&[]);
    for (path, method, headers, query, want) in [
        ("/path5", Method::PATCH, &with, Some("q=1"), true),
        ("/path6", Method::PATCH, &with, Some("q=1"), false),
        ("/path5", Method::HEAD, &with, Some("q=1"), false),
        ("/path5", Method::PATCH, &without, Some("q=1"), false),
        ("/path5", Method::PATCH, &with, None, false),
    ] {
        let view = RequestView {
            host: "x",
            path,
            query,
            method: &method,
            headers,
        };
        assert_eq!(all.matches(&view), want, "{method} {path}");
    }
}
