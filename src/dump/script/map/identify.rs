//! What a statement is about, from its words.

use super::words::Words;
use crate::base::map::{MapKind, MapName, Space};
use crate::dump::words::Token;

/// A link: `child` or `owned`, the one that belongs, and the one it belongs to.
pub(super) type Link = (&'static [u8], MapName, MapName);

/// What is known of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: MapKind,
    pub(super) space: Space,
    pub(super) class: Vec<u8>,
    pub(super) own: MapName,
    pub(super) on: MapName,
    pub(super) links: Vec<Link>,
    /// Whether every name was found that there should be.
    pub(super) named: bool,
    /// A new schema for names that do not say theirs.
    pub(super) path: Option<Vec<u8>>,
}

impl Found {
    fn new(kind: MapKind, class: &str) -> Found {
        Found {
            kind,
            space: Space::Other,
            class: class.into(),
            own: MapName::default(),
            on: MapName::default(),
            links: Vec::new(),
            named: true,
            path: None,
        }
    }

    /// A statement about a relation or an index; without its name it is not known which.
    fn about(self, space: Space, own: Option<MapName>) -> Found {
        let named = self.named && own.is_some();
        Found { space, own: own.unwrap_or_default(), named, ..self }
    }

    /// A statement about a part of a relation, which has a name in the relation's schema.
    fn part_of(self, name: Option<MapName>, on: Option<MapName>) -> Found {
        let named = self.named && name.is_some() && on.is_some();
        let (name, on) = (name.unwrap_or_default(), on.unwrap_or_default());
        Found { own: MapName { schema: on.schema.clone(), name: name.name }, on, named, ..self }
    }
}

/// Words that stand between `CREATE` and what is created.
const MODIFIERS: [&str; 9] =
    ["UNLOGGED", "TEMPORARY", "TEMP", "UNIQUE", "CONSTRAINT", "TRUSTED", "PROCEDURAL", "RECURSIVE", "DEFAULT"];

/// Whether a class names something in the space of tables.
fn is_relation(class: &str) -> bool {
    ["TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE", "SEQUENCE"].contains(&class)
}

/// Whether a statement of class `next` about the same thing only goes on with one of class `last`.
pub(super) fn goes_on(last: &[u8], next: &[u8]) -> bool {
    last == next || (last != b"COMMENT" && last != b"ACL" && next == b"ALTER")
}

/// What a statement is about. Names without a schema are of `path`.
pub(super) fn identify(tokens: &[Token], path: &[u8]) -> Found {
    let mut words = Words::new(tokens, path);
    let Some(Token::Word(first)) = tokens.first() else {
        return Found { named: false, ..Found::new(MapKind::Object, "") };
    };
    words.next();
    let first = String::from_utf8_lossy(first).to_ascii_uppercase();
    match first.as_str() {
        "SET" | "RESET" => setting(words, &first),
        "SELECT" => select(words),
        "CREATE" => create(words),
        "ALTER" => alter(words),
        "COMMENT" => {
            words.skip("ON");
            described(words, "COMMENT")
        }
        "GRANT" | "REVOKE" => grant(words),
        "SECURITY" => {
            words.after("ON");
            described(words, "SECURITY LABEL")
        }
        "REFRESH" => {
            words.class();
            let view = words.name();
            Found::new(MapKind::Object, "REFRESH").about(Space::Relation, view)
        }
        "COPY" => Found::new(MapKind::Data, "COPY").about(Space::Relation, words.name()),
        "INSERT" => {
            words.skip("INTO");
            Found::new(MapKind::Data, "INSERT").about(Space::Relation, words.name())
        }
        _ => Found::new(MapKind::Object, &first),
    }
}

fn setting(mut words: Words<'_>, class: &str) -> Found {
    while words.skip("SESSION") || words.skip("LOCAL") {}
    let name = words.part();
    let mut found = Found::new(MapKind::Setting, class);
    if name.as_deref() == Some(b"search_path") {
        // `SET search_path = sales, pg_catalog;`, as it was written before 2018.
        words.next();
        found.path = words.part();
    }
    found.about(Space::Other, name.map(|name| MapName { schema: Vec::new(), name }))
}

