//! What a statement of mysqldump is about, from its words.

use super::settings;
use crate::base::map::{MapKind, MapName, Space};
use crate::dump::words::{Token, Words};

/// How a statement counts in a bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// The bracket is about what it is about.
    Subject,
    /// So it is, when nothing else is in it.
    Prelude,
    /// It is about the session.
    Nothing,
}

/// What a statement does to the bracket that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Opens(Vec<u8>),
    Closes(Vec<u8>),
}

/// What is known of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: MapKind,
    pub(super) space: Space,
    pub(super) class: Vec<u8>,
    pub(super) own: MapName,
    pub(super) on: MapName,
    /// Whether every name was found that there should be.
    pub(super) named: bool,
    pub(super) rows: u64,
    pub(super) weight: Weight,
    pub(super) effects: Vec<Effect>,
}

/// What opens and closes a bracket beside variables.
const LOCK: &[u8] = b"LOCK TABLES";
const KEYS: &str = "KEYS";
pub(super) const AUTOCOMMIT: &[u8] = b"autocommit";

/// What can be created, dropped or altered and has a name.
const CLASSES: [&str; 13] = [
    "TABLE",
    "VIEW",
    "SEQUENCE",
    "TRIGGER",
    "FUNCTION",
    "PROCEDURE",
    "PACKAGE",
    "EVENT",
    "DATABASE",
    "SERVER",
    "INDEX",
    "USER",
    "ROLE",
];

/// What is about replication, or about every session of the server.
pub(super) const REPLICATION: &str = "REPLICATION";

/// What changes a database, by its name: around what was made when that had another character set.
pub(super) const ALTER_DATABASE: &str = "ALTER DATABASE";

/// What drops one.
pub(super) const DROP_DATABASE: &str = "DROP DATABASE";

pub(super) fn named(name: Vec<u8>) -> MapName {
    MapName { schema: Vec::new(), name }
}

impl Found {
    pub(super) fn new(kind: MapKind, class: &str) -> Found {
        Found {
            kind,
            space: Space::Other,
            class: class.into(),
            own: MapName::default(),
            on: MapName::default(),
            named: true,
            rows: 0,
            weight: Weight::Subject,
            effects: Vec::new(),
        }
    }

    /// About something that has a name. Only relations and databases are asked for by theirs.
    fn about(self, space: Space, own: Option<Vec<u8>>) -> Found {
        let needed = space == Space::Relation || self.kind == MapKind::Connect;
        let complete = self.named && (own.is_some() || !needed);
        Found { space, own: own.map(named).unwrap_or_default(), named: complete, ..self }
    }

    fn with(self, weight: Weight, effect: Effect) -> Found {
        Found { weight, effects: vec![effect], ..self }
    }
}

fn is_relation(class: &str) -> bool {
    ["TABLE", "VIEW", "SEQUENCE"].contains(&class)
}

fn space(class: &str) -> Space {
    if is_relation(class) { Space::Relation } else { Space::Other }
}

/// What a statement is about.
pub(super) fn identify(tokens: &[Token]) -> Found {
    let mut words = Words::new(tokens);
    let Some(Token::Word(first)) = words.next() else {
        return Found { named: false, ..Found::new(MapKind::Object, "") };
    };
    let first = String::from_utf8_lossy(first).to_ascii_uppercase();
    match first.as_str() {
        "SET" => settings::identify(words),
        "USE" => Found::new(MapKind::Connect, "USE").about(Space::Other, words.part()),
        "CREATE" => create(words),
        "DROP" => drop(words),
        "ALTER" => alter(words),
        "INSERT" | "REPLACE" => {
            for word in ["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"] {
                words.skip(word);
            }
            Found::new(MapKind::Data, "INSERT").about(Space::Relation, name(&mut words))
        }
        "LOCK" => {
            words.next();
            let locked = Found::new(MapKind::Data, "INSERT").about(Space::Relation, name(&mut words));
            locked.with(Weight::Prelude, Effect::Opens(LOCK.into()))
        }
        "UNLOCK" => Found::new(MapKind::Object, &first).with(Weight::Nothing, Effect::Closes(LOCK.into())),
        "COMMIT" => Found::new(MapKind::Object, &first).with(Weight::Nothing, Effect::Closes(AUTOCOMMIT.into())),
        "DO" | "SELECT" if words.skip("SETVAL") => {
            words.next();
            Found::new(MapKind::Value, "SEQUENCE SET").about(Space::Relation, name(&mut words))
        }
        // What is executed is a `SET GLOBAL`.
        "CHANGE" | "START" | "STOP" | "RESET" | "EXECUTE" => Found::new(MapKind::Object, REPLICATION),
        _ => Found::new(MapKind::Object, &first),
    }
}

