//! The short ways through `INSERT` statements lead where the long way leads.

use proptest::prelude::*;

use super::*;

/// Listens as ever, and never lets the lexer take a short way.
struct Long<'a>(Listeners<'a>);

impl Sink for Long<'_> {
    fn blank(&mut self) {
        self.0.blank();
    }
    fn statement(&mut self, begin: u64) -> bool {
        self.0.statement(begin)
    }
    fn comment(&mut self, line: &Line, begin: u64, end: u64) {
        self.0.comment(line, begin, end);
    }
    fn command(&mut self, line: &Line, begin: u64, end: u64) {
        self.0.command(line, begin, end);
    }
    fn code(&mut self, bytes: &[u8]) -> Option<usize> {
        if let Some(values) = self.0.code(bytes) {
            self.0.code(&bytes[values..]);
        }
        None
    }
    fn quote(&mut self, quote: u8) {
        self.0.quote(quote);
    }
    fn quoted(&mut self, bytes: &[u8]) {
        self.0.quoted(bytes);
    }
    fn line_end(&mut self, end: u64) {
        self.0.line_end(end);
    }
    fn rows_begin(&mut self, begin: u64) {
        self.0.rows_begin(begin);
    }
    fn rows(&mut self, lines: u64) {
        self.0.rows(lines);
    }
    fn rows_end(&mut self, end: u64) {
        self.0.rows_end(end);
    }
    fn has_values(&self) -> bool {
        self.0.has_values()
    }
    fn in_values(&self) -> bool {
        false
    }
    fn values(&mut self, _rows: u64, _last: Option<u8>) {
        unreachable!("the lexer is never told of values");
    }
    fn repeat(&mut self, _begin: u64) -> bool {
        false
    }
    fn repeated(&mut self, _end: u64, _rows: u64) {
        unreachable!("no statement repeats another");
    }
}

/// Maps and judges a script, by the long way or by the short ones.
fn run(script: &[u8], slab: usize, long: bool) -> (Vec<MapEntry>, Verdict) {
    let mut found = Script::new(EndMarker::Database);
    for slab in script.chunks(slab) {
        let Script { lexer, ledger, mapper, .. } = &mut found;
        match long {
            true => lexer.push(slab, &mut Long(Listeners { ledger, mapper })),
            false => lexer.push(slab, &mut Listeners { ledger, mapper }),
        }
    }
    let map = found.finish_map(script.len() as u64);
    (map, found.verdict())
}

/// What may be repeated, and what may stand between.
const PIECES: [&str; 44] = [
    "INSERT INTO public.t VALUES (1, 'a');\n",
    "INSERT INTO public.t VALUES (1, 'a');\n",
    "INSERT INTO public.t VALUES (1, 'a');\nINSERT INTO public.t VALUES (2, 'it''s');\nINSERT INTO public.t VALUES (3, '(');\n",
    "INSERT INTO public.t VALUES (1), (2);\n",
    "INSERT INTO public.t VALUES (1),\n\t(2),\n(3) ,\n (4);\n",
    "INSERT INTO public.t VALUES\n\t(1),\n\t(2);\n",
    "INSERT INTO public.t VALUES\n\t(1, '(');\nINSERT INTO public.t VALUES\n\t(2),\n\t('\n');\nINSERT INTO public.t VALUES\n (3);\n",
    "INSERT INTO public.t\n-- it's\nVALUES\n\t(1);\n",
    "INSERT INTO public.t VALUES\n--\n-- PostgreSQL database dump complete\n--\n\t(1);\n",
    "INSERT INTO public.t (\"a'b\") VALUES\n\t(1);\n",
    "INSERT INTO public.u VALUES(1);\nINSERT INTO public.u VALUES(2);\n",
    "INSERT INTO u VALUES (1);\nINSERT INTO u VALUES (2);\n",
    "INSERT INTO public.\"T\" (a, \"b(\") VALUES (1, 'x');\n",
    "INSERT INTO public.\"a'b\" VALUES (1);\n",
    "INSERT INTO public.t DEFAULT VALUES;\n",
    "INSERT INTO public.t VALUES;\n",
    "INSERT INTO public.t VALUES (1) ;\n",
    "INSERT INTO public.t VALUES (1); \t\n",
    "INSERT INTO public.t VALUES (1);\r\n",
    "INSERT INTO public.t VALUES (1)\n",
    "INSERT INTO public.t VALUES (1)\nON CONFLICT DO NOTHING;\n",
    "INSERT INTO public.t VALUES (1) ON CONFLICT DO NOTHING;\n",
    "INSERT INTO public.t VALUES (';\n--\n\\.\nINSERT INTO public.t VALUES (2);\n');\n",
    "INSERT INTO public.t VALUES ($$);\nINSERT$$, $1, $a$'$a$, \"x;\n\", $);\n",
    "INSERT INTO public.t VALUES (1,\n",
    "INSERT INTO public.t VALUES ('",
    "INSERT INTO public.t VALUES'a', (1);\n",
    "INSERT INTO public.t VALUES (1) FROM stdin;\n1\n2\n\\.\n",
    "INSERT INTO public.t VALUES (1) - (2)\n- (3);\n",
    "INSERT INTO t IDENTITY (VALUES (1);\n",
    "INSERT INTO t SELECT 1;\n",
    "INSERT (VALUES (1);\n",
    "(1, 2);\n",
    ");\n",
    "'",
    "\"",
    ";\n",
    "-- it's\n",
    "--\n-- PostgreSQL database dump complete\n--\n",
    "\n",
    "\\set x 'y\n",
    "\\connect shop\n",
    "SET search_path = b;\n",
    "COPY public.t (id) FROM stdin;\n1\n\\.\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_way_leads_to_the_same_map_and_verdict(
        pieces in prop::collection::vec(0..PIECES.len(), 1..30),
        slab in prop_oneof![1_usize..100, Just(1 << 20)],
    ) {
        let script: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        let expected = run(script.as_bytes(), 1 << 20, true);
        prop_assert_eq!(run(script.as_bytes(), slab, false), expected, "slabs of {}:\n{}", slab, script);
    }
}

#[test]
fn of_two_pieces_every_order_and_slab() {
    let mut compared = 0;
    for first in PIECES {
        for second in PIECES {
            let script = [first, second, second, "SELECT 1;\n"].concat();
            let expected = run(script.as_bytes(), 1 << 20, true);
            for slab in [1, 37, 64, 1 << 20] {
                assert_eq!(run(script.as_bytes(), slab, false), expected, "slabs of {slab}:\n{script}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, PIECES.len() * PIECES.len() * 4);
}

#[test]
fn what_was_no_statement_after_all_is_not_repeated() {
    let script = "INSERT INTO u VALUES (1);\nINSERT INTO t VALUES (1)\n\\set x\nINSERT INTO t VALUES (2);\n";
    let (map, _) = run(script.as_bytes(), 1 << 20, false);
    let names: Vec<_> = map.iter().map(|entry| (entry.own.name.as_slice(), entry.rows)).collect();
    assert_eq!(names, [(b"u".as_slice(), 1), (b"t", 1), (b"", 2)]);
}
