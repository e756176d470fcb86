//! Durations as the Gateway API writes them (GEP-2257): one to four pieces of up to five digits and a unit (`h`, `m`, `s`, `ms`), e.g.
//! `1m30s`. Units may come in any order and more than once; the value is their sum.

use std::time::Duration;

use thiserror::Error;

/// Why a text is not a duration. The messages say what to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DurationError {
    /// There is nothing.
    #[error("an empty duration; write a number and a unit, e.g. 10s")]
    Empty,
    /// A number is missing, or there is something else in its place.
    #[error("a duration is made of whole numbers, each with a unit, e.g. 1m30s or 500ms")]
    Number,
    /// A number has no unit, or an unknown one.
    #[error("each number of a duration needs a unit: h, m, s or ms")]
    Unit,
    /// A number is too long.
    #[error("a number in a duration has at most five digits")]
    Digits,
    /// There are too many pieces.
    #[error("a duration has at most four pieces, e.g. 1h2m3s4ms")]
    Pieces,
}

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads a duration.
///
/// # Errors
///
/// The text is not a GEP-2257 duration.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    let (mut rest, mut millis, mut pieces) = (text, 0_u64, 0);
    while !rest.is_empty() {
        let (number, unit, tail) = piece(rest)?;
        pieces += 1;
        if pieces > 4 {
            return Err(DurationError::Pieces);
        }
        // At most four times 99999 hours: far from an overflow.
        millis = millis.saturating_add(number.saturating_mul(unit));
        rest = tail;
    }
    Ok(Duration::from_millis(millis))
}

/// Takes one number with its unit, in milliseconds, off the front.
fn piece(text: &str) -> Result<(u64, u64, &str), DurationError> {
    let (digits, rest) = split(text, |b| b.is_ascii_digit());
    let (unit, rest) = split(rest, |b| b.is_ascii_lowercase());
    if digits.is_empty() {
        return Err(DurationError::Number);
    }
    if digits.len() > 5 {
        return Err(DurationError::Digits);
    }
    let number = digits
        .parse()
        .map_err(|_not_a_number| DurationError::Number)?;
    let (_, millis) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or(DurationError::Unit)?;
    Ok((number, *millis, rest))
}

/// Splits after the longest prefix of such bytes.
fn split(text: &str, keep: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|b| !keep(b)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Writes a duration so that [`parse`] reads it back: `1h30m`, `500ms`, `0s`. Cut to whole milliseconds; anything above
/// 99999 hours, which the notation cannot say, is written as that.
#[must_use]
pub fn format(duration: Duration) -> String {
    let [(_, hour), (_, minute), (_, second), _] = UNITS;
    let most = hour * 99_999 + minute * 59 + second * 59 + 999;
    let mut rest = u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .min(most);
    let mut text = String::new();
    for (unit, size) in UNITS {
        if rest >= size {
            text.push_str(&(rest / size).to_string());
            text.push_str(unit);
            rest %= size;
        }
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests;