fn select(mut words: Words<'_>) -> Found {
    let function = words.name();
    words.next();
    let text = match words.next() {
        Some(Token::Text(text)) => text.clone(),
        _ => Vec::new(),
    };
    match function.as_ref().map(|function| function.name.as_slice()) {
        Some(b"set_config") => Found {
            path: (text == b"search_path").then(Vec::new),
            ..Found::new(MapKind::Setting, "SET").about(Space::Other, Some(MapName { schema: Vec::new(), name: text }))
        },
        Some(b"setval") => Found::new(MapKind::Value, "SEQUENCE SET").about(Space::Relation, words.literal(&text)),
        _ => Found::new(MapKind::Object, "SELECT"),
    }
}

fn create(mut words: Words<'_>) -> Found {
    let replaces = words.skip("OR") && words.skip("REPLACE");
    while MODIFIERS.iter().any(|word| words.skip(word)) {}
    let class = words.class();
    words.skip("CONCURRENTLY");
    words.skip_all(&["IF", "NOT", "EXISTS"]);
    let found = Found::new(MapKind::Object, &class);
    match class.as_str() {
        "INDEX" => {
            let name = words.name();
            words.skip("ON");
            words.skip("ONLY");
            Found { space: Space::Index, ..found }.part_of(name, words.name())
        }
        "TRIGGER" | "POLICY" => {
            let name = words.name();
            words.after("ON");
            found.part_of(name, words.name())
        }
        "RULE" => {
            let name = words.name();
            words.after("TO");
            found.part_of(name, words.name())
        }
        "STATISTICS" => {
            let name = words.name();
            words.after("FROM");
            let on = words.name();
            let own = name.clone();
            let found = found.part_of(name, on);
            Found { own: own.unwrap_or_default(), ..found }
        }
        "TABLE" | "FOREIGN TABLE" => {
            let table = words.name();
            let links = table.iter().flat_map(|table| {
                parents(&mut words).into_iter().map(|parent| (b"child".as_slice(), table.clone(), parent))
            });
            Found { links: links.collect(), ..found.about(Space::Relation, table.clone()) }
        }
        // What stands in for a view, or takes the place of what stood in for it.
        "VIEW" if replaces => Found::new(MapKind::Object, "REPLACE VIEW").about(Space::Relation, words.name()),
        _ if is_relation(&class) => found.about(Space::Relation, words.name()),
        // A cast or a transform has no name; nobody asks for it by one.
        _ => Found { own: words.name().unwrap_or_default(), ..found },
    }
}

/// What a table is a child of. Before 2018 `pg_dump` wrote partitions as such from the beginning.
fn parents(words: &mut Words<'_>) -> Vec<MapName> {
    if words.skip_all(&["PARTITION", "OF"]) {
        return words.name().into_iter().collect();
    }
    words.after("INHERITS");
    let listed = |mark: &Token| matches!(mark, Token::Mark(b'(' | b','));
    std::iter::from_fn(|| words.next().filter(|mark| listed(mark)).and_then(|_| words.name())).collect()
}

fn alter(mut words: Words<'_>) -> Found {
    let class = words.class();
    if class == "DEFAULT PRIVILEGES" {
        words.after("ON");
        return Found::new(MapKind::Object, &format!("ALTER {class} {}", words.class()));
    }
    words.skip_all(&["IF", "EXISTS"]);
    words.skip("ONLY");
    let own = words.name();
    let altered = Found::new(MapKind::Object, "ALTER");
    match class.as_str() {
        "TABLE" | "FOREIGN TABLE" => alter_table(words, own),
        "SEQUENCE" if words.skip_all(&["OWNED", "BY"]) => {
            let table = words.name_of_column();
            let links = own.iter().zip(&table).map(|(own, table)| (b"owned".as_slice(), own.clone(), table.clone()));
            Found { links: links.collect(), ..altered.about(Space::Relation, own) }
        }
        "INDEX" if words.skip_all(&["ATTACH", "PARTITION"]) => {
            let attached = Found::new(MapKind::Object, "INDEX ATTACH").about(Space::Index, words.name());
            Found { on: own.unwrap_or_default(), ..attached }
        }
        "INDEX" => altered.about(Space::Index, own),
        "PUBLICATION" if words.skip_all(&["ADD", "TABLE"]) => {
            words.skip("ONLY");
            let published = Found::new(MapKind::Object, "PUBLICATION TABLE");
            let on = words.name();
            // A publication is in no schema.
            let own = MapName { schema: Vec::new(), name: own.unwrap_or_default().name };
            Found { own, named: on.is_some(), on: on.unwrap_or_default(), ..published }
        }
        "ROLE" if words.skip_all(&["IN", "DATABASE"]) => {
            let own = words.name().unwrap_or_default();
            Found { own, ..Found::new(MapKind::Object, "ALTER ROLE IN DATABASE") }
        }
        _ if is_relation(&class) => altered.about(Space::Relation, own),
        _ => Found { own: own.unwrap_or_default(), ..Found::new(MapKind::Object, &format!("ALTER {class}")) },
    }
}

