//! JSON written by hand into a reused buffer: the access log is on the path of every request.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Writes a string with its quotes. Any bytes make valid JSON: what is not UTF-8 becomes U+FFFD. At most `limit` bytes
/// are taken; a longer one ends in `…`.
pub fn string(out: &mut Vec<u8>, bytes: &[u8], limit: usize) {
    out.push(b'"');
    let taken = bytes.get(..limit).unwrap_or(bytes);
    // Without an early end the compiler looks at many bytes at once.
    let special = taken
        .iter()
        .fold(false, |special, b| special | !is_plain(*b));
    if special {
        escape(out, taken);
    } else {
        out.extend_from_slice(taken);
    }
    if taken.len() < bytes.len() {
        out.extend_from_slice("…".as_bytes());
    }
    out.push(b'"');
}

/// Written as it is: printable ASCII but for quote and backslash.
const fn is_plain(b: u8) -> bool {
    matches!(b, b' '..=b'~') && b != b'"' && b != b'\\'
}

#[cold]
fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for b in chunk.valid().bytes() {
            match b {
                b'"' => out.extend_from_slice(b"\\\""),
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                // RFC 8259 §7 wants the first 32 escaped; DEL too, for the sake of terminals.
                0..0x20 | 0x7f => {
                    let mut digits = [0u8; 4];
                    super::trace::put_hex(&mut digits, u128::from(b));
                    out.extend_from_slice(b"\\u");
                    out.extend_from_slice(&digits);
                }
                _ => out.push(b),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Writes a whole number.
pub fn number(out: &mut Vec<u8>, n: u64) {
    let mut digits = [b'0'; 20];
    let mut rest = n;
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (rest % 10).to_le_bytes()[0];
        used += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
}

/// Writes a number of at least `width` digits, zeros in front.
fn padded(out: &mut Vec<u8>, n: u64, width: u32) {
    let mut below = 10u64.saturating_pow(width.saturating_sub(1));
    while below > 1 && n < below {
        out.push(b'0');
        below /= 10;
    }
    number(out, n);
}

/// Writes a duration in milliseconds, with three digits behind the point.
pub fn milliseconds(out: &mut Vec<u8>, d: Duration) {
    let micros = u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    number(out, micros / 1000);
    out.push(b'.');
    padded(out, micros % 1000, 3);
}

/// Writes a time as RFC 3339 in UTC with milliseconds, quotes included. Times before 1970 count as 1970.
pub fn timestamp(out: &mut Vec<u8>, time: SystemTime) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let of_day = seconds % 86_400;
    let fields = [
        (b'"', year, 4),
        (b'-', month, 2),
        (b'-', day, 2),
        (b'T', of_day / 3600, 2),
        (b':', of_day / 60 % 60, 2),
        (b':', of_day % 60, 2),
        (b'.', u64::from(since.subsec_millis()), 3),
    ];
    for (before, n, width) in fields {
        out.push(before);
        padded(out, n, width);
    }
    out.extend_from_slice(b"Z\"");
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01. Years are counted from 1 March, so that the
/// leap day is the last; 400 years have 146,097 days.
const fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_rfc_3339() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.007Z"),
            (951_782_399, "2000-02-28T23:59:59.007Z"),
            (951_782_400, "2000-02-29T00:00:00.007Z"),
            (1_709_251_200, "2024-03-01T00:00:00.007Z"),
            (1_735_689_599, "2024-12-31T23:59:59.007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.007Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 7);
            assert_eq!(text(|o| timestamp(o, time)), format!("\"{expected}\""));
        }
    }

    #[test]
    fn durations_are_milliseconds_with_three_digits() {
        for (micros, expected) in [
            (0, "0.000"),
            (7, "0.007"),
            (1_070, "1.070"),
            (61_000_999, "61000.999"),
        ] {
            assert_eq!(
                text(|o| milliseconds(o, Duration::from_micros(micros))),
                expected
            );
        }
    }

    #[test]
    fn a_long_string_is_cut_and_says_so() {
        assert_eq!(text(|o| string(o, b"abcdef", 3)), "\"abc…\"");
    }

    proptest! {
        #[test]
        fn any_bytes_make_a_json_string_of_their_lossy_text(bytes: Vec<u8>) {
            let json = text(|o| string(o, &bytes, usize::MAX));
            let back: String = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(back, String::from_utf8_lossy(&bytes));
            prop_assert!(!json.bytes().any(|b| b < 0x20));
        }

        #[test]
        fn numbers_are_decimal(n: u64) {
            prop_assert_eq!(text(|o| number(o, n)), n.to_string());
        }
    }
}
