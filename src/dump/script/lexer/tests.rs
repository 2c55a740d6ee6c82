//! What a lexer keeps.

use super::*;

/// Listens to nothing.
struct Deaf;

impl Sink for Deaf {
    fn blank(&mut self) {}
    fn statement(&mut self, _begin: u64) -> bool {
        true
    }
    fn comment(&mut self, _line: &Line, _begin: u64, _end: u64) {}
    fn command(&mut self, _line: &Line, _begin: u64, _end: u64) {}
    fn code(&mut self, _bytes: &[u8]) -> Option<usize> {
        None
    }
    fn quote(&mut self, _quote: u8) {}
    fn quoted(&mut self, _bytes: &[u8]) {}
    fn line_end(&mut self, _end: u64) {}
    fn rows_begin(&mut self, _begin: u64) {}
    fn rows(&mut self, _lines: u64) {}
    fn rows_end(&mut self, _end: u64) {}
    fn has_values(&self) -> bool {
        false
    }
    fn in_values(&self) -> bool {
        false
    }
    fn values(&mut self, _rows: u64, _last: Option<u8>) {}
    fn repeat(&mut self, _begin: u64) -> bool {
        false
    }
    fn repeated(&mut self, _end: u64, _rows: u64) {}
}

#[test]
fn what_is_kept_is_bounded() {
    let mut lexer = Lexer::default();
    let long = [b'x'; 1 << 16];
    for start in ["-- ", "\\set ", "$", "SELECT $_", "'", "$a$"] {
        lexer.push(start.as_bytes(), &mut Deaf);
        lexer.push(&long, &mut Deaf);
        assert!(lexer.line.kept() <= 512 && lexer.tag.len() <= 256, "{start}");
        lexer.push(b"$a$'\n", &mut Deaf);
    }
}
