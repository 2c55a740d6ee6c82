//! What people and programs read: tables, sizes, ages, JSON. All of it goes to standard output.

use std::io::Write;
use std::time::Duration;

use serde_json::Value;

use crate::base::failure::FailureClass;
use crate::cli::message::{CliError, one_line};

/// Writes one JSON document.
///
/// # Errors
/// Standard output cannot be written.
pub fn json(value: &Value) -> Result<Option<FailureClass>, CliError> {
    print(&format!("{value:#}\n"))
}

/// Writes lines.
///
/// # Errors
/// Standard output cannot be written.
pub fn lines(lines: &[String]) -> Result<Option<FailureClass>, CliError> {
    let text: String = lines.iter().map(|line| one_line(line) + "\n").collect();
    print(&text)
}

/// Writes rows below each other, columns as wide as their widest cell. Numbers are told by their heading, which begins with a space.
///
/// # Errors
/// Standard output cannot be written.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> Result<Option<FailureClass>, CliError> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(heading[column].trim_start().len())
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let cells = cells.iter().zip(&widths).zip(heading);
        let cells = cells.map(|((cell, width), heading)| match heading.starts_with(' ') {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let trimmed: Vec<&str> = heading.iter().map(|heading| heading.trim_start()).collect();
    let mut text = vec![line(&trimmed)];
    for row in rows {
        text.push(line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    lines(&text)
}

fn print(text: &str) -> Result<Option<FailureClass>, CliError> {
    let mut out = std::io::stdout().lock();
    let done = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    done.map(|()| None).map_err(CliError::Report)
}

/// `1.4 GiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut scaled = bytes as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be printed as 1024.0.
    while scaled >= 1023.95 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{scaled:.1} {}", UNITS[unit])
}

/// `1 slot`, `2 slots`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// `1.2 s`, `3 min 4 s`, `2 h 5 min`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `3 hours ago`, from Unix milliseconds.
pub fn age(then: u64, now: u64) -> String {
    let Some(milliseconds) = now.checked_sub(then) else {
        return "in the future".into();
    };
    let seconds = milliseconds / 1000;
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (3 << 29, "1.5 GiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (size, text) in cases {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn ages_and_durations_have_their_units() {
        let ages =
            [(0, "0 seconds ago"), (61_000, "1 minute ago"), (7_200_000, "2 hours ago"), (259_200_000, "3 days ago")];
        for (milliseconds, text) in ages {
            assert_eq!(age(1_000_000, 1_000_000 + milliseconds), text);
        }
        assert_eq!(age(2, 1), "in the future");
        assert_eq!(duration(Duration::from_millis(1250)), "1.2 s");
        assert_eq!(duration(Duration::from_secs(7500)), "2 h 5 min");
    }
}
