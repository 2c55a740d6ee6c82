//! Patterns for names: `*` is any text, `?` any letter, and what stands between double quotes stands for itself.

use crate::base::map::MapName;

/// One step of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Any,
    One,
    Letter(char),
}

/// A pattern for one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Step>);

impl Pattern {
    /// Whether a name is meant.
    pub fn matches(&self, name: &[u8]) -> bool {
        let name: Vec<char> = String::from_utf8_lossy(name).chars().collect();
        let (mut step, mut at) = (0, 0);
        // Where to go on when the last `*` has to stand for a letter more.
        let mut again = None;
        loop {
            match self.0.get(step) {
                Some(Step::Any) => {
                    again = Some((step, at));
                    step += 1;
                    continue;
                }
                Some(Step::One) if at < name.len() => (step, at) = (step + 1, at + 1),
                Some(Step::Letter(letter)) if name.get(at) == Some(letter) => (step, at) = (step + 1, at + 1),
                None if at == name.len() => return true,
                _ => match again {
                    Some((any, from)) if from < name.len() => {
                        again = Some((any, from + 1));
                        (step, at) = (any + 1, from + 1);
                    }
                    _ => return false,
                },
            }
        }
    }
}

/// A pattern for a table: `schema.table`, or `table` in whatever schema. Where tables have no schema, their database takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePattern {
    schema: Option<Pattern>,
    name: Pattern,
}

impl TablePattern {
    /// Whether a table of a database is meant.
    pub fn matches(&self, table: &MapName, database: &[u8]) -> bool {
        let place = if table.schema.is_empty() { database } else { &table.schema };
        self.schema.as_ref().is_none_or(|schema| schema.matches(place)) && self.name.matches(&table.name)
    }
}

/// Reads the parts of a pattern, between dots.
fn parts(text: &str) -> Option<Vec<Pattern>> {
    let mut parts = vec![Vec::new()];
    let mut letters = text.chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        let step = match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                Step::Letter('"')
            }
            '"' => {
                quoted = !quoted;
                continue;
            }
            _ if quoted => Step::Letter(letter),
            '.' => {
                parts.push(Vec::new());
                continue;
            }
            '*' => Step::Any,
            '?' => Step::One,
            _ => Step::Letter(letter),
        };
        parts.last_mut()?.push(step);
    }
    let legal = !quoted && parts.iter().all(|part| !part.is_empty());
    legal.then(|| parts.into_iter().map(Pattern).collect())
}

/// The pattern for this name and no other.
pub fn quoted(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    match text.contains(['.', '*', '?', '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into_owned(),
    }
}

/// A pattern for a database; a dot is a letter of it.
pub fn database(text: &str) -> Option<Pattern> {
    let mut steps = Vec::new();
    for (at, Pattern(part)) in parts(text)?.into_iter().enumerate() {
        steps.extend((at > 0).then_some(Step::Letter('.')));
        steps.extend(part);
    }
    Some(Pattern(steps))
}

/// A pattern for a table.
pub fn table(text: &str) -> Option<TablePattern> {
    let mut parts = parts(text)?;
    let name = parts.pop()?;
    let schema = parts.pop();
    parts.is_empty().then_some(TablePattern { schema, name })
}

/// The names that are nearest to what was asked for.
pub struct Nearest {
    wanted: Vec<char>,
    found: Vec<(usize, String)>,
}

impl Nearest {
    /// How many are told.
    const COUNT: usize = 3;

    /// Nearest to this text.
    pub fn new(wanted: &str) -> Nearest {
        Nearest { wanted: wanted.to_lowercase().chars().take(200).collect(), found: Vec::new() }
    }

    /// Looks at a name.
    pub fn offer(&mut self, name: &str) {
        let lower: Vec<char> = name.to_lowercase().chars().take(200).collect();
        // Without its schema it may be nearer.
        let bare = lower.iter().position(|letter| *letter == '.').map_or(&lower[..], |dot| &lower[dot + 1..]);
        let distance = distance(&self.wanted, &lower).min(distance(&self.wanted, bare));
        if distance > self.wanted.len().div_ceil(2) || self.found.iter().any(|(_, known)| known == name) {
            return;
        }
        self.found.push((distance, name.to_owned()));
        self.found.sort();
        self.found.truncate(Nearest::COUNT);
    }

    /// The names, nearest first.
    pub fn names(self) -> Vec<String> {
        self.found.into_iter().map(|(_, name)| name).collect()
    }
}

/// Letters to be put in, taken out or replaced.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in right.iter().enumerate() {
            let replaced = corner + usize::from(letter != other);
            corner = row[column + 1];
            row[column + 1] = replaced.min(corner + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(schema: &str, name: &str) -> MapName {
        MapName { schema: schema.into(), name: name.into() }
    }

    #[test]
    fn patterns_match_what_they_say() {
        let cases = [
            ("orders", "public", "orders", true),
            ("orders", "public", "Orders", false),
            ("public.orders", "sales", "orders", false),
            ("*.orders", "sales", "orders", true),
            ("sales.o*s", "sales", "orders", true),
            ("sales.o*s", "sales", "orderz", false),
            ("orders_20??", "public", "orders_2026", true),
            ("orders_20??", "public", "orders_202", false),
            ("\"a.b\"", "public", "a.b", true),
            ("\"a*\"", "public", "ab", false),
            ("\"a\"\"b\"", "public", "a\"b", true),
            ("*ü*", "public", "Größe für x", true),
            ("a*b*c", "public", "aXbXbXc", true),
        ];
        for (pattern, schema, table_name, expected) in cases {
            let parsed = table(pattern).unwrap_or_else(|| panic!("{pattern} is legal"));
            assert_eq!(parsed.matches(&name(schema, table_name), b"shop"), expected, "{pattern} {schema}.{table_name}");
        }
        // MySQL has no schemas in a database.
        let parsed = table("shop.orders").expect("legal");
        assert!(parsed.matches(&name("", "orders"), b"shop") && !parsed.matches(&name("", "orders"), b"bench"));
        for bad in ["", ".", "a.", "a.b.c", "\"a"] {
            assert_eq!(table(bad), None, "{bad}");
        }
        assert!(database("my.db*").is_some_and(|pattern| pattern.matches(b"my.db7")));
    }

    #[test]
    fn the_nearest_names_are_near() {
        let mut nearest = Nearest::new("public.ordres");
        for name in ["public.orders", "public.customers", "sales.orders", "public.order_lines", "x"] {
            nearest.offer(name);
        }
        assert_eq!(nearest.names().first().map(String::as_str), Some("public.orders"));
        let mut nearest = Nearest::new("ordres");
        nearest.offer("public.orders");
        assert_eq!(nearest.names(), ["public.orders"]);
    }
}
