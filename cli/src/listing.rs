//! Listings of functions: the interpreter's code beside the WebAssembly that it was made from.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;

use wasmprinter::Print;

/// Columns that the WebAssembly takes at least.
const WIDTH: usize = 40;

/// Lines of a module's text, each with the offset in the binary of what it shows.
pub(crate) struct Listing {
    range: Range<usize>,
    text: String,
    /// Offset in the binary and start in `text` of each line.
    lines: Vec<(usize, usize)>,
    keep: bool,
}

impl Listing {
    /// The text of what lies in `range` of a valid module.
    pub(crate) fn new(module: &[u8], range: Range<usize>) -> Result<Listing, String> {
        let mut listing = Listing { range, text: String::new(), lines: Vec::new(), keep: false };
        let printed = wasmprinter::Config::new().print(module, &mut listing);
        printed.map_err(|error| format!("{error:#}"))?;
        Ok(listing)
    }

    /// Writes the lines of the function whose body is `body`, and beside each the lines of `bytecode` that belong to it:
    /// `POSITION OFFSET OP…`, numbers in hexadecimal, as `kinglet::inspect` makes them.
    pub(crate) fn write(
        &self,
        out: &mut impl Write,
        body: &Range<usize>,
        bytecode: &str,
    ) -> io::Result<()> {
        let mut ops = BTreeMap::<usize, Vec<String>>::new();
        for line in bytecode.lines() {
            let mut words = line.split_whitespace();
            let position = words.next().unwrap_or_default();
            let offset = words.next().and_then(|word| usize::from_str_radix(word, 16).ok());
            let op = words.collect::<Vec<_>>().join(" ");
            ops.entry(offset.unwrap_or_default()).or_default().push(format!("{position:>6}  {op}"));
        }

        let at = |offset| self.lines.partition_point(|(line, _)| *line < offset);
        let lines = at(body.start)..at(body.end);
        let mut shown = 0;
        for index in lines.clone() {
            let (offset, start) = self.lines[index];
            let end = self.lines.get(index + 1).map_or(self.text.len(), |(_, start)| *start);
            let next = if index + 1 < lines.end { self.lines[index + 1].0 } else { usize::MAX };
            let mut text = self.text[start..end].trim_end();
            // What the interpreter does between two lines belongs to the earlier one.
            for op in ops.range(shown..next.max(shown)).flat_map(|(_, ops)| ops) {
                writeln!(out, "{:>8}{text:<WIDTH$}{op}", label(offset, text))?;
                text = "";
            }
            if !text.is_empty() {
                writeln!(out, "{:>8}{text}", label(offset, text))?;
            }
            shown = next.max(shown);
        }
        Ok(())
    }
}

/// The offset, in front of the first of the lines that belong to it.
fn label(offset: usize, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{offset:x}") }
}

impl Print for Listing {
    fn write_str(&mut self, text: &str) -> io::Result<()> {
        if self.keep {
            self.text.push_str(text);
        }
        Ok(())
    }

    fn start_line(&mut self, offset: Option<u64>) {
        let offset = offset.and_then(|offset| usize::try_from(offset).ok());
        self.keep = offset.is_some_and(|offset| self.range.contains(&offset));
        if let (true, Some(offset)) = (self.keep, offset) {
            self.lines.push((offset, self.text.len()));
        }
    }
}