/// Goes past the first word that says what it is about, over modifiers like `DEFINER = a@b`.
fn class_of(words: &mut Words<'_>) -> Option<&'static str> {
    while let Some(token) = words.next() {
        if let Some(class) = CLASSES.iter().find(|class| token.is(class)) {
            return Some(class);
        }
    }
    None
}

/// `name`, or the name in `database.name`.
fn name(words: &mut Words<'_>) -> Option<Vec<u8>> {
    words.parts()?.pop()
}

fn create(mut words: Words<'_>) -> Found {
    let Some(class) = class_of(&mut words) else { return Found::new(MapKind::Object, "CREATE") };
    words.skip("BODY");
    words.skip_all(&["IF", "NOT", "EXISTS"]);
    if class == "TRIGGER" {
        return trigger(words);
    }
    let own = name(&mut words);
    Found::new(MapKind::Object, class).about(space(class), own)
}

/// Whoever made it may have named its database, or that of its table: the dump repeats it as it was typed.
fn trigger(mut words: Words<'_>) -> Found {
    let own = words.parts();
    let on = if words.after("ON") { words.parts() } else { None };
    let database = own.iter().chain(&on).find(|parts| parts.len() > 1).map(|parts| parts[0].clone());
    let last = |parts: Option<Vec<Vec<u8>>>| parts.and_then(|mut parts| parts.pop());
    let (own, on) = (last(own), last(on));
    let named = own.is_some() && on.is_some();
    let own = MapName { schema: database.unwrap_or_default(), name: own.unwrap_or_default() };
    Found { own, on: on.map(self::named).unwrap_or_default(), named, ..Found::new(MapKind::Object, "TRIGGER") }
}

fn drop(mut words: Words<'_>) -> Found {
    let Some(class) = class_of(&mut words) else { return Found::new(MapKind::Object, "DROP") };
    words.skip("BODY");
    words.skip_all(&["IF", "EXISTS"]);
    let own = name(&mut words);
    let class_of = match class {
        "DATABASE" => DROP_DATABASE,
        "USER" | "ROLE" | "SERVER" => class,
        _ => "DROP",
    };
    Found { weight: Weight::Prelude, ..Found::new(MapKind::Object, class_of).about(space(class), own) }
}

fn alter(mut words: Words<'_>) -> Found {
    let Some(class) = class_of(&mut words) else { return Found::new(MapKind::Object, "ALTER") };
    let own = name(&mut words);
    let keys = [("DISABLE", Effect::Opens(KEYS.into())), ("ENABLE", Effect::Closes(KEYS.into()))];
    if let Some((_, effect)) = keys.into_iter().find(|(word, _)| words.starts(&[word, "KEYS"])) {
        return Found::new(MapKind::Object, KEYS).about(Space::Relation, own).with(Weight::Prelude, effect);
    }
    if class == "DATABASE" {
        return Found { weight: Weight::Nothing, ..Found::new(MapKind::Object, ALTER_DATABASE) };
    }
    Found::new(MapKind::Object, "ALTER").about(space(class), own)
}
