//! B3 propagation (Zipkin): one header `b3`, or several `x-b3-*`.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::{B3, Caller, TraceContext, hex, only, put_hex, value};

pub(super) static SINGLE: HeaderName = HeaderName::from_static("b3");
pub(super) static FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");
static TRACE_ID: HeaderName = HeaderName::from_static("x-b3-traceid");
static SPAN_ID: HeaderName = HeaderName::from_static("x-b3-spanid");
pub(super) static PARENT_ID: HeaderName = HeaderName::from_static("x-b3-parentspanid");
static SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");

/// What the client's B3 headers say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// Form that the client used, even if its ids are invalid or absent.
    pub(super) form: B3,
    /// Trace and span, where valid.
    pub(super) caller: Option<Caller>,
    /// The decision, where the client made one; it may come without ids.
    pub(super) sampled: Option<bool>,
}

/// Reads the single header, or else the several.
pub(super) fn read(headers: &HeaderMap) -> Read {
    if headers.contains_key(&SINGLE) {
        let (caller, sampled) = only(headers, &SINGLE).map_or((None, None), parse_single);
        return Read {
            form: B3::Single,
            caller,
            sampled,
        };
    }
    let used = [&TRACE_ID, &SAMPLED, &FLAGS];
    if !used.iter().any(|name| headers.contains_key(*name)) {
        return Read::default();
    }
    let debug = only(headers, &FLAGS) == Some(b"1");
    let sampled = if debug {
        Some(true)
    } else {
        only(headers, &SAMPLED).and_then(decision)
    };
    let trace_id = only(headers, &TRACE_ID).and_then(trace);
    let span_id = only(headers, &SPAN_ID).and_then(span);
    Read {
        form: B3::Multi,
        caller: caller(trace_id, span_id, sampled),
        sampled,
    }
}

/// `{trace}-{span}[-{sampled}[-{parent}]]`, or only `{sampled}`.
fn parse_single(text: &[u8]) -> (Option<Caller>, Option<bool>) {
    let mut fields = text.split(|b| *b == b'-');
    let first = fields.next().unwrap_or_default();
    let Some(second) = fields.next() else {
        return (None, decision(first));
    };
    let third = fields.next();
    let sampled = third.and_then(decision);
    let ends_well = fields.next().is_none_or(|parent| span(parent).is_some())
        && fields.next().is_none()
        && third.is_none() == sampled.is_none();
    let caller = caller(trace(first), span(second), sampled);
    if ends_well {
        (caller, sampled)
    } else {
        (None, None)
    }
}

const fn caller(
    trace_id: Option<u128>,
    span_id: Option<u64>,
    sampled: Option<bool>,
) -> Option<Caller> {
    match (trace_id, span_id) {
        (Some(trace_id), Some(span_id)) => Some(Caller {
            trace_id,
            span_id,
            sampled,
            random: false,
        }),
        _ => None,
    }
}

/// 16 or 32 hex digits, not all zero.
fn trace(text: &[u8]) -> Option<u128> {
    let known = matches!(text.len(), 16 | 32);
    known
        .then(|| hex(text, true))
        .flatten()
        .filter(|id| *id != 0)
}

/// 16 hex digits, not all zero.
fn span(text: &[u8]) -> Option<u64> {
    let id = (text.len() == 16).then(|| hex(text, true)).flatten()?;
    u64::try_from(id).ok().filter(|id| *id != 0)
}

/// `1`, `0`, `d` (debug: sampled), and what older tracers write.
const fn decision(text: &[u8]) -> Option<bool> {
    match text {
        b"1" | b"d" | b"true" => Some(true),
        b"0" | b"false" => Some(false),
        _ => None,
    }
}

/// The `b3` header for the next hop.
pub(super) fn single(context: &TraceContext) -> HeaderValue {
    let (digits, length) = trace_digits(context.trace_id);
    let mut text = Vec::with_capacity(68);
    text.extend(digits.iter().take(length));
    text.push(b'-');
    text.extend(span_digits(context.span_id));
    text.extend(if context.sampled { b"-1" } else { b"-0" });
    if context.parent_id != 0 {
        text.push(b'-');
        text.extend(span_digits(context.parent_id));
    }
    value(&text)
}

/// The `x-b3-*` headers for the next hop.
pub(super) fn multi(context: &TraceContext, mut put: impl FnMut(&HeaderName, HeaderValue)) {
    let (digits, length) = trace_digits(context.trace_id);
    put(&TRACE_ID, value(digits.get(..length).unwrap_or(&digits)));
    put(&SPAN_ID, value(&span_digits(context.span_id)));
    if context.parent_id != 0 {
        put(&PARENT_ID, value(&span_digits(context.parent_id)));
    }
    let sampled = if context.sampled { "1" } else { "0" };
    put(&SAMPLED, HeaderValue::from_static(sampled));
}

/// 32 digits, or 16 for an id of 64 bits, which older tracers use; and how many they are.
fn trace_digits(trace_id: u128) -> ([u8; 32], usize) {
    let length = if trace_id >> 64 == 0 { 16 } else { 32 };
    let mut digits = [0u8; 32];
    if let Some(used) = digits.get_mut(..length) {
        put_hex(used, trace_id);
    }
    (digits, length)
}

fn span_digits(span_id: u64) -> [u8; 16] {
    let mut digits = [0u8; 16];
    put_hex(&mut digits, u128::from(span_id));
    digits
}
