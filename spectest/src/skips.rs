//! The list of what is known not to pass, and why.

use std::ops::RangeInclusive;

/// Scripts and directives that a run does not count, each with the reason.
///
/// A text file: one entry per line, `PATTERN[:LINES] REASON`; `#` begins a comment line. The parts of `PATTERN` between
/// slashes must fit the last parts of a script's name, and `*` stands for any characters within a part: `simd/*.wast`
/// fits `core/simd/simd_const.wast`. With `LINES`, such as `7` or `7,20-31`, the entry fits the directives that begin on
/// these lines only.
#[derive(Debug, Clone, Default)]
pub struct Skips {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    /// `PATTERN[:LINES]`, as in the list.
    text: String,
    pattern: String,
    /// Empty if the entry is for whole scripts.
    lines: Vec<RangeInclusive<usize>>,
}

impl Entry {
    fn parse(text: &str) -> Result<Entry, String> {
        let (pattern, lines) = match text.rsplit_once(':') {
            Some((pattern, lines)) => {
                (pattern, lines.split(',').map(range).collect::<Result<_, _>>()?)
            }
            None => (text, Vec::new()),
        };
        Ok(Entry { text: text.to_owned(), pattern: pattern.to_owned(), lines })
    }
}

/// Reads `LINE` or `FIRST-LAST`.
fn range(text: &str) -> Result<RangeInclusive<usize>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let line = |text: &str| text.parse().map_err(|_| format!("`{text}` is no line number"));
    Ok(line(first)?..=line(last)?)
}

impl Skips {
    /// A list without entries.
    pub fn none() -> Skips {
        Skips::default()
    }

    /// What this version of Kinglet is known not to pass.
    pub fn known() -> Skips {
        Skips::parse(include_str!("../skips.txt")).expect("a test reads the built-in list")
    }

    /// Reads a list.
    ///
    /// # Errors
    /// When a line is no entry: the number of the line, from 1, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Skips, String> {
        let mut entries = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((target, _reason)) = line.split_once(char::is_whitespace) else {
                return Err(format!("line {number}: `{line}` gives no reason"));
            };
            let entry =
                Entry::parse(target).map_err(|problem| format!("line {number}: {problem}"))?;
            entries.push(entry);
        }
        Ok(Skips { entries })
    }

    /// The entries that concern the script `name`.
    pub(crate) fn for_file(&self, name: &str) -> FileSkips {
        let fitting =
            (0..self.entries.len()).filter(|&index| fits(&self.entries[index].pattern, name));
        let (lines, whole) = fitting.partition(|&index| !self.entries[index].lines.is_empty());
        FileSkips { whole, lines, needed: Vec::new() }
    }

    /// The entry for the directive on `line` among `candidates`.
    pub(crate) fn for_line(&self, candidates: &[usize], line: usize) -> Option<usize> {
        let fits =
            |index: &usize| self.entries[*index].lines.iter().any(|range| range.contains(&line));
        candidates.iter().copied().find(fits)
    }

    /// Names the entries that no script needed: those that fitted one and those that fitted none.
    pub(crate) fn stale(&self, files: &[FileSkips]) -> (Vec<String>, Vec<String>) {
        let mut matched = vec![false; self.entries.len()];
        let mut needed = vec![false; self.entries.len()];
        for file in files {
            file.whole.iter().chain(&file.lines).for_each(|&index| matched[index] = true);
            file.needed.iter().for_each(|&index| needed[index] = true);
        }
        let unneeded = (0..self.entries.len()).filter(|&index| !needed[index]);
        let (needless, unmatched): (Vec<_>, Vec<_>) = unneeded.partition(|&index| matched[index]);
        let names = |indices: Vec<usize>| {
            indices.iter().map(|&index| self.entries[index].text.clone()).collect()
        };
        (names(needless), names(unmatched))
    }
}

/// The entries, by index, that concern one script.
#[derive(Debug, Default)]
pub(crate) struct FileSkips {
    /// Those that excuse the script as a whole.
    pub(crate) whole: Vec<usize>,
    /// Those that excuse a directive.
    pub(crate) lines: Vec<usize>,
    /// Those without which something would have failed.
    pub(crate) needed: Vec<usize>,
}

/// Whether the parts of `pattern` fit the last parts of `name`.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = name.rsplit('/');
    pattern.rsplit('/').all(|pattern| parts.next().is_some_and(|part| glob(pattern, part)))
}

/// Whether `text` is `pattern`, where each `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((prefix, rest)) => text.strip_prefix(prefix).is_some_and(|tail| {
            tail.char_indices().any(|(at, _)| glob(rest, &tail[at..])) || glob(rest, "")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_the_end_of_a_name() {
        for (pattern, name, fit) in [
            ("simd/*.wast", "core/simd/simd_const.wast", true),
            ("simd/*.wast", "simd/simd_const.wast", true),
            ("simd/*.wast", "simd_const.wast", false),
            ("simd/*.wast", "relaxed-simd/a.wast", false),
            ("binary.wast", "core/binary.wast", true),
            ("binary.wast", "core/my-binary.wast", false),
            ("*binary*", "core/my-binary.wast", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-d", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, name), fit, "{pattern} on {name}");
        }
    }

    #[test]
    fn entries_need_a_reason_and_a_line_number() {
        assert_eq!(Skips::parse("# a\n\nx.wast").unwrap_err(), "line 3: `x.wast` gives no reason");
        assert_eq!(Skips::parse("x.wast:y why").unwrap_err(), "line 1: `y` is no line number");
        assert_eq!(Skips::parse("x.wast:1- why").unwrap_err(), "line 1: `` is no line number");
        let skips = Skips::parse("x.wast:7,9-12 why\ny/*.wast  because of this").unwrap();
        let file = skips.for_file("x.wast");
        assert!(file.whole.is_empty());
        let lines = (0..20).filter(|&line| skips.for_line(&file.lines, line).is_some());
        assert_eq!(lines.collect::<Vec<_>>(), [7, 9, 10, 11, 12]);
        assert_eq!(skips.for_file("y/z.wast").whole, [1]);
    }

    #[test]
    fn the_built_in_list_parses() {
        Skips::known();
    }
}
