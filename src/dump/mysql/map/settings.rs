//! `SET` statements: what they set, what they keep for later, and what they put back.

use super::identify::{AUTOCOMMIT, Effect, Found, REPLICATION, Weight, named};
use crate::base::map::{MapKind, Space};
use crate::dump::mysql::syntax::{Letters, Syntax};
use crate::dump::words::{Token, Words};

/// Where a dump keeps the mode of the session that it changes for itself.
const OLD_MODE: &[u8] = b"@old_sql_mode";

/// One variable that is set.
struct Assignment<'a> {
    /// As it stands there: `@saved_cs_client`, `SQL_MODE`, `@@SESSION.SQL_LOG_BIN`.
    target: Vec<u8>,
    global: bool,
    value: Option<&'a Token>,
}

/// Everything that a `SET` sets; nothing of one that is of another kind, like `SET ROLE`.
fn assignments(mut words: Words<'_>) -> Vec<Assignment<'_>> {
    let mut found = Vec::new();
    loop {
        let mut global = words.skip("GLOBAL") || words.skip("PERSIST");
        for word in ["SESSION", "LOCAL"] {
            words.skip(word);
        }
        let Some(Token::Word(first)) = words.next() else { return found };
        let mut target = first.clone();
        while words.peek() == Some(&Token::Mark(b'.')) {
            words.next();
            let Some(part) = words.part() else { return found };
            target = [&target[..], b".", &part].concat();
        }
        global |= target.to_ascii_lowercase().starts_with(b"@@global.");
        let names = first.eq_ignore_ascii_case(b"NAMES");
        if !names {
            // `:=` is the same.
            while words.peek() == Some(&Token::Mark(b':')) {
                words.next();
            }
            if words.next() != Some(&Token::Mark(b'=')) {
                return found;
            }
        }
        found.push(Assignment { target, global, value: words.peek() });
        let mut depth = 0_usize;
        loop {
            match words.next() {
                None => return found,
                Some(Token::Mark(b',')) if depth == 0 => break,
                Some(Token::Mark(b'(')) => depth += 1,
                Some(Token::Mark(b')')) => depth = depth.saturating_sub(1),
                Some(_) => {}
            }
        }
    }
}

/// Whether a variable keeps what the statements behind it change, for as long as one object takes.
fn keeps(target: &[u8]) -> bool {
    let target = target.to_ascii_lowercase();
    (target.starts_with(b"@sav") && target != TIME_ZONE) || target == b"@old_autocommit"
}

/// Where a dump keeps whether the server logs into tables, which it changes for all sessions before it drops those.
const LOG_OUTPUT: &[u8] = b"@save_log_output";

/// What all events of a database stand in.
const TIME_ZONE: &[u8] = b"@save_time_zone";

/// What a `SET` is about.
pub(super) fn identify(words: Words<'_>) -> Found {
    let all = assignments(words);
    let Some(first) = all.first() else {
        return Found { weight: Weight::Nothing, ..Found::new(MapKind::Object, "SET") };
    };
    let word = |token: Option<&Token>| match token {
        Some(Token::Word(word)) => word.to_ascii_lowercase(),
        _ => Vec::new(),
    };
    let replicates = |one: &Assignment<'_>| {
        let target = one.target.to_ascii_lowercase();
        let names = [&b"sql_log_bin"[..], b"temp_log_bin", b"gtid_purged", b"gtid_slave_pos", LOG_OUTPUT];
        one.global || names.iter().any(|name| target.ends_with(name))
    };
    if all.iter().any(replicates) {
        return Found::new(MapKind::Object, REPLICATION);
    }
    if all.iter().any(|one| one.target.eq_ignore_ascii_case(TIME_ZONE) || word(one.value) == TIME_ZONE) {
        return Found::new(MapKind::Object, "EVENT");
    }
    let mut effects = Vec::new();
    for Assignment { target, value, .. } in &all {
        if keeps(target) {
            effects.push(Effect::Opens(target.to_ascii_lowercase()));
        } else if keeps(&word(*value)) {
            effects.push(Effect::Closes(word(*value)));
        } else if target.eq_ignore_ascii_case(AUTOCOMMIT) && word(*value) == b"0" {
            effects.push(Effect::Opens(AUTOCOMMIT.into()));
        }
    }
    let (own, weight) = (named(first.target.clone()), Weight::Nothing);
    Found { own, weight, effects, space: Space::Other, ..Found::new(MapKind::Setting, "SET") }
}

/// How SQL is read behind a `SET`; `session` is how it was before anything was kept.
pub(super) fn syntax(words: Words<'_>, mut now: Syntax, session: &mut Syntax) -> Syntax {
    let all = assignments(words);
    for Assignment { target, value, global } in &all {
        let target = target.to_ascii_lowercase();
        let target = target.strip_prefix(b"@@").unwrap_or(&target);
        match (target, value) {
            _ if *global => {}
            (b"sql_mode", Some(Token::Text(modes) | Token::Name(modes))) => {
                let modes = modes.to_ascii_uppercase();
                let has = |name: &[u8]| modes.split(|byte| *byte == b',').any(|mode| mode == name);
                now.escapes = !has(b"NO_BACKSLASH_ESCAPES");
                now.ansi = has(b"ANSI_QUOTES") || has(b"ANSI");
            }
            (b"sql_mode", _) => (now.escapes, now.ansi) = (session.escapes, session.ansi),
            (b"names", Some(Token::Word(charset) | Token::Text(charset))) => {
                now.letters = Letters::of(charset);
                session.letters = now.letters;
            }
            (b"character_set_client", Some(Token::Word(charset))) if charset.starts_with(b"@") => {
                now.letters = session.letters;
            }
            (b"character_set_client", Some(Token::Word(charset) | Token::Text(charset))) => {
                now.letters = Letters::of(charset);
            }
            _ => {}
        }
    }
    if all.iter().any(|one| one.target.eq_ignore_ascii_case(OLD_MODE)) {
        (session.escapes, session.ansi) = (now.escapes, now.ansi);
    }
    now
}
