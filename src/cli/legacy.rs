//! `vault legacy`: archives of the service that vault replaces become dumps, or backups.
//!
//! Nothing in such an archive is authenticated, and what tells that it is whole stands at its end. So before anything is let go that cannot
//! be taken back, it is decoded once for its checks alone, and then again; `--stream` leaves that out. What is written to a file is decoded
//! once, because the file appears at the end.

mod source;

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use crate::base::failure::FailureClass;
use crate::cli::args::{Global, LegacyArchive, LegacyCommand, LegacyImport, LegacyUnpack};
use crate::cli::child::Children;
use crate::cli::control::{Patience, RunControl};
use crate::cli::message::{CliError, say};
use crate::cli::output::{NewFile, Replace, deliver};
use crate::cli::pack;
use crate::cli::report::bytes;
use crate::cli::secrets::read_legacy_key;
use crate::cli::signals::Signals;
use crate::cli::unpack::refuse_inside;
use crate::cli::world::{Outside, Teller, open_store, open_store_at, store_path};
use crate::dump::Verdict;
use crate::legacy::derive::{Derivation, ITERATIONS_DEFAULT};
use crate::ops::legacy::content::{Content, ContentReader, Decoding, Ends, Failure, Inner, Summary};
use crate::pipeline::error::RunError;
use crate::pipeline::port::{Control, Observer, Store};
use crate::store::local::LocalStore;
use source::{Archive, Place};

/// The key of the tag that says where an imported backup is from.
const TAG: &str = "legacy";

/// Runs `vault legacy`.
///
/// # Errors
/// The dump was not written or packed, or not all of it.
pub fn run(global: &Global, command: LegacyCommand) -> Result<Option<FailureClass>, CliError> {
    match command {
        LegacyCommand::Unpack(command) => unpack(global, &command),
        LegacyCommand::Import(command) => import(global, command),
    }
}

/// One run over an archive.
struct Session {
    archive: Archive,
    decoding: Decoding,
    control: Arc<RunControl>,
    children: Children,
    teller: Teller,
}

impl Session {
    /// Gets the old key and starts the clock of the run.
    fn begin(
        global: &Global,
        options: &LegacyArchive,
        place: Place,
        beside: Option<&Path>,
        ends: Ends,
        patience: Patience,
    ) -> Result<Session, CliError> {
        let (file, command) = (options.legacy_key_file.as_deref(), options.legacy_key_command.as_deref());
        let key = Arc::new(read_legacy_key(file, command, beside)?);
        let derivation = match (options.iter, options.pbkdf2) {
            (Some(iterations), _) => Derivation::Pbkdf2 { iterations },
            (None, true) => Derivation::Pbkdf2 { iterations: ITERATIONS_DEFAULT },
            (None, false) => Derivation::BytesToKey,
        };
        let children = Children::default();
        let signals = Signals::install(&children).map_err(CliError::Signals)?;
        let control = Arc::new(RunControl::new(patience, signals, None));
        let inner = if options.gunzip { Inner::Inflate } else { Inner::Keep };
        let decoding = Decoding { key, derivation, inner, ends, control: control.clone() };
        let archive = Archive::new(place, Arc::clone(&control));
        Ok(Session { archive, decoding, control, children, teller: Teller::new(global) })
    }

    /// What a run that was told to stop failed with is that.
    fn stopped(&self, error: CliError) -> CliError {
        self.control.stop().map_or(error, |stop| RunError::Stopped(stop).into())
    }

    /// The content, checked as a whole before when it has to be.
    fn content(&mut self, checked: Checked) -> Result<Content, CliError> {
        let unseen = match checked {
            Checked::AtTheEnd => "and whether it is whole shows only at its end",
            Checked::Before => "so what was changed on purpose cannot be seen",
        };
        self.teller.caution(&format!("nothing in {} is authenticated, {unseen}", self.archive.name()));
        if checked == Checked::AtTheEnd {
            return Ok(Content::open(self.archive.once()?, &self.decoding)?);
        }
        let mut content = Content::open(self.archive.first()?, &self.decoding)?;
        let summary = self.drain(&mut content, &mut std::io::sink())?;
        self.teller.note(&format!("checked: {} of {}{}", bytes(summary.bytes), summary.kind, verdict(summary)));
        if summary.twice && self.decoding.inner == Inner::Keep {
            self.teller.note("the archive holds gzip inside gzip: `--gunzip` inflates that, too");
        }
        Ok(Content::open(self.archive.again()?, &self.decoding)?)
    }

    /// Writes the content to its end.
    fn drain(&self, content: &mut Content, sink: &mut dyn Write) -> Result<Summary, CliError> {
        while let Some(slab) = content.next_slab()? {
            sink.write_all(&slab).map_err(RunError::Output)?;
            self.teller.advanced(slab.len() as u64);
        }
        // `next_slab` ends only with one.
        content.summary().ok_or_else(|| RunError::Worker.into())
    }
}

