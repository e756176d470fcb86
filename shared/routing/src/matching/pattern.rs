//! Regular expressions of matches.
//!
//! They work on bytes, as HTTP does: `\w`, `\d`, `\s` and `\b` are ASCII (as in RE2), `.` is any byte but a line feed, and a
//! value need not be UTF-8. Unicode classes are there on request, as `(?u:\p{Greek})`.

use std::fmt;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::{Parser, ParserBuilder};
use serde::{Serialize, Serializer};

/// Largest compiled program of one expression, in bytes.
pub const PATTERN_SIZE_LIMIT: usize = 256 * 1024;

/// Largest cache of the lazy automaton of one expression, in bytes. Beyond it the search is slower, still linear.
const CACHE_SIZE_LIMIT: usize = 256 * 1024;

/// Deepest nesting of groups and repetitions.
const NEST_LIMIT: u32 = 50;

/// A compiled regular expression that matches a whole value. Linear in the input; the size of the program is bounded.
/// A clone shares the program.
#[derive(Clone)]
pub struct Pattern(Arc<Compiled>);

struct Compiled {
    source: String,
    regex: Regex,
}

/// Why a regular expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternError {
    /// Its program is larger than [`PATTERN_SIZE_LIMIT`].
    TooLarge,
    /// It is malformed, or uses what a linear-time engine lacks (look-around, back-references); says where.
    Syntax(String),
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(
                f,
                "the regular expression is too large: its program exceeds {PATTERN_SIZE_LIMIT} bytes"
            ),
            Self::Syntax(why) => write!(f, "the regular expression is invalid: {why}"),
        }
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// Compiles an expression, in the syntax of RE2 and Rust's `regex`.
    ///
    /// # Errors
    /// When it is malformed or too large.
    pub fn new(source: &str) -> Result<Self, PatternError> {
        check_alone(source)?;
        let regex = RegexBuilder::new(&anchored(source))
            .unicode(false)
            .size_limit(PATTERN_SIZE_LIMIT)
            .dfa_size_limit(CACHE_SIZE_LIMIT)
            .nest_limit(NEST_LIMIT)
            .build()
            .map_err(|e| error(&e))?;
        let source = source.to_owned();
        Ok(Self(Arc::new(Compiled { source, regex })))
    }

    /// The expression as the user wrote it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The expression as it is compiled: anchored at both ends.
    pub(crate) fn anchored(&self) -> &str {
        self.0.regex.as_str()
    }

    /// Whether the whole value matches.
    #[must_use]
    pub fn matches(&self, value: impl AsRef<[u8]>) -> bool {
        self.0.regex.is_match(value.as_ref())
    }
}

/// The line break ends a comment that the expression may end with under the flag `x`; without that flag it is put
/// where it would matter, so it is only added when needed.
fn anchored(source: &str) -> String {
    let end = if source.contains('#') && source.contains("(?") && !closes(source) {
        "\n"
    } else {
        ""
    };
    format!(r"\A(?:{source}{end})\z")
}

/// Whether the expression still closes its group when it is wrapped.
fn closes(source: &str) -> bool {
    parser().parse(&format!("(?:{source})")).is_ok()
}

/// An expression must be whole by itself: `a)|(b` would be well-formed only inside the anchors, and escape them.
fn check_alone(source: &str) -> Result<(), PatternError> {
    parser()
        .parse(source)
        .map(drop)
        .map_err(|e| PatternError::Syntax(one_line(&e.to_string())))
}

/// A parser that accepts what [`Pattern::new`] compiles.
fn parser() -> Parser {
    ParserBuilder::new()
        .nest_limit(NEST_LIMIT)
        .unicode(false)
        .utf8(false)
        .build()
}

fn error(e: &regex::Error) -> PatternError {
    match e {
        regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
        other => PatternError::Syntax(one_line(&other.to_string())),
    }
}

/// The parser draws the place over several lines; the last one says what is wrong.
fn one_line(message: &str) -> String {
    let last = message.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.0.source).finish()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.source())
    }
}
