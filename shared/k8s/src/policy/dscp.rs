//! Differentiated services code points by name (RFC 2474, RFC 2597, RFC 3246, RFC 5865, RFC 8622) and number.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The code point, unless there is none of this name or number, or it is one of network control (CS6, CS7): the SD-WAN's
/// own probes use those.
pub(super) fn read(value: &IntOrString) -> Option<u8> {
    match value {
        IntOrString::Int(number) => u8::try_from(*number).ok(),
        IntOrString::String(name) => named(name),
    }
    .filter(|code| *code < 64 && *code != 48 && *code != 56)
}

fn named(name: &str) -> Option<u8> {
    match name {
        "EF" => return Some(46),
        "VA" => return Some(44),
        "LE" => return Some(1),
        _ => {}
    }
    let digit = |b: &u8, most: u8| b.is_ascii_digit().then(|| b - b'0').filter(|d| *d <= most);
    match name.as_bytes() {
        [b'C', b'S', class] => digit(class, 5).map(|class| class * 8),
        [b'A', b'F', class, drop] => {
            let (class, drop) = (digit(class, 4)?, digit(drop, 3)?);
            (class > 0 && drop > 0).then_some(class * 8 + drop * 2)
        }
        _ => None,
    }
}
