//! Who listens to the lexer.

use crate::dump::line::Line;

/// Who is told what stands where. Offsets are those of the stream.
pub(super) trait Sink {
    /// An empty line.
    fn blank(&mut self);
    /// A line that begins with SQL begins at `begin`. Whether a statement does, too.
    fn statement(&mut self, begin: u64) -> bool;
    /// A whole line that begins with `--`.
    fn comment(&mut self, line: &Line, begin: u64, end: u64);
    /// A whole line that begins with `\`.
    fn command(&mut self, line: &Line, begin: u64, end: u64);
    /// SQL outside literals: some of one line. Where in it the values of an `INSERT` begin, if they do.
    fn code(&mut self, bytes: &[u8]) -> Option<usize>;
    /// A literal between these quotes begins, or a body between dollar tags.
    fn quote(&mut self, quote: u8);
    /// Some of what is between quotes.
    fn quoted(&mut self, bytes: &[u8]);
    /// A line of SQL ends outside literals.
    fn line_end(&mut self, end: u64);
    /// It introduced rows, which begin here.
    fn rows_begin(&mut self, begin: u64);
    /// So many lines of rows end, or that which ends them.
    fn rows(&mut self, lines: u64);
    /// The line that ends the rows ends here.
    fn rows_end(&mut self, end: u64);
    /// Whether the statement that goes by is an `INSERT` that has reached its values.
    fn has_values(&self) -> bool;
    /// Whether what follows are values of an `INSERT`.
    fn in_values(&self) -> bool;
    /// Some of them: so many lines that end in a comma, and what follows; `last` is the last byte that is not white space. The end of the last
    /// line is told by itself.
    fn values(&mut self, lines: u64, last: Option<u8>);
    /// A statement at `begin` begins as the last one did that reached its values. Whether it may be told by that.
    fn repeat(&mut self, begin: u64) -> bool;
    /// So many lines of such statements end, the last one at `end`, where another statement begins.
    fn repeated(&mut self, end: u64, lines: u64);
}
