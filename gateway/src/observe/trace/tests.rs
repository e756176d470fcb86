use proptest::prelude::*;

use super::*;

/// Random numbers 0x11…, 0x22… and so on.
fn counting() -> impl FnMut() -> u64 {
    let mut n = 0u64;
    move || {
        n += 1;
        n * 0x1111_1111_1111_1111
    }
}

/// Headers that a client sent.
type Sent = &'static [(&'static str, &'static str)];

fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, text) in list {
        map.append(*name, HeaderValue::from_str(text).unwrap());
    }
    map
}

fn context(list: &[(&'static str, &str)]) -> TraceContext {
    TraceContext::of(&headers(list), false, &mut counting())
}

/// What the next hop gets when the client sent `list`.
fn passed_on(list: &[(&'static str, &str)]) -> RequestHeader {
    let mut header = RequestHeader::build("GET", b"/", None).unwrap();
    for (name, text) in list {
        header.append_header(*name, *text).unwrap();
    }
    let context = TraceContext::of(&header.headers, false, &mut counting());
    context.write(&mut header);
    header
}

fn text<'a>(header: &'a RequestHeader, name: &str) -> Option<&'a str> {
    header.headers.get(name).map(|v| v.to_str().unwrap())
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACE_NUMBER: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const PARENT: &str = "00f067aa0ba902b7";
const PARENT_NUMBER: u64 = 0x00f0_67aa_0ba9_02b7;
const SPAN: &str = "1111111111111111";

#[test]
fn a_valid_traceparent_is_continued_by_a_span_of_our_own() {
    let seen = context(&[("traceparent", &format!("00-{TRACE}-{PARENT}-03"))]);
    assert_eq!(seen.trace_id, TRACE_NUMBER);
    assert_eq!(seen.parent_id, PARENT_NUMBER);
    assert_eq!(seen.span_id, 0x1111_1111_1111_1111);
    assert!(seen.sampled && seen.random);
}

#[test]
fn traceparent_is_read_as_the_specification_says() {
    let zeros = "0".repeat(32);
    let table = [
        (format!("00-{TRACE}-{PARENT}-00"), true, "not sampled"),
        (format!("00-{TRACE}-{PARENT}-ff"), true, "unknown flags"),
        (format!("cc-{TRACE}-{PARENT}-01"), true, "a later version"),
        (
            format!("cc-{TRACE}-{PARENT}-01-what-the-future-brings"),
            true,
            "a later version says more",
        ),
        (
            format!("cc-{TRACE}-{PARENT}-01."),
            false,
            "a later version says more without a dash",
        ),
        (
            format!("00-{TRACE}-{PARENT}-01-more"),
            false,
            "version 00 has four fields",
        ),
        (
            format!("ff-{TRACE}-{PARENT}-01"),
            false,
            "version ff is forbidden",
        ),
        (
            format!("00-{zeros}-{PARENT}-01"),
            false,
            "the trace id is zero",
        ),
        (
            format!("00-{TRACE}-0000000000000000-01"),
            false,
            "the parent id is zero",
        ),
        (
            format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
            false,
            "upper case",
        ),
        (format!("00-{TRACE}-{PARENT}-0"), false, "too short"),
        (format!("00-{TRACE}-{PARENT}"), false, "no flags"),
        (format!("00_{TRACE}_{PARENT}_01"), false, "other separators"),
        (format!("0-0{TRACE}-{PARENT}-01"), false, "dashes elsewhere"),
        (format!("00-{TRACE}-{PARENT}-zz"), false, "no digits"),
        (String::new(), false, "empty"),
    ];
    for (header, valid, why) in table {
        let seen = context(&[("traceparent", &header)]);
        assert_eq!(seen.parent_id == PARENT_NUMBER, valid, "{why}: {header}");
        assert_eq!(seen.trace_id == TRACE_NUMBER, valid, "{why}: {header}");
    }
}

#[test]
fn two_traceparents_are_none() {
    let one = format!("00-{TRACE}-{PARENT}-01");
    assert_eq!(
        context(&[("traceparent", &one), ("traceparent", &one)]).parent_id,
        0
    );
}

#[test]
fn a_trace_begins_where_there_is_none() {
    let begun = context(&[]);
    assert_eq!(begun.parent_id, 0);
    assert_eq!(begun.trace_id, 0x2222_2222_2222_2222_3333_3333_3333_3333);
    assert!(begun.random && !begun.sampled);
    let sampled = TraceContext::of(&HeaderMap::new(), true, &mut counting());
    assert!(sampled.sampled);
}

#[test]
fn ids_are_never_zero() {
    let begun = TraceContext::of(&HeaderMap::new(), false, &mut || 0);
    assert!(begun.trace_id != 0 && begun.span_id != 0);
}

#[test]
fn b3_is_read_in_both_forms() {
    let table: [(Sent, B3, bool); 7] = [
        (
            &[("b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1")],
            B3::Single,
            true,
        ),
        (
            &[(
                "b3",
                "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-d-05e3ac9a4f6e3b90",
            )],
            B3::Single,
            true,
        ),
        (
            &[("b3", "4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-1")],
            B3::Single,
            true,
        ),
        (
            &[
                ("x-b3-traceid", TRACE),
                ("x-b3-spanid", PARENT),
                ("x-b3-parentspanid", "05e3ac9a4f6e3b90"),
                ("x-b3-sampled", "1"),
            ],
            B3::Multi,
            true,
        ),
        (
            &[
                ("x-b3-traceid", TRACE),
                ("x-b3-spanid", PARENT),
                ("x-b3-flags", "1"),
            ],
            B3::Multi,
            true,
        ),
        (
            &[("b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0")],
            B3::Single,
            false,
        ),
        // No decision: ours, which is no.
        (
            &[("x-b3-traceid", TRACE), ("x-b3-spanid", PARENT)],
            B3::Multi,
            false,
        ),
    ];
    for (list, form, sampled) in table {
        let seen = context(list);
        assert_eq!(
            (seen.trace_id, seen.parent_id),
            (TRACE_NUMBER, PARENT_NUMBER),
            "{list:?}"
        );
        assert_eq!((seen.b3, seen.sampled), (form, sampled), "{list:?}");
    }
}

#[test]
fn a_broken_b3_begins_a_trace_in_the_same_form() {
    for (list, sampled) in [
        (&[("b3", "0")][..], false),
        (&[("b3", "1")], true),
        (
            &[(
                "b3",
                "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-maybe",
            )],
            false,
        ),
        (
            &[(
                "b3",
                "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1-05e3ac9a4f6e3b90-x",
            )],
            false,
        ),
        (&[("b3", "4bf92f-00f067aa0ba902b7-1")], false),
        (&[("b3", "0000000000000000-00f067aa0ba902b7-1")], false),
    ] {
        let seen = context(list);
        assert_eq!((seen.parent_id, seen.b3), (0, B3::Single), "{list:?}");
        assert_eq!(
            seen.sampled,
            sampled || list[0].1.ends_with("-1"),
            "{list:?}"
        );
    }
}

#[test]
fn a_trace_id_of_64_bits_stays_one() {
    let header = passed_on(&[("b3", "a3ce929d0e0e4736-00f067aa0ba902b7-1")]);
    assert_eq!(
        text(&header, "b3").unwrap(),
        format!("a3ce929d0e0e4736-{SPAN}-1-{PARENT}")
    );
    assert_eq!(
        text(&header, "traceparent").unwrap(),
        format!("00-0000000000000000a3ce929d0e0e4736-{SPAN}-01")
    );
}

#[test]
fn w3c_wins_over_b3_and_both_are_written() {
    let header = passed_on(&[
        ("traceparent", &format!("00-{TRACE}-{PARENT}-01")),
        ("tracestate", "vendor=1"),
        ("x-b3-traceid", "aaaaaaaaaaaaaaaa"),
        ("x-b3-spanid", "bbbbbbbbbbbbbbbb"),
        ("x-b3-parentspanid", "cccccccccccccccc"),
        ("x-b3-flags", "1"),
    ]);
    assert_eq!(
        text(&header, "traceparent").unwrap(),
        format!("00-{TRACE}-{SPAN}-01")
    );
    assert_eq!(text(&header, "tracestate"), Some("vendor=1"));
    assert_eq!(text(&header, "x-b3-traceid"), Some(TRACE));
    assert_eq!(text(&header, "x-b3-spanid"), Some(SPAN));
    assert_eq!(text(&header, "x-b3-parentspanid"), Some(PARENT));
    assert_eq!(text(&header, "x-b3-sampled"), Some("1"));
    assert_eq!(text(&header, "x-b3-flags"), None);
}

#[test]
fn what_belonged_to_a_trace_that_is_not_continued_is_dropped() {
    let header = passed_on(&[
        ("traceparent", "00-nonsense"),
        ("tracestate", "vendor=1"),
        ("x-b3-traceid", "zz"),
        ("x-b3-parentspanid", "cccccccccccccccc"),
    ]);
    assert_eq!(text(&header, "tracestate"), None);
    assert_eq!(text(&header, "x-b3-parentspanid"), None);
    assert_eq!(text(&header, "x-b3-traceid").unwrap().len(), 32);
    assert_eq!(header.headers.get_all("traceparent").iter().count(), 1);
}

#[test]
fn clients_that_do_not_use_b3_get_none() {
    let header = passed_on(&[]);
    assert!(header.headers.keys().all(|n| !n.as_str().contains("b3")));
}

#[test]
fn two_hops_are_parent_and_child() {
    let mut random = counting();
    let mut header = RequestHeader::build("GET", b"/", None).unwrap();
    let egress = TraceContext::of(&header.headers, false, &mut random);
    egress.write(&mut header);
    let ingress = TraceContext::of(&header.headers, false, &mut random);
    assert_eq!(ingress.trace_id, egress.trace_id);
    assert_eq!(ingress.parent_id, egress.span_id);
    assert_ne!(ingress.span_id, egress.span_id);
}

#[test]
fn a_sane_request_id_is_kept_and_any_other_replaced() {
    let long = "x".repeat(128);
    for (id, kept) in [
        ("abc-123", true),
        (long.as_str(), true),
        ("", false),
        ("with space", false),
        ("tab\there", false),
    ] {
        let id_of = RequestId::of(&headers(&[("x-request-id", id)]), &mut counting());
        assert_eq!(id_of.as_bytes() == id.as_bytes(), kept, "{id:?}");
    }
    let too_long = RequestId::of(
        &headers(&[("x-request-id", &"x".repeat(129))]),
        &mut counting(),
    );
    assert_eq!(too_long.as_bytes().len(), 36);
    let two = RequestId::of(
        &headers(&[("x-request-id", "a"), ("x-request-id", "b")]),
        &mut counting(),
    );
    assert_eq!(two.as_bytes().len(), 36);
}

#[test]
fn a_begun_request_id_is_a_random_uuid() {
    let id = RequestId::of(&HeaderMap::new(), &mut || u64::MAX);
    assert_eq!(id.as_bytes(), b"ffffffff-ffff-4fff-bfff-ffffffffffff");
    let id = RequestId::of(&HeaderMap::new(), &mut counting());
    assert_eq!(id.as_bytes(), b"11111111-1111-4111-a222-222222222222");
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "traceparent",
        "tracestate",
        "b3",
        "x-b3-traceid",
        "x-b3-spanid",
        "x-b3-parentspanid",
        "x-b3-sampled",
        "x-b3-flags",
        "x-request-id",
    ])
}

fn header_value() -> impl Strategy<Value = HeaderValue> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        "[0-9a-fd]{0,34}(-[0-9a-fd]{0,18}){0,4}".prop_map(String::into_bytes),
    ];
    bytes.prop_filter_map("a header value", |b| HeaderValue::from_bytes(&b).ok())
}

proptest! {
    #[test]
    fn any_headers_make_a_valid_context(
        list in prop::collection::vec((name(), header_value()), 0..8),
        seed: u64,
    ) {
        let mut header = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in list {
            header.append_header(name, value).unwrap();
        }
        let mut random = move || seed;
        let seen = TraceContext::of(&header.headers, false, &mut random);
        prop_assert!(seen.trace_id != 0 && seen.span_id != 0);
        seen.write(&mut header);
        let id = RequestId::of(&header.headers, &mut random);
        prop_assert!(is_sane(id.as_bytes()));
        id.write(&mut header);
        let next = TraceContext::of(&header.headers, false, &mut random);
        prop_assert_eq!(next.trace_id, seen.trace_id);
        prop_assert_eq!(next.parent_id, seen.span_id);
        prop_assert_eq!(next.sampled, seen.sampled);
        prop_assert_eq!(next.b3, seen.b3);
    }
}
