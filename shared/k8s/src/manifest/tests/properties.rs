//! Whatever the bytes, parsing ends with an answer.

use super::*;

/// Samples, changed in a few places.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    const NAMES: &[&str] = &["serviceexport.yaml", "wanpolicy.yaml", "wanpolicy-sla.yaml"];
    let change = (any::<prop::sample::Index>(), 0_u8..4, any::<u8>());
    (
        prop::sample::select(NAMES),
        prop::collection::vec(change, 1..8),
    )
        .prop_map(|(name, changes)| {
            let mut bytes = sample(name);
            for (place, what, byte) in changes {
                if bytes.is_empty() {
                    break;
                }
                let i = place.index(bytes.len());
                match what {
                    0 => bytes[i] = byte,
                    1 => bytes.insert(i, byte),
                    2 => bytes.truncate(i),
                    _ => drop(bytes.remove(i)),
                }
            }
            bytes
        })
}

/// Texts made of what YAML gives a meaning to.
fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(
        &[
            "apiVersion: ",
            "v1",
            "kind: ",
            "List",
            "Service",
            "Gateway",
            "items:",
            "metadata:",
            "name: ",
            "a",
            "\n",
            "\n  ",
            "\n- ",
            "---\n",
            "...\n",
            "%YAML 1.2\n",
            "{",
            "}",
            "[",
            "]",
            ": ",
            ", ",
            "&x ",
            "*x",
            "<<: ",
            "!!str ",
            "!t ",
            "|\n",
            ">-\n",
            "\"",
            "'",
            "#",
            "\t",
            "\r",
            "\u{feff}",
            "\u{85}",
            "\0",
            "? ",
            "é",
            "gateway.networking.k8s.io/v1",
            "spec:",
            "~",
            ".nan",
        ][..],
    );
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Places lie in the text.
fn check(bytes: &[u8]) {
    let manifest = parse(bytes);
    let lines = u32::try_from(bytes.iter().filter(|b| **b == b'\n').count()).unwrap() + 2;
    for error in manifest.errors.iter().chain(&manifest.warnings) {
        assert!((1..=lines).contains(&error.line), "{error:?}");
        assert!(
            error.document >= 1 && !error.message.is_empty(),
            "{error:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }

    #[test]
    fn any_text_of_yaml_pieces_gets_an_answer(text in yaml_like()) {
        check(text.as_bytes());
    }

    #[test]
    fn changed_samples_get_an_answer(bytes in mutated()) {
        check(&bytes);
    }
}
