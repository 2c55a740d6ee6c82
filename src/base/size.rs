//! Sizes that are seen from outside: Padmé rounding (spec/part.md).

/// Rounds `length` up so that it keeps only log log of its bits (Nikitin et al., PETS 2019, "Padmé").
///
/// Saturates where the result would not fit.
pub const fn padme(length: u64) -> u64 {
    if length < 2 {
        return length;
    }
    let exponent = length.ilog2();
    let kept = exponent.ilog2() + 1;
    match length.checked_next_multiple_of(1 << (exponent - kept)) {
        Some(rounded) => rounded,
        None => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::padme;

    #[test]
    fn rounds_as_the_specification_says() {
        let cases =
            [(0, 0), (1, 1), (2, 2), (3, 3), (9, 10), (1000, 1024), (1031, 1088), (5000, 5120), (u64::MAX, u64::MAX)];
        for (length, rounded) in cases {
            assert_eq!(padme(length), rounded, "padme({length})");
        }
    }

    #[test]
    fn never_shrinks_and_adds_an_eighth_at_most() {
        for length in 1..100_000 {
            let rounded = padme(length);
            assert!(rounded >= length && rounded - length <= length / 8, "padme({length}) = {rounded}");
            assert_eq!(padme(rounded), rounded, "a rounded length stays");
        }
    }
}