fn alter_table(mut words: Words<'_>, table: Option<MapName>) -> Found {
    let altered = Found::new(MapKind::Object, "ALTER");
    let link = |class: &'static [u8], child: &Option<MapName>, parent: &Option<MapName>| {
        child.iter().zip(parent).map(|(child, parent)| (class, child.clone(), parent.clone())).collect()
    };
    if words.skip_all(&["ADD", "CONSTRAINT"]) {
        let name = words.name();
        let indexed = ["PRIMARY", "UNIQUE", "EXCLUDE"].iter().any(|word| words.starts(&[word]));
        let class = if words.starts(&["FOREIGN"]) { "FK CONSTRAINT" } else { "CONSTRAINT" };
        // The index of a constraint has its name.
        let space = if indexed { Space::Index } else { Space::Other };
        return Found { space, ..Found::new(MapKind::Object, class) }.part_of(name, table);
    }
    if words.skip_all(&["ATTACH", "PARTITION"]) {
        let child = words.name();
        let links = link(b"child", &child, &table);
        let attached = Found::new(MapKind::Object, "TABLE ATTACH").about(Space::Relation, child);
        return Found { links, on: table.unwrap_or_default(), ..attached };
    }
    if words.starts(&["INHERIT"]) {
        words.next();
        let links = link(b"child", &table, &words.name());
        return Found { links, ..altered.about(Space::Relation, table) };
    }
    let identity = words.after("IDENTITY") && words.after("SEQUENCE") && words.skip("NAME");
    let links = if identity { link(b"owned", &words.name(), &table) } else { Vec::new() };
    Found { links, ..altered.about(Space::Relation, table) }
}

/// `TABLE x`, `COLUMN x.y`, `TRIGGER y ON x`: what a comment or a label is about.
fn described(mut words: Words<'_>, class: &str) -> Found {
    let what = words.class();
    let found = Found::new(MapKind::Object, class);
    match what.as_str() {
        "COLUMN" => found.about(Space::Relation, words.name_of_column()),
        "INDEX" => found.about(Space::Index, words.name()),
        "TRIGGER" | "RULE" | "POLICY" | "CONSTRAINT" => {
            let name = words.name();
            words.skip("ON");
            // A domain is no relation.
            if words.skip("DOMAIN") { found } else { found.part_of(name, words.name()) }
        }
        _ if is_relation(&what) => found.about(Space::Relation, words.name()),
        _ => Found { own: words.name().unwrap_or_default(), ..Found::new(MapKind::Object, &format!("{class} {what}")) },
    }
}

fn grant(mut words: Words<'_>) -> Found {
    let found = Found::new(MapKind::Object, "ACL");
    if !words.after("ON") {
        return found;
    }
    let what = words.class();
    if is_relation(&what) {
        return found.about(Space::Relation, words.name());
    }
    let own = if what == "DATABASE" { words.name() } else { None };
    Found { own: own.unwrap_or_default(), ..Found::new(MapKind::Object, &format!("ACL {what}")) }
}

/// The database of a `\connect` line, from what follows the command.
pub(super) fn database(argument: &[u8]) -> Option<Vec<u8>> {
    let plain = |text: &[u8]| -> Option<Vec<u8>> {
        let inner = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Some(String::from_utf8_lossy(inner).replace("\"\"", "\"").into_bytes())
            .filter(|_| std::str::from_utf8(inner).is_ok())
    };
    let Some(options) = argument.strip_prefix(b"-reuse-previous=on ") else {
        return plain(argument).or_else(|| (!argument.contains(&b' ')).then(|| argument.to_vec()));
    };
    let options = plain(options)?;
    let value = options.strip_prefix(b"dbname=")?;
    let Some(quoted) = value.strip_prefix(b"'").and_then(|value| value.strip_suffix(b"'")) else {
        return Some(value.to_vec());
    };
    let mut name = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter();
    while let Some(byte) = bytes.next() {
        name.push(if *byte == b'\\' { *bytes.next()? } else { *byte });
    }
    Some(name)
}
