//! A file cut into its documents, each with the line it begins on.

/// One document of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Document<'a> {
    /// Number in the file, from 1.
    pub number: u32,
    /// Line in the file of the first line of `text`, from 1.
    pub line: u32,
    /// The document, its `---` line included.
    pub text: &'a str,
}

impl Document<'_> {
    /// The line in the file of a line in the document, from 1; at most the last one of the document. (A carriage return
    /// alone ends a line of YAML, but not one in an editor.)
    pub(super) fn line_in_file(&self, line: u32) -> u32 {
        let breaks = self.text.bytes().filter(|b| *b == b'\n').count();
        let last = self
            .line
            .saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
        self.line.saturating_add(line.saturating_sub(1)).min(last)
    }
}

/// Cuts a file at its `---` and `...` lines. Documents without content are left out and not counted.
pub(super) fn documents(text: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let mut chunk = Chunk::at(0, 1);
    let (mut offset, mut line) = (0, 1_u32);
    for text_line in text.split_inclusive('\n') {
        let content = text_line.trim_end_matches(['\n', '\r']);
        let ends = marks(content, "...");
        if ends || (marks(content, "---") && !chunk.only_directives()) {
            chunk.cut(text, offset, &mut documents);
            chunk = Chunk::at(offset, line);
        }
        offset += text_line.len();
        line = line.saturating_add(1);
        if ends {
            chunk = Chunk::at(offset, line);
        } else {
            chunk.see(content);
        }
    }
    chunk.cut(text, offset, &mut documents);
    documents
}

/// Whether a line begins with this marker, which a blank or nothing follows.
fn marks(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

/// A document in the making.
struct Chunk {
    start: usize,
    line: u32,
    directives: bool,
    content: bool,
}

impl Chunk {
    fn at(start: usize, line: u32) -> Self {
        Self {
            start,
            line,
            directives: false,
            content: false,
        }
    }

    /// Takes notice of a line.
    fn see(&mut self, line: &str) {
        let rest = if marks(line, "---") {
            line.get(3..).unwrap_or("")
        } else {
            line
        };
        let rest = rest.trim_start();
        if rest.starts_with('%') && !self.content {
            self.directives = true;
        } else if !rest.is_empty() && !rest.starts_with('#') {
            self.content = true;
        }
    }

    /// Nothing but `%YAML` and `%TAG` lines: the `---` that follows belongs to them.
    fn only_directives(&self) -> bool {
        self.directives && !self.content
    }

    fn cut<'a>(&self, text: &'a str, end: usize, documents: &mut Vec<Document<'a>>) {
        if !self.content {
            return;
        }
        documents.push(Document {
            number: u32::try_from(documents.len()).unwrap_or(u32::MAX - 1) + 1,
            line: self.line,
            text: text.get(self.start..end).unwrap_or_default(),
        });
    }
}