/// When an archive is known to be whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Checked {
    /// Before the first byte is used.
    Before,
    /// After the last.
    AtTheEnd,
}

fn verdict(summary: Summary) -> &'static str {
    match summary.verdict {
        Verdict::Complete => ", complete",
        Verdict::Unchecked => ", whose end is not checked",
        Verdict::Unproven(_) => ", which shows no end",
        Verdict::Incomplete(_) => ", cut short",
    }
}

fn unpack(global: &Global, command: &LegacyUnpack) -> Result<Option<FailureClass>, CliError> {
    if command.output.is_none() && command.command.is_empty() && std::io::stdout().is_terminal() {
        return Err(CliError::OutputIsTerminal);
    }
    let began = Instant::now();
    let (place, store) = locate(&command.archive, || open_store(global))?;
    let beside = store.as_ref().map(|store| PathBuf::from(store.location()));
    let patience = Patience { timeout: command.timeout, stall_timeout: None };
    let mut session = Session::begin(global, &command.archive, place, beside.as_deref(), Ends::NotCutShort, patience)?;
    let written = write(&mut session, command, store.as_ref());
    session.teller.progress().end();
    let summary = written.map_err(|error| session.stopped(error))?;
    if global.json {
        // Standard output is the dump's.
        let summary = json!({
            "version": 1,
            "message_type": "summary",
            "archive": session.archive.name(),
            "kind": summary.kind.as_str(),
            "complete": summary.verdict == Verdict::Complete,
            "authenticated": false,
            "bytes": summary.bytes,
            "seconds": began.elapsed().as_secs_f64(),
        });
        say(&summary.to_string());
    }
    Ok(session.teller.class())
}

/// Writes the dump to where it is to go.
fn write(session: &mut Session, command: &LegacyUnpack, store: Option<&LocalStore>) -> Result<Summary, CliError> {
    let file = match &command.output {
        Some(path) if path != Path::new("-") => {
            store.map_or(Ok(()), |store| refuse_inside(path, store))?;
            let replace = if command.force { Replace::Allowed } else { Replace::Never };
            Some(NewFile::create(path, replace)?)
        }
        _ => None,
    };
    let checked = match command.archive.stream || file.is_some() {
        true => Checked::AtTheEnd,
        false => Checked::Before,
    };
    let mut content = session.content(checked)?;
    let control: Arc<dyn Control> = session.control.clone();
    let mut summary = None;
    deliver(file, &command.command, &session.children, control, |sink| {
        summary = Some(session.drain(&mut content, sink)?);
        Ok(())
    })?;
    summary.ok_or_else(|| RunError::Worker.into())
}

fn import(global: &Global, command: LegacyImport) -> Result<Option<FailureClass>, CliError> {
    let LegacyImport { archive: options, from, mut how } = command;
    let (place, store) = locate(&options, || match &from {
        Some(from) => open_store_at(from),
        None => open_store(global),
    })?;
    if !how.tags.iter().any(|(key, _)| key == TAG) {
        how.tags.push((TAG.into(), place.archive_id()));
    }
    let way = pack::prepare(global, &how)?;
    let beside = match &store {
        Some(store) => Some(PathBuf::from(store.location())),
        None => store_path(global)?.canonicalize().ok(),
    };
    let patience = Patience { timeout: how.timeout, stall_timeout: how.stall_timeout };
    let ends = if how.allow_incomplete { Ends::Any } else { Ends::Whole };
    let mut session = Session::begin(global, &options, place, beside.as_deref(), ends, patience)?;
    let checked = if options.stream { Checked::AtTheEnd } else { Checked::Before };
    let content = session.content(checked);
    session.teller.progress().end();
    let content = content.map_err(|error| session.stopped(error))?;
    let (failure, control) = (Failure::default(), Arc::clone(&session.control));
    let input: Box<dyn Read + Send> = Box::new(ContentReader::new(content, failure.clone()));
    let packed =
        pack::pack_from(global, how, &way, false, |store, teller| Ok((Outside { store, teller, control }, input)));
    packed.map_err(|error| match failure.take() {
        // All that pack saw is that its input broke off.
        Some(reason) => session.stopped(reason.into()),
        None => error,
    })
}

/// Where the archive is, and the store that it is in.
fn locate(
    options: &LegacyArchive,
    open: impl FnOnce() -> Result<LocalStore, CliError>,
) -> Result<(Place, Option<LocalStore>), CliError> {
    match options.archive.as_deref() {
        None => Ok((Place::of_files(&options.files)?, None)),
        Some("-") if std::io::stdin().is_terminal() => Err(CliError::ArchiveIsTerminal),
        Some("-") => Ok((Place::StandardInput, None)),
        Some(text) => {
            let store = open()?;
            Ok((Place::of_store(&store, text)?, Some(store)))
        }
    }
}
