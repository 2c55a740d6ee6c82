//! What a dump map says of one place in a dump: made by `dump`, written and read by `format` (spec/index.md, "Dump map").

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKind {
    /// A dump begins: `class` is `cluster` or `database`.
    Begin = 1,
    /// It ends.
    End = 2,
    /// `\connect`; `name` is the database.
    Connect = 3,
    /// `\restrict` or `\unrestrict`, as `class` says.
    Guard = 4,
    /// A setting of the session; `name` is the variable.
    Setting = 5,
    /// A statement about an object.
    Object = 6,
    /// The rows of a table.
    Data = 7,
    /// The value of a sequence.
    Value = 8,
    /// `schema.name` belongs to `on_schema.on_name`, as `class` says: `child` of a parent, or `owned` by a table. It has no length.
    Link = 9,
    /// Where the map ends. It has no length.
    Stop = 10,
    /// The version `name` of the server or the tool, as `class` says. It has no length.
    Version = 11,
}

impl MapKind {
    /// Every kind.
    pub const ALL: [MapKind; 11] = [
        MapKind::Begin,
        MapKind::End,
        MapKind::Connect,
        MapKind::Guard,
        MapKind::Setting,
        MapKind::Object,
        MapKind::Data,
        MapKind::Value,
        MapKind::Link,
        MapKind::Stop,
        MapKind::Version,
    ];
}

/// What `schema.name` names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Space {
    /// Something that is none of the others.
    #[default]
    Other = 0,
    /// A table, view or sequence.
    Relation = 1,
    /// An index.
    Index = 2,
}

/// A name in a schema, as it is stored in the database: quotes are resolved. Both are empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MapName {
    /// The schema.
    pub schema: Vec<u8>,
    /// The name.
    pub name: Vec<u8>,
}

impl MapName {
    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.schema.is_empty() && self.name.is_empty()
    }
}

/// One entry of a dump map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapEntry {
    /// What stands there.
    pub kind: MapKind,
    /// What the own name names.
    pub space: Space,
    /// Where it begins, in bytes of the dump.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
    /// Rows of `Data`; of `Stop`, the statements that have no names in the map; otherwise 0.
    pub rows: u64,
    /// The words that tell what it is: `TABLE`, `INDEX`, `COMMENT`.
    pub class: Vec<u8>,
    /// Its own name.
    pub own: MapName,
    /// The relation that it is part of, if it has a name of its own and that is not it.
    pub on: MapName,
}

impl MapEntry {
    /// An entry without names.
    pub fn new(kind: MapKind, class: &[u8], offset: u64, end: u64) -> MapEntry {
        MapEntry {
            kind,
            space: Space::Other,
            offset,
            length: end.saturating_sub(offset),
            rows: 0,
            class: class.to_vec(),
            own: MapName::default(),
            on: MapName::default(),
        }
    }

    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}
