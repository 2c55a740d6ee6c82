//! Which part of a dump `vault unpack` writes.

use clap::{ArgGroup, Args};

/// A part of the dump: for backups of the text of pg_dump and pg_dumpall, and of mysqldump.
#[derive(Args)]
#[command(next_help_heading = "A part of the dump", group = ArgGroup::new("chosen").args(["database", "table"]).multiple(true))]
pub struct Part {
    /// Only this database; `*` is any text, `?` any letter. May be given several times.
    #[arg(long, value_name = "NAME")]
    pub database: Vec<String>,
    /// Only the rows of this table, `schema.table` or `table`, of MySQL `database.table` or `table`; `*` is any text, `?` any letter, and what stands between double quotes
    /// stands for itself. Partitions and children come along. May be given several times.
    #[arg(long, value_name = "TABLE")]
    pub table: Vec<String>,
    /// Roles and tablespaces, or users, too, where the dump has them.
    #[arg(long)]
    pub globals: bool,
    /// The tables themselves, too, with their indexes, constraints, triggers, sequences, rights and publications.
    #[arg(long, requires = "table")]
    pub with_schema: bool,
    /// Without partitions and children.
    #[arg(long, requires = "table")]
    pub only: bool,
    /// Without `\connect` and `USE`: into the database that the client is connected to, and not into the one that the dump was made of.
    #[arg(long, requires = "chosen")]
    pub no_connect: bool,
    /// Write nothing, and say what would be written and read.
    #[arg(long)]
    pub dry_run: bool,
}
