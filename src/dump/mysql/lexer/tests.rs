use super::*;

/// Listens to nothing, and takes every `VALUES` for that of an `INSERT`.
#[derive(Default)]
struct Deaf(usize);

impl Sink for Deaf {
    fn own_line(&mut self, _kind: OwnLine, _line: &Line, _begin: u64, _end: u64) {}
    fn statement(&mut self, _begin: u64) {}
    fn code(&mut self, bytes: &[u8]) -> usize {
        let found = bytes.windows(6).position(|window| window == b"VALUES");
        found.map_or(bytes.len(), |at| at + 6)
    }
    fn quote(&mut self, _quote: u8) {}
    fn quoted(&mut self, _bytes: &[u8]) {}
    fn end(&mut self, _rows: u64) -> Syntax {
        self.0 += 1;
        Syntax::default()
    }
    fn intrusion(&mut self) {}
    fn line_end(&mut self, _end: u64) {}
}

#[test]
fn what_is_kept_is_bounded() {
    let long = [b'x'; 1 << 16];
    for start in ["-- ", "# ", "DELIMITER ", "/*M!999999\\- ", "SELECT ", "SELECT '", "INSERT INTO t VALUES ('", "/* "]
    {
        let mut lexer = Lexer::default();
        lexer.push(start.as_bytes(), &mut Deaf::default());
        lexer.push(&long, &mut Deaf::default());
        assert!(lexer.line.kept() <= 512 && lexer.carry.len() < AHEAD_BYTES, "{start}");
        assert!(lexer.delimiter == b";");
    }
}

#[test]
fn statements_end_where_the_client_ends_them() {
    let cases: [(&str, usize); 13] = [
        ("SELECT 1;\n", 1),
        ("SELECT ';', \";\", `;`;\n", 1),
        ("SELECT 'a\\';', 'b'';';\n", 1),
        ("SELECT `a\\`;\n", 1),
        ("SELECT 1 -- it's;\n;\n", 1),
        ("SELECT 1 # it's;\n;\n", 1),
        ("SELECT 1 --2;\n", 1),
        ("SELECT 1 /* it's; */;\n", 1),
        ("/*!40101 SET a = ';' */;\n", 1),
        ("/*!50003 SELECT 1; */;\n", 2),
        ("DELIMITER ;;\nSELECT 1; SELECT ';;';;\nDELIMITER ;\nSELECT 1;\n", 2),
        ("delimiter $$\nSELECT 1; $ $$\n", 1),
        ("INSERT INTO t VALUES (1,-2,'--;'),(2,/* ; */3) -- ;\n, (4/2);\n", 1),
    ];
    for (text, expected) in cases {
        for slab in [1, 2, 3, 5, 100] {
            let (mut lexer, mut sink) = (Lexer::default(), Deaf::default());
            text.as_bytes().chunks(slab).for_each(|slab| lexer.push(slab, &mut sink));
            assert_eq!((sink.0, lexer.unfinished()), (expected, None), "{text} in slabs of {slab}");
        }
    }
}
