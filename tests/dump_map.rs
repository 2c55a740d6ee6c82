//! The dump map: where the objects of a script stand, and one table of it back without the rest.
//!
//! `scanner` compares the mapper with a slow one on scripts that are put together from whatever could mislead it; `names` with what the
//! statements were made of; `mysql` does both with what mysqldump writes; `ranges` restores parts of a dump, and `cost` counts what is read for it; `hostile` is what nobody dumps by
//! accident. The real tools are in `tests/postgres.rs` and `mysql.rs`. What a table costs out of 1 GiB and out of 8 GiB (3 GiB of disk), a row of 1 GiB and a
//! million tables are the long suite:
//!
//!     cargo test --release --test dump_map -- --ignored --nocapture --test-threads 1

mod common;
#[path = "dump_map/cost.rs"]
mod cost;
#[path = "dump_map/hostile.rs"]
mod hostile;
#[path = "dump_map/mysql.rs"]
mod mysql;
#[path = "dump_map/names.rs"]
mod names;
#[path = "dump_map/ranges.rs"]
mod ranges;
#[path = "dump_map/scanner.rs"]
mod scanner;

use vault::base::map::MapEntry;
use vault::dump::Observer;

/// What every script begins with.
const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict Key1\n\n-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)\n-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)\n\nSET statement_timeout = 0;\nSET lock_timeout = 0;\nSELECT pg_catalog.set_config('search_path', '', false);\n\n";
/// What it ends with.
const END: &str = "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict Key1\n\n";

/// The map of a script that comes in slabs of this size.
fn map(script: &[u8], slab: usize) -> Vec<MapEntry> {
    let (mut observer, mut entries) = (Observer::new(), Vec::new());
    for slab in script.chunks(slab) {
        observer.push(slab);
        entries.extend(observer.take_map());
    }
    entries.extend(observer.finish_map());
    entries
}
