//! The versions that a dump names: of the server that it was made of, and of the tool that made it.
//!
//! A dump of many databases names the same ones over and over; each is an entry of the dump map once. What a stream says of itself may be
//! anything, so what is too long, and what comes after the first few, is not recorded.

use crate::base::limits::{MAP_VERSION_BYTES_MAX, MAP_VERSIONS_MAX};
use crate::base::map::{MapEntry, MapKind, MapName};

/// Whose version it is; the class of its entry.
pub(super) const SERVER: &[u8] = b"server";
/// The same, of the tool.
pub(super) const TOOL: &[u8] = b"tool";

/// The versions that were named so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Versions {
    known: Vec<(&'static [u8], Vec<u8>)>,
}

impl Versions {
    /// The entry of a version that was not named before.
    ///
    /// `at` is where the map has come to: an entry of a version has no length.
    pub(super) fn name(&mut self, class: &'static [u8], version: &[u8], at: u64) -> Option<MapEntry> {
        let fits = (1..=MAP_VERSION_BYTES_MAX).contains(&version.len()) && self.known.len() < MAP_VERSIONS_MAX;
        if !fits || self.known.iter().any(|known| known.0 == class && known.1 == version) {
            return None;
        }
        self.known.push((class, version.to_vec()));
        Some(entry(class, version, at))
    }

    /// The map of a dump whose objects are not looked for: its versions, and the end at its beginning.
    pub(super) fn map(&self) -> Vec<MapEntry> {
        let versions = self.known.iter().map(|(class, version)| entry(class, version, 0));
        versions.chain([MapEntry::new(MapKind::Stop, b"", 0, 0)]).collect()
    }
}

fn entry(class: &[u8], version: &[u8], at: u64) -> MapEntry {
    let own = MapName { schema: Vec::new(), name: version.to_vec() };
    MapEntry { own, ..MapEntry::new(MapKind::Version, class, at, at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_named_once_and_not_without_end() {
        let mut versions = Versions::default();
        let entry = versions.name(SERVER, b"15.20", 7).expect("it is new");
        assert_eq!((entry.kind, entry.offset, entry.length), (MapKind::Version, 7, 0));
        assert_eq!((&entry.class[..], &entry.own.name[..]), (SERVER, &b"15.20"[..]));
        assert_eq!(versions.name(SERVER, b"15.20", 9), None);
        assert!(versions.name(TOOL, b"15.20", 9).is_some());
        assert_eq!(versions.name(TOOL, b"", 9), None);
        assert_eq!(versions.name(TOOL, &[b'1'; MAP_VERSION_BYTES_MAX + 1], 9), None);
        let others = (0..1000_u32).filter(|n| versions.name(SERVER, n.to_string().as_bytes(), 9).is_some());
        assert_eq!(others.count(), MAP_VERSIONS_MAX - 2);
    }
}
