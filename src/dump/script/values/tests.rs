//! The scanner against one that looks at one byte after another.

use proptest::prelude::*;

use super::*;

/// What is known between two bytes.
#[derive(Clone, Copy, Default)]
struct Slow {
    inside: bool,
    lines: u64,
}

impl Slow {
    /// Where it stops.
    fn scan(&mut self, bytes: &[u8], from: usize) -> usize {
        for (at, byte) in bytes.iter().enumerate().skip(from) {
            let between = at > 0 && bytes[at - 1] == b',' && matches!(bytes.get(at + 1), Some(b'(' | b'\t'));
            match byte {
                b'\'' => self.inside = !self.inside,
                b'\n' if !self.inside && !between => return at,
                _ if !self.inside && matches!(byte, b'"' | b'$') => return at,
                b'\n' if !self.inside => self.lines += 1,
                _ => {}
            }
        }
        bytes.len()
    }
}

fn compare(registers: Registers, text: &[u8], cuts: &[usize]) {
    let (mut values, mut slow) = (Values { registers, ..Values::default() }, Slow::default());
    let mut rest = text;
    for cut in cuts.iter().chain([&text.len()]) {
        let (slab, after) = rest.split_at((*cut).min(rest.len()));
        rest = after;
        let mut at = 0;
        while at < slab.len() {
            let passed = values.scan(slab, at);
            slow.lines = 0;
            let expected = Passed { at: slow.scan(slab, at), ended: None, before: 0, behind: slow.lines };
            let found = (passed, values.in_literal());
            assert_eq!(found, (expected, slow.inside), "from {at} of {}", slab.escape_ascii());
            at = passed.at + 1;
        }
    }
}

const PIECES: [&str; 16] = [
    "'",
    "''",
    "\\",
    "(",
    ")",
    ",",
    "\n",
    ",\n(",
    ",\n\t(",
    ");\n",
    "\"",
    "$",
    "`",
    "x",
    "a value that is some bytes long",
    "(1, 'it''s', '\\\\', 'a\\'b(', NULL)",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_stops_and_counts_as_the_slow_one(
        pieces in prop::collection::vec(0..PIECES.len(), 1..80),
        cuts in prop::collection::vec(1_usize..150, 0..10),
    ) {
        let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        // Long enough that what is looked at together ends anywhere.
        let text = text.replace('`', &"-".repeat(777));
        for registers in Registers::all() {
            compare(registers, text.as_bytes(), &cuts);
        }
    }
}

#[test]
fn statements_that_begin_alike_are_passed_in_one_go() {
    // Below, at and above what is compared in one go, and more statements than are looked at together.
    for column in [1, 28, 29, 30, 31, 32, 300].map(|length| "c".repeat(length)) {
        let head = format!("INSERT INTO \"T(\" (a, \"{column}\") VALUES (");
        let rows = |count: usize| format!("{head}1, 'x;\n''');\n{head}2),\n\t(3),\n\t('(');\n").repeat(count);
        // As far as they are alike, and no further.
        let almost = format!("{}[1);\n", head.trim_end_matches('('));
        let tails = [(1, "SET x;\n"), (90, "\n"), (5, "INSERT INTO t VALUES (1);\n"), (3, ""), (4, &almost)];
        for (count, tail) in tails {
            let script = [&rows(count), tail].concat();
            let mut values = Values::default();
            values.begin(head.as_bytes(), true);
            assert_eq!(values.head_of(script.as_bytes()), Some(head.len()));
            values.repeat();
            let passed = values.scan(script.as_bytes(), head.len());
            // The last one is for the caller.
            let end = rows(count).len();
            let last = format!("{head}2),\n\t(3),\n\t('(');\n").len();
            let expected = Passed { at: end - 1, ended: Some(end - last), before: 4 * count as u64 - 3, behind: 2 };
            assert_eq!(passed, expected, "{script}");
        }
    }
    // Neither a head with a literal or a line in it, nor half of one, nor one without a row tells anything.
    for (head, whole) in [
        ("INSERT INTO \"a'b\" VALUES (", true),
        ("INSERT INTO\nt VALUES (", true),
        ("t VALUES (", false),
        ("INSERT INTO t VALUES", true),
    ] {
        let mut values = Values::default();
        values.begin(head.as_bytes(), whole);
        assert_eq!(values.head_of(head.as_bytes()), None, "{head}");
    }
}
