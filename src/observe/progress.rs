//! A line that tells how far a run is, redrawn a few times a second; or, where nobody can redraw, a line now and then.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

/// How often it is drawn when nothing happens: that, too, is worth seeing.
const TICK: Duration = Duration::from_millis(250);
/// The same where each drawing is a line of a log.
const TICK_OF_LOG: Duration = Duration::from_secs(10);

/// Where it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canvas {
    /// Nowhere.
    Hidden,
    /// On the terminal that standard error is.
    Terminal,
    /// As lines on standard error.
    Log,
}

/// How far a run is. Draws on standard error only.
pub struct Progress {
    bar: ProgressBar,
    canvas: Canvas,
    stored: AtomicU64,
}

impl Progress {
    /// Shows what was done of a whole that is not known yet.
    pub fn begin(canvas: Canvas) -> Progress {
        let target = match canvas {
            Canvas::Hidden => ProgressDrawTarget::hidden(),
            Canvas::Terminal => ProgressDrawTarget::stderr(),
            Canvas::Log => ProgressDrawTarget::term_like_with_hz(Box::new(Log), 1),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style("{spinner} {bytes} in {elapsed_precise}, {bytes_per_sec}{msg}"));
        match canvas {
            Canvas::Hidden => {}
            Canvas::Terminal => bar.enable_steady_tick(TICK),
            Canvas::Log => bar.enable_steady_tick(TICK_OF_LOG),
        }
        Progress { bar, canvas, stored: AtomicU64::new(0) }
    }

    /// The whole is known now.
    pub fn expect(&self, bytes: u64) {
        self.bar.set_length(bytes);
        let template = match self.canvas {
            Canvas::Log => "{bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            Canvas::Hidden | Canvas::Terminal => "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        };
        self.bar.set_style(style(template));
    }

    /// So many more bytes were read or released.
    pub fn advanced(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// So many more bytes were stored.
    pub fn stored(&self, bytes: u64) {
        let stored = self.stored.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.bar.set_message(format!(", {} stored", HumanBytes(stored)));
    }

    /// Takes the line away while something else is written to the terminal.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// Takes the line away for good.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// A template that does not parse would be a mistake of ours; the bar then looks plain.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Standard error as something that only grows: what would move the cursor is left out.
#[derive(Debug)]
struct Log;

impl TermLike for Log {
    fn width(&self) -> u16 {
        110
    }

    fn move_cursor_up(&self, _lines: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _lines: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _columns: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _columns: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        writeln!(io::stderr(), "{}", text.trim_end())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        match text.trim() {
            "" => Ok(()),
            text => writeln!(io::stderr(), "{text}"),
        }
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}
