//! Which parts of a dump make a script of some of its tables, or of a database.

mod closure;
mod error;
pub mod pattern;
mod script;

use std::collections::BTreeSet;
use std::ops::Range;

use crate::base::map::MapName;
use crate::ops::scenes::{Scenes, Subject};
use crate::pipeline::contents::ContentsReader;

use closure::{Closure, Matched, Member};
pub use error::{ChooseError, NAMELESS, NoRows};
use pattern::{Nearest, Pattern, TablePattern};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Databases, as they were asked for.
    pub databases: Vec<(String, Pattern)>,
    /// Tables, as they were asked for.
    pub tables: Vec<(String, TablePattern)>,
    /// Roles and tablespaces.
    pub globals: bool,
    /// The tables themselves, their indexes and so on, not their rows alone.
    pub schema: bool,
    /// No children of partitioned or inherited tables.
    pub only: bool,
    /// No connection to the database that the dump names: into the one that the client is connected to.
    pub stay: bool,
}

/// A table whose rows are in the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenTable {
    /// The database; empty where the dump does not say it.
    pub database: Vec<u8>,
    /// The table.
    pub table: MapName,
    /// Its rows.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// What is released.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Ranges of the dump, ascending.
    pub ranges: Vec<Range<u64>>,
    /// The tables whose rows are among them, when tables were asked for.
    pub tables: Vec<ChosenTable>,
    /// Tables that were asked for and come without rows, or not at all.
    pub without: Vec<(MapName, NoRows)>,
    /// Tables that were asked for with all that makes them, of which the dump has rows and nothing more.
    pub unmade: Vec<MapName>,
    /// Whether a trigger stays out that names the original as its database.
    pub elsewhere: bool,
    /// Whether there are triggers on tables that come as rows alone.
    pub triggers: bool,
    /// Whether what is made anew may be given rights that it did not have: a database that gives rights by default does so last in its dump.
    pub defaults: bool,
    /// Whether there may be more: the map has no names for some of the dump.
    pub partial: bool,
}

/// A name for people: `public.orders`.
pub fn shown(name: &MapName) -> String {
    let text = String::from_utf8_lossy(&name.name).into_owned();
    match name.schema.is_empty() {
        true => text,
        false => format!("{}.{text}", String::from_utf8_lossy(&name.schema)),
    }
}

/// A name as it is typed: a pattern that matches it and nothing else.
pub fn typed(name: &MapName) -> String {
    let text = pattern::quoted(&name.name);
    match name.schema.is_empty() {
        true => text,
        false => format!("{}.{text}", pattern::quoted(&name.schema)),
    }
}

/// Chooses among the scenes that `reader` gave.
///
/// # Errors
/// There is nothing of what is asked for, or the map cannot be read.
pub fn choose(scenes: &Scenes, reader: &mut ContentsReader<'_, '_>, wanted: &Wanted) -> Result<Chosen, ChooseError> {
    let databases = databases(scenes, wanted)?;
    let mut chosen = Chosen { partial: scenes.unnamed > 0, ..Chosen::default() };
    if !wanted.tables.is_empty() {
        let Matched { mut closure, roots } = Matched::find(scenes, reader, wanted, &databases)?;
        closure.grow(scenes, reader, wanted)?;
        if closure.leave_hypertables(&roots) {
            closure.grow(scenes, reader, wanted)?;
        }
        let script = script::write(scenes, reader, wanted, &closure)?;
        check_stay(wanted, script.databases.iter())?;
        if let Some(table) = &script.in_several {
            return Err(ChooseError::SeveralDumps { table: shown(table) });
        }
        chosen.without = check_rows(&closure, &roots, &script.tables, wanted)?;
        chosen.ranges.extend(script.ranges);
        (chosen.defaults, chosen.elsewhere, chosen.triggers) = (script.defaults, script.elsewhere, script.triggers);
        if wanted.schema {
            let made = |table: &&ChosenTable| script.made.contains_key(&(table.database.clone(), table.table.clone()));
            chosen.unmade =
                script.tables.iter().filter(|table| !made(table)).map(|table| table.table.clone()).collect();
        }
        chosen.tables = script.tables;
    } else if !wanted.databases.is_empty() {
        check_stay(wanted, databases.iter())?;
    }
    let whole = whole(scenes, reader, wanted, &databases, &mut chosen.elsewhere)?;
    chosen.ranges.extend(whole);
    if !chosen.ranges.is_empty() {
        chosen.ranges.extend(script::session(scenes, reader)?);
    }
    chosen.ranges = merge(chosen.ranges);
    Ok(chosen)
}

