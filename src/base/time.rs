//! Times as people and manifests read them.

/// Unix milliseconds as RFC 3339 in UTC, `2026-11-20T03:00:00.000Z`.
///
/// Times that no calendar of four-digit years shows are given as their number.
pub fn rfc3339(milliseconds: u64) -> String {
    let shown = i64::try_from(milliseconds).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    match shown {
        Some(time) => time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        None => milliseconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_utc_with_milliseconds() {
        assert_eq!(super::rfc3339(1_763_607_600_007), "2025-11-20T03:00:00.007Z");
    }
}
