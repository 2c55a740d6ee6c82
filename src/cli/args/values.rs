//! Sizes, durations and tags as people write them.

use std::time::Duration;

use crate::base::bytes::from_hex;
use crate::crypto::keys::Fingerprint;
use crate::pipeline::pack::Level;

/// `1` to `19`, or `auto`. Which numbers there are, the pipeline says.
pub(super) fn parse_level(text: &str) -> Result<Level, String> {
    match text {
        "auto" => Ok(Level::Auto),
        number => number.parse().map(Level::Fixed).map_err(|_| "a level is 1 to 19, or auto".into()),
    }
}

/// `8192`, `128KiB`, `512MiB`, `1GiB`.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let refused = || "a size is a number of bytes, KiB, MiB or GiB".to_owned();
    let digits = text.trim_end_matches(|unit: char| !unit.is_ascii_digit());
    let factor = match &text[digits.len()..] {
        "" | "B" => 1,
        "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        _ => return Err(refused()),
    };
    let number: u64 = digits.parse().map_err(|_| refused())?;
    number.checked_mul(factor).ok_or_else(refused)
}

/// `90`, `90s`, `10m`, `2h`, `35d`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let refused = || "a duration is a number of seconds, or one with s, m, h or d".to_owned();
    let digits = text.trim_end_matches(|unit: char| !unit.is_ascii_digit());
    let factor = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(refused()),
    };
    let number: u64 = digits.parse().map_err(|_| refused())?;
    let seconds = number.checked_mul(factor).filter(|seconds| *seconds > 0);
    seconds.map(Duration::from_secs).ok_or_else(refused)
}

/// 32 hexadecimal digits; who copies them from paper may type capitals and spaces.
pub(super) fn parse_fingerprint(text: &str) -> Result<Fingerprint, String> {
    let digits: String =
        text.chars().filter(|letter| *letter != ' ').map(|letter| letter.to_ascii_lowercase()).collect();
    from_hex(&digits).map(Fingerprint).ok_or_else(|| "a fingerprint has 32 hexadecimal digits".into())
}

/// `key=value`.
pub(super) fn parse_tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("a tag is KEY=VALUE".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_durations_and_fingerprints_are_read() {
        let sizes = [
            ("8192", Some(8192)),
            ("128KiB", Some(131_072)),
            ("1GiB", Some(1 << 30)),
            ("1GB", None),
            ("", None),
            ("KiB", None),
            ("-1", None),
            ("99999999999GiB", None),
        ];
        for (text, bytes) in sizes {
            assert_eq!(parse_size(text).ok(), bytes, "{text}");
        }
        let fingerprint = parse_fingerprint("0123 4567 89AB cdef 0123 4567 89ab cdef").map(|found| found.to_string());
        assert_eq!(fingerprint.as_deref(), Ok("0123456789abcdef0123456789abcdef"));
        assert!(["", "0123", "0123456789abcdef0123456789abcdeg"].iter().all(|text| parse_fingerprint(text).is_err()));
        let durations = [
            ("90", Some(90)),
            ("90s", Some(90)),
            ("10m", Some(600)),
            ("2h", Some(7200)),
            ("0", None),
            ("5d", Some(432_000)),
            ("5w", None),
        ];
        for (text, seconds) in durations {
            assert_eq!(parse_duration(text).ok().map(|duration| duration.as_secs()), seconds, "{text}");
        }
    }
}
