//! Trace context: W3C `traceparent` (Trace Context Level 2), B3 single and multi header, `x-request-id`. Kept, or begun.
//!
//! Each hop is a span of its own: the caller's span becomes the parent, our span id travels on. `traceparent` is always
//! written; B3 headers are written back in the form in which the client used them. Where a client sent both, W3C wins.
//! `tracestate` is passed on untouched with a valid `traceparent`, and dropped otherwise, as the specification asks.

mod b3;
mod w3c;

#[cfg(test)]
mod tests;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use pingora_http::RequestHeader;

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest `x-request-id` that is kept.
const MAX_REQUEST_ID: usize = 128;

/// Trace and span of one hop of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// Trace id, shared by all hops. Never 0.
    pub trace_id: u128,
    /// Span of this hop. Never 0.
    pub span_id: u64,
    /// Span of the caller; 0 when the trace begins here.
    pub parent_id: u64,
    /// Whether spans are recorded.
    pub sampled: bool,
    /// Whether the trace id is random (Trace Context Level 2, flag 2): the rightmost 7 bytes may be sampled by.
    pub random: bool,
    /// Form of B3 that the client used.
    pub b3: B3,
    /// Whether the client sent a `tracestate` that does not belong to this trace.
    drop_state: bool,
}

/// Form of B3 headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum B3 {
    /// Not used.
    #[default]
    None,
    /// One header `b3`.
    Single,
    /// `x-b3-traceid`, `x-b3-spanid` …
    Multi,
}

/// What a client's headers say of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Caller {
    trace_id: u128,
    span_id: u64,
    /// None: the client leaves the decision to us.
    sampled: Option<bool>,
    random: bool,
}

impl TraceContext {
    /// Continues the client's trace, or begins one.
    ///
    /// `sample` decides for traces that begin here, and for B3 callers that leave the decision to us. `random` gives
    /// random numbers. Never fails: headers that make no sense count as absent.
    #[must_use]
    pub fn of(headers: &HeaderMap, sample: bool, random: &mut impl FnMut() -> u64) -> Self {
        let w3c = w3c::read(headers);
        let b3 = b3::read(headers);
        let span_id = nonzero(random);
        let drop_state = w3c.is_none() && headers.contains_key(&TRACESTATE);
        let Some(caller) = w3c.or(b3.caller) else {
            return Self {
                trace_id: u128::from(nonzero(random)) << 64 | u128::from(nonzero(random)),
                span_id,
                parent_id: 0,
                sampled: b3.sampled.unwrap_or(sample),
                random: true,
                b3: b3.form,
                drop_state,
            };
        };
        Self {
            trace_id: caller.trace_id,
            span_id,
            parent_id: caller.span_id,
            sampled: caller.sampled.unwrap_or(sample),
            random: caller.random,
            b3: b3.form,
            drop_state,
        }
    }

    /// Writes the context for the next hop, in place of what the client sent.
    pub fn write(&self, header: &mut RequestHeader) {
        insert(header, &TRACEPARENT, w3c::traceparent(self));
        if self.drop_state {
            header.remove_header(&TRACESTATE);
        }
        match self.b3 {
            B3::None => {}
            B3::Single => insert(header, &b3::SINGLE, b3::single(self)),
            B3::Multi => {
                b3::multi(self, |name, value| insert(header, name, value));
                header.remove_header(&b3::FLAGS);
                if self.parent_id == 0 {
                    header.remove_header(&b3::PARENT_ID);
                }
            }
        }
    }
}

fn insert(header: &mut RequestHeader, name: &HeaderName, value: HeaderValue) {
    // The name is a constant and valid; the only failure left is a header map that is full.
    if header.insert_header(name, value).is_err() {
        header.remove_header(name);
    }
}

/// A random number that is not 0, which would be an invalid id.
fn nonzero(random: &mut impl FnMut() -> u64) -> u64 {
    match random() {
        0 => 1,
        n => n,
    }
}

/// Reads exactly as many hex digits as there are, lower case only unless `upper` allows more. None when there is
/// anything else, or more than 32.
fn hex(digits: &[u8], upper: bool) -> Option<u128> {
    if digits.is_empty() || digits.len() > 32 {
        return None;
    }
    digits.iter().try_fold(0u128, |n, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            b'A'..=b'F' if upper => digit - b'A' + 10,
            _ => return None,
        };
        Some(n << 4 | u128::from(value))
    })
}

/// Writes the last `out.len()` hex digits of `n`, lower case. The length is even.
pub(crate) fn put_hex(out: &mut [u8], n: u128) {
    let digit = |half: u8| {
        if half < 10 {
            b'0' + half
        } else {
            b'a' - 10 + half
        }
    };
    for (pair, byte) in out.rchunks_exact_mut(2).zip(n.to_le_bytes()) {
        if let [high, low] = pair {
            *high = digit(byte >> 4);
            *low = digit(byte & 0xf);
        }
    }
}

/// The only value of a header; None when it is absent or there are several.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?;
    all.next().is_none().then_some(first.as_bytes())
}

/// `x-request-id`: the client's when it is sane, or begun here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Keeps the client's id if it is one value of 1 to 128 visible ASCII characters; else begins one: a random UUID
    /// (RFC 9562, version 4).
    #[must_use]
    pub fn of(headers: &HeaderMap, random: &mut impl FnMut() -> u64) -> Self {
        let mut all = headers.get_all(&REQUEST_ID).iter();
        match (all.next(), all.next()) {
            (Some(id), None) if is_sane(id.as_bytes()) => Self(id.clone()),
            _ => Self::begin(random),
        }
    }

    fn begin(random: &mut impl FnMut() -> u64) -> Self {
        let bits = u128::from(random()) << 64 | u128::from(random());
        // Version 4 in the 13th digit, variant 10 in the two upper bits of the 17th.
        let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        let mut digits = [0u8; 32];
        put_hex(&mut digits, bits);
        let mut text = [b'-'; 36];
        let places = (0..8)
            .chain(9..13)
            .chain(14..18)
            .chain(19..23)
            .chain(24..36);
        for (place, digit) in places.zip(digits) {
            if let Some(slot) = text.get_mut(place) {
                *slot = digit;
            }
        }
        Self(value(&text))
    }

    /// The id. Visible ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Writes the id for the next hop.
    pub fn write(&self, header: &mut RequestHeader) {
        insert(header, &REQUEST_ID, self.0.clone());
    }
}

fn is_sane(id: &[u8]) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// A header value of ASCII that we wrote ourselves.
fn value(ascii: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(ascii).unwrap_or(HeaderValue::from_static("-"))
}
