//! The values of a document as a tree that knows its lines.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Error, Options, SnippetMode, Spanned, UserMessageFormatter};

use super::ManifestError;
use super::split::Document;

/// A value and the line in the file that it begins on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Line in the document, from 1; in the file once [`parse`] has returned it.
    pub line: u32,
    /// The value.
    pub content: Content,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// Null, a boolean, a number or a text.
    Scalar(Value),
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping, in the order of writing: key, line of the key, value.
    Map(Vec<(String, u32, Node)>),
}

/// A step from a value to one inside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// An item of a sequence.
    Index(usize),
    /// A value of a mapping.
    Key(String),
}

/// Parses a document, within limits on depth, size and the expansion of aliases.
pub(super) fn parse(document: &Document<'_>) -> Result<Node, ManifestError> {
    let mut node: Node = serde_saphyr::from_str_with_options(document.text, options())
        .map_err(|e| mistake(document, &e))?;
    let lines = Lines {
        before: document.line - 1,
        last: document.line_in_file(u32::MAX),
    };
    node.place(lines);
    Ok(node)
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 64,
            max_events: 4_000_000,
            max_nodes: 2_000_000,
            max_aliases: 10_000,
            max_recorded_anchor_events: 200_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 200_000,
            max_replay_stack_depth: 16,
        },
        strict_booleans: true,
        with_snippet: false,
    }
}

fn mistake(document: &Document<'_>, error: &Error) -> ManifestError {
    let within = error
        .location()
        .map_or(1, |l| u32::try_from(l.line()).unwrap_or(u32::MAX))
        .max(1);
    let text = error.render_with_options(serde_saphyr::render_options! {
        formatter: &UserMessageFormatter,
        snippets: SnippetMode::Off,
    });
    // The library counts lines from the start of the document; ours are those of the file.
    let text = text.split(" at line ").next().unwrap_or_default();
    ManifestError {
        document: document.number,
        line: document.line_in_file(within),
        field: String::new(),
        message: format!("not readable as YAML: {text}; {}", advice(error)),
    }
}

/// What to do about an error.
fn advice(error: &Error) -> &'static str {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => advice(error),
        Error::DuplicateMappingKey { .. } => "keep one of the two",
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "make the document smaller, or write out what its aliases stand for"
        }
        Error::UnknownAnchor { .. } => "define the anchor before it is used, in the same document",
        _ => "check indentation, quotes and brackets here and on the line before",
    }
}

/// Where a document stands in its file: the lines before it, and its last one.
#[derive(Debug, Clone, Copy)]
struct Lines {
    before: u32,
    last: u32,
}

impl Lines {
    fn of(self, line: u32) -> u32 {
        self.before.saturating_add(line).min(self.last)
    }
}

impl Node {
    /// Turns lines of the document into lines of the file.
    fn place(&mut self, lines: Lines) {
        self.line = lines.of(self.line);
        match &mut self.content {
            Content::Scalar(_) => {}
            Content::Seq(items) => items.iter_mut().for_each(|n| n.place(lines)),
            Content::Map(entries) => {
                for (_, line, node) in entries {
                    *line = lines.of(*line);
                    node.place(lines);
                }
            }
        }
    }

    /// The value of a key, if this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(entries) => entries
                .iter()
                .find(|(k, ..)| k == key)
                .map(|(.., node)| node),
            Content::Scalar(_) | Content::Seq(_) => None,
        }
    }

    /// The text, if this is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(value) => value.as_str(),
            Content::Seq(_) | Content::Map(_) => None,
        }
    }

    /// The values without lines.
    pub(super) fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::Seq(items) => items.iter().map(Self::to_value).collect(),
            Content::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(k, _, node)| (k.clone(), node.to_value()))
                    .collect(),
            ),
        }
    }

    /// The line of the deepest value on a path that exists; for a value of a mapping, the line of its key.
    pub(super) fn line_of(&self, path: &[Step]) -> u32 {
        let (mut node, mut line) = (self, self.line);
        for step in path {
            let next = match (&node.content, step) {
                (Content::Seq(items), Step::Index(i)) => items.get(*i).map(|n| (n.line, n)),
                (Content::Map(entries), Step::Key(key)) => entries
                    .iter()
                    .find(|(k, ..)| k == key)
                    .map(|(_, l, n)| (*l, n)),
                _ => None,
            };
            let Some((at, deeper)) = next else { break };
            (node, line) = (deeper, at);
        }
        line
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self {
            line: line(&spanned),
            content: spanned.value,
        })
    }
}

fn line<T>(spanned: &Spanned<T>) -> u32 {
    u32::try_from(spanned.referenced.line())
        .unwrap_or(u32::MAX)
        .max(1)
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

/// Visits of scalars: each gives the JSON value of its argument.
macro_rules! scalars {
    ($($visit:ident($ty:ty)),+ $(,)?) => { $(
        fn $visit<E>(self, value: $ty) -> Result<Content, E> { Ok(Content::Scalar(value.into())) }
    )+ };
}

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    scalars! { visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str), visit_string(String) }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Content::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let at = line(&key);
            entries.push((key.value, at, map.next_value()?));
        }
        Ok(Content::Map(entries))
    }
}
