//! Progress of work that takes longer than a second, shown on a terminal only.

use std::io::{IsTerminal, stderr};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);

/// A line on the terminal that appears when the work takes long, and vanishes when this is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// For work of unknown length.
    pub(crate) fn spinner(message: String) -> Progress {
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
        Progress::start(
            ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
            style,
            message,
        )
    }

    /// For `total` steps.
    pub(crate) fn bar(total: usize, message: String) -> Progress {
        let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} ({elapsed})");
        Progress::start(
            ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::hidden()),
            style,
            message,
        )
    }

    fn start(
        bar: ProgressBar,
        style: Result<ProgressStyle, indicatif::style::TemplateError>,
        message: String,
    ) -> Progress {
        bar.set_style(style.expect("the template is valid"));
        bar.set_message(message);
        if stderr().is_terminal() {
            let bar = bar.downgrade();
            thread::spawn(move || {
                thread::sleep(PATIENCE);
                if let Some(bar) = bar.upgrade() {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                    bar.enable_steady_tick(TICK);
                }
            });
        }
        Progress(bar)
    }

    /// One more step is done.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }

    /// Does what `print` does without the progress line in the way.
    pub(crate) fn print<R>(&self, print: impl FnOnce() -> R) -> R {
        self.0.suspend(print)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
