//! The blocks against the bytes: of a character set with letters of two bytes every byte is looked at, and text without such letters is the same in both.

use proptest::prelude::*;

use super::*;

const PIECES: [&str; 30] = [
    "(1,'a',-2.5,NULL)",
    "(2,'it\\'s','it''s','\\\\')",
    "(3,'a value that is some bytes long, and longer than a block of sixty-four bytes (so)')",
    "('{\\\"a\\\": \\\"b\\\"}',_binary '\\0\\n',0xff)",
    ",",
    "'",
    "''",
    "\\",
    "\\\\",
    "\\'",
    "\\\\\\\\\\\\\\'",
    "(",
    ")",
    "((",
    "))",
    ";",
    "-",
    "-1",
    "--",
    "-- ",
    "#",
    "/",
    "/*",
    "*/",
    "\"",
    "`",
    "\n",
    "x",
    "12345678",
    "(f(1),'')",
];

/// What it finds and counts, byte for byte.
fn run(registers: Registers, syntax: Syntax, text: &[u8], slab: usize) -> Vec<(usize, Option<bool>, u64, bool)> {
    let (mut values, mut found, mut base) = (Values { registers, ..Values::new(syntax) }, Vec::new(), 0);
    for slab in text.chunks(slab) {
        let mut at = 0;
        while at < slab.len() {
            let (passed, what) = match values.push(&slab[at..]) {
                Found::More => (slab.len() - at, None),
                Found::End(passed) => (passed, Some(true)),
                Found::Odd(passed) => (passed, Some(false)),
            };
            at += passed;
            found.push((base + at, what, values.rows(), values.in_literal()));
            at += usize::from(what.is_some());
        }
        base += slab.len();
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn blocks_find_what_bytes_find(
        pieces in prop::collection::vec(0..PIECES.len(), 1..60),
        slab in 1_usize..200,
        escapes in any::<bool>(),
    ) {
        let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        let syntax = Syntax { escapes, ..Syntax::default() };
        let slow = run(Registers::Common, Syntax { letters: Letters::Japanese, ..syntax }, text.as_bytes(), slab);
        // Of dashes, a block stops only before two.
        let signs = |found: &(usize, Option<bool>, u64, bool)| {
            let at = |at: usize| text.as_bytes().get(at) == Some(&b'-');
            found.1 == Some(false) && at(found.0) && !at(found.0 + 1)
        };
        let slow: Vec<_> = slow.into_iter().filter(|found| !signs(found)).collect();
        for registers in Registers::all() {
            let fast = run(registers, syntax, text.as_bytes(), slab);
            let fast: Vec<_> = fast.into_iter().filter(|found| !signs(found)).collect();
            prop_assert_eq!(&fast, &slow, "{:?} in slabs of {}, {:?}", text, slab, registers);
        }
    }
}