/// The globals, and all of these databases, as far as they are asked for.
fn whole(
    scenes: &Scenes,
    reader: &mut ContentsReader<'_, '_>,
    wanted: &Wanted,
    databases: &[Vec<u8>],
    elsewhere: &mut bool,
) -> Result<Vec<Range<u64>>, ChooseError> {
    let all_of_them = wanted.tables.is_empty() && !wanted.databases.is_empty();
    if wanted.globals && !scenes.scenes.iter().any(|scene| scene.subject == Subject::Globals) {
        return Err(ChooseError::NoGlobals);
    }
    let meant = |subject: &Subject| match subject {
        Subject::Globals => wanted.globals,
        Subject::Setup(_) if wanted.stay => false,
        _ => all_of_them && subject.database().is_some_and(|name| databases.iter().any(|known| known == name)),
    };
    let ranges: Vec<_> =
        scenes.scenes.iter().filter(|scene| meant(&scene.subject)).map(|scene| scene.range.clone()).collect();
    if ranges.is_empty() {
        return Ok(ranges);
    }
    let mut ranges = without(ranges, script::left_out(scenes, reader, wanted, &meant, elsewhere)?);
    if all_of_them && !wanted.stay {
        ranges.extend(script::made_among_globals(scenes, reader, databases)?);
    }
    Ok(ranges)
}

/// What is in a range and in none of those that are left out. All ascend.
fn without(ranges: Vec<Range<u64>>, left_out: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut rest = Vec::with_capacity(ranges.len());
    let mut left_out = left_out.into_iter().peekable();
    for range in ranges {
        let mut at = range.start;
        while let Some(out) = left_out.next_if(|out| out.end <= range.end) {
            if out.start >= at {
                rest.push(at..out.start);
                at = out.end;
            }
        }
        rest.push(at..range.end);
    }
    rest.retain(|range| !range.is_empty());
    rest
}

/// One connection is to one database, and what does not say its own is on the one that is there.
fn check_stay<'a>(wanted: &Wanted, databases: impl Iterator<Item = &'a Vec<u8>>) -> Result<(), ChooseError> {
    let databases: Vec<_> = databases.collect();
    let stays = wanted.stay || databases.iter().any(|name| name.is_empty());
    if !stays || databases.len() < 2 {
        return Ok(());
    }
    Err(ChooseError::OneDatabase { databases: databases.iter().map(|name| error::database(name)).collect() })
}

/// The databases that are meant: those that match, or all of them.
fn databases(scenes: &Scenes, wanted: &Wanted) -> Result<Vec<Vec<u8>>, ChooseError> {
    let all = scenes.databases();
    if wanted.databases.is_empty() {
        return Ok(all.into_iter().map(<[u8]>::to_vec).collect());
    }
    if all.iter().all(|name| name.is_empty()) && !all.is_empty() {
        return Err(ChooseError::Nameless);
    }
    let mut found: Vec<Vec<u8>> = Vec::new();
    for (text, pattern) in &wanted.databases {
        let matching: Vec<_> = all.iter().filter(|name| pattern.matches(name)).collect();
        for name in &matching {
            if !found.iter().any(|known| known == *name) {
                found.push(name.to_vec());
            }
        }
        if matching.is_empty() {
            let mut nearest = Nearest::new(text);
            all.iter().for_each(|name| nearest.offer(&pattern::quoted(name)));
            return Err(ChooseError::Nothing { what: "database", pattern: text.clone(), nearest: nearest.names() });
        }
    }
    Ok(found)
}

/// Whoever asks for rows is told when there are none to be had: of all that a pattern matches, or of a table among others.
fn check_rows(
    closure: &Closure,
    roots: &[BTreeSet<Member>],
    tables: &[ChosenTable],
    wanted: &Wanted,
) -> Result<Vec<(MapName, NoRows)>, ChooseError> {
    let own: BTreeSet<Member> =
        tables.iter().map(|ChosenTable { database, table, .. }| (database.clone(), table.clone())).collect();
    let with_rows = closure.ancestors(own.clone());
    let is_chunked = |root: &Member| matches!(closure.why_no_rows(root), NoRows::Hypertable { .. });
    for of_pattern in roots {
        let comes = |root: &Member| with_rows.contains(root) || (wanted.schema && !is_chunked(root));
        let first = of_pattern.iter().find(|root| is_chunked(root)).or(of_pattern.first());
        if let Some(root) = first.filter(|_| !of_pattern.iter().any(comes)) {
            return Err(ChooseError::NoRows { table: shown(&root.1), reason: closure.why_no_rows(root) });
        }
    }
    if let Some((_, root)) = own.iter().find(|table| wanted.only && closure.is_filled_through(table)) {
        return Err(ChooseError::NoRows { table: shown(root), reason: NoRows::InChildren });
    }
    let mut without = Vec::new();
    for root in roots.iter().flatten().collect::<BTreeSet<_>>() {
        let reason = closure.why_no_rows(root);
        let told = match reason {
            NoRows::Hypertable { .. } => closure.is_hypertable(root),
            NoRows::None | NoRows::Unspelled => wanted.schema && !with_rows.contains(root),
            NoRows::InRoot { .. } => {
                wanted.schema && !closure.filled_root(root).is_some_and(|filled| own.contains(filled))
            }
            NoRows::NotStored | NoRows::InChildren => false,
        };
        without.extend(told.then(|| (root.1.clone(), reason)));
    }
    Ok(without)
}

/// Sorts ranges and joins those that touch.
fn merge(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}
