//! Runs the official WebAssembly test suite, `.wast` scripts, on Kinglet.
//!
//! A script is a list of directives: modules to load, functions to call, and what must come of it. [`Suite`] runs any
//! number of [`Source`]s and tells what passed, what failed and what the skip list ([`Skips`]) excuses.
//!
//! ```
//! use kinglet_spectest::{Skips, Source, Suite};
//!
//! let source = Source::new(
//!     "add.wast",
//!     r#"
//!     (module (func (export "add") (param i32 i32) (result i32)
//!         (i32.add (local.get 0) (local.get 1))))
//!     (assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 3))
//!     (assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 4))
//!     "#,
//! );
//! let mut failures = Vec::new();
//! let summary = Suite::new(Skips::none())
//!     .run(&[source], |report| failures.extend(report.failures.iter().map(ToString::to_string)));
//! assert_eq!(summary.to_string(), "1 files, 2 passed, 1 failed, 0 skipped");
//! assert_eq!(failures[0], "add.wast:5:6: assert_return \"add\": expected (i32.const 4), got (i32.const 3)");
//! ```

#![forbid(unsafe_code)]

mod report;
mod script;
mod skips;
mod source;
mod spectest;
mod suite;
mod value;

pub use report::{Failure, Report, Summary};
pub use skips::Skips;
pub use source::Source;
pub use suite::Suite;
