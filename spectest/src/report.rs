//! What came of a run.

use std::fmt;

use kinglet::inspect::Tiers;

/// What came of one script.
#[derive(Debug, Default)]
pub struct Report {
    /// The script's name.
    pub name: String,
    /// How many directives did what they should.
    pub passed: usize,
    /// How many directives the skip list excuses.
    pub skipped: usize,
    /// The directives that did something else, in the order of the script.
    pub failures: Vec<Failure>,
    /// What tiers the functions of its modules ran in.
    pub tiers: Tiers,
    /// How many modules were compiled ahead of time, and how many there were, if they are.
    pub artifacts: (usize, usize),
}

/// A directive that did not do what it should. Displays as `file:line:column: what was expected, what came`.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The script's name.
    pub file: String,
    /// The line of the directive, from 1.
    pub line: usize,
    /// Its column, from 1.
    pub column: usize,
    /// What was expected and what came instead.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { file, line, column, message } = self;
        write!(f, "{file}:{line}:{column}: {message}")
    }
}

/// What came of all scripts. Displays as `FILES files, N passed, N failed, N skipped`.
#[derive(Debug, Default, Clone)]
pub struct Summary {
    /// How many scripts ran.
    pub files: usize,
    /// How many directives did what they should.
    pub passed: usize,
    /// How many directives did not.
    pub failed: usize,
    /// How many directives the skip list excuses.
    pub skipped: usize,
    /// How many functions there were in the modules of all scripts.
    pub functions: usize,
    /// How many of them were compiled.
    pub compiled: usize,
    /// How many were not, because they use vectors.
    pub vectors: usize,
    /// How many modules were compiled ahead of time, and how many there were, if they are.
    pub artifacts: (usize, usize),
    /// Entries of the skip list that fit something which passes without them.
    pub needless: Vec<String>,
    /// Entries of the skip list that fit nothing in this run.
    pub unmatched: Vec<String>,
}

impl Summary {
    /// Whether nothing failed.
    pub fn success(&self) -> bool {
        self.failed == 0
    }

    pub(crate) fn add(&mut self, report: &Report) {
        self.files += 1;
        self.passed += report.passed;
        self.failed += report.failures.len();
        self.skipped += report.skipped;
        self.functions += report.tiers.functions;
        self.compiled += report.tiers.compiled;
        self.vectors += report.tiers.vectors;
        self.artifacts.0 += report.artifacts.0;
        self.artifacts.1 += report.artifacts.1;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { files, passed, failed, skipped, .. } = self;
        write!(f, "{files} files, {passed} passed, {failed} failed, {skipped} skipped")
    }
}
