use std::time::Duration;

use proptest::prelude::*;

use super::{DurationError, format, parse};

#[test]
fn durations_are_read_as_gep_2257_says() {
    for (text, millis) in [
        ("0s", 0),
        ("0h0m0s0ms", 0),
        ("1ms", 1),
        ("500ms", 500),
        ("10s", 10_000),
        ("1m30s", 90_000),
        ("1h", 3_600_000),
        ("1h2m3s4ms", 3_723_004),
        ("30s1m", 90_000),
        ("1s1s", 2000),
        ("99999h", 359_996_400_000),
        ("00010s", 10_000),
    ] {
        assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
    }
}

#[test]
fn what_is_no_duration_is_refused_with_its_reason() {
    for (text, reason) in [
        ("", DurationError::Empty),
        ("s", DurationError::Number),
        ("-1s", DurationError::Number),
        ("1.5h", DurationError::Unit),
        ("10", DurationError::Unit),
        ("10us", DurationError::Unit),
        ("10S", DurationError::Unit),
        ("1 s", DurationError::Unit),
        (" 1s", DurationError::Number),
        ("1d", DurationError::Unit),
        ("100000s", DurationError::Digits),
        ("1h1m1s1ms1s", DurationError::Pieces),
        ("1sé", DurationError::Number),
        ("١s", DurationError::Number),
    ] {
        assert_eq!(parse(text), Err(reason), "{text}");
    }
}

#[test]
fn durations_are_written_shortly() {
    for (millis, text) in [
        (0, "0s"),
        (1, "1ms"),
        (60_000, "1m"),
        (90_500, "1m30s500ms"),
        (3_600_000, "1h"),
    ] {
        assert_eq!(format(Duration::from_millis(millis)), text);
    }
    assert_eq!(format(Duration::MAX), "99999h59m59s999ms");
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(millis in 0_u64..359_999_999_999) {
        let duration = Duration::from_millis(millis);
        prop_assert_eq!(parse(&format(duration)), Ok(duration));
    }

    #[test]
    fn any_text_gets_an_answer(text in ".{0,40}") {
        let _answer = parse(&text);
    }

    #[test]
    fn the_grammar_of_the_gep_is_accepted(pieces in prop::collection::vec((0_u64..100_000, 0_usize..4), 1..=4)) {
        let units = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
        let text: String = pieces.iter().map(|(n, u)| format!("{n}{}", units[*u].0)).collect();
        let millis: u64 = pieces.iter().map(|(n, u)| n * units[*u].1).sum();
        prop_assert_eq!(parse(&text), Ok(Duration::from_millis(millis)));
    }
}
