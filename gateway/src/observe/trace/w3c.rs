//! W3C Trace Context, Level 2: `traceparent`.

use http::header::{HeaderMap, HeaderValue};

use super::{Caller, TRACEPARENT, TraceContext, hex, only, put_hex, value};

/// `00-` trace id `-` parent id `-` flags.
const LENGTH: usize = 55;
const SAMPLED: u128 = 1;
const RANDOM: u128 = 2;

/// What the client's `traceparent` says; None when there is none, several, or an invalid one (§3.2.2).
pub(super) fn read(headers: &HeaderMap) -> Option<Caller> {
    parse(only(headers, &TRACEPARENT)?)
}

fn parse(text: &[u8]) -> Option<Caller> {
    let (known, rest) = text.split_at_checked(LENGTH)?;
    let mut fields = known.split(|b| *b == b'-');
    let version = field(fields.next()?, 2)?;
    let trace_id = field(fields.next()?, 32)?;
    let parent_id = field(fields.next()?, 16)?;
    let flags = field(fields.next()?, 2)?;
    // A higher version may say more, behind a dash; version 00 and the forbidden ff may not.
    let ends_well = match version {
        0xff => false,
        0 => rest.is_empty(),
        _ => rest.first().is_none_or(|b| *b == b'-'),
    };
    let valid = ends_well && fields.next().is_none() && trace_id != 0 && parent_id != 0;
    valid.then_some(Caller {
        trace_id,
        span_id: u64::try_from(parent_id).ok()?,
        sampled: Some(flags & SAMPLED != 0),
        random: flags & RANDOM != 0,
    })
}

/// A field of exactly `length` lower-case hex digits.
fn field(text: &[u8], length: usize) -> Option<u128> {
    (text.len() == length).then(|| hex(text, false)).flatten()
}

/// The header for the next hop, version 00. Flags that the version does not know are not passed on (§4.3).
pub(super) fn traceparent(context: &TraceContext) -> HeaderValue {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    let flags = u128::from(context.sampled) | u128::from(context.random) << 1;
    let fields = [
        (3..35, context.trace_id),
        (36..52, u128::from(context.span_id)),
        (53..55, flags),
    ];
    for (place, number) in fields {
        if let Some(digits) = text.get_mut(place) {
            put_hex(digits, number);
        }
    }
    value(&text)
}
