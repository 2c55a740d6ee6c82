//! Whether the input may be committed, and as what (spec/dump.md, "What becomes of it").

use crate::base::size::padme;
use crate::dump::{DumpKind, Report, Verdict as End};
use crate::format::manifest::Verdict;
use crate::pipeline::error::RunError;
use crate::pipeline::known::LastGood;
use crate::pipeline::port::ProducerEnd;

use super::PackOptions;

/// What becomes of a dump of less than half of the last good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shrink {
    /// It is kept, marked.
    Mark,
    /// It is expected: nothing is compared.
    Allow,
    /// It is refused.
    Refuse,
}

/// Why a backup that was made does not count as good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The dump is cut short: what was expected, and what was seen.
    CutShort(String),
    /// Its bytes cannot show that it is whole, and nobody vouched for it.
    Unproven(String),
    /// It is less than half of this one.
    Shrunk(LastGood),
}

/// What the backup is going to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) kind: DumpKind,
    pub(super) verdict: Verdict,
    pub(super) doubt: Option<Doubt>,
}

/// Judges an input that has ended.
///
/// # Errors
/// It is empty, cut short or shrunk, and may not be.
pub(super) fn judge(
    report: &Report,
    producer: ProducerEnd,
    last: Option<&LastGood>,
    options: &PackOptions,
) -> Result<Judged, RunError> {
    let kind = report.kind;
    let kept = |doubt| Ok(Judged { kind, verdict: Verdict::Incomplete, doubt: Some(doubt) });
    let verdict = match report.verdict {
        _ if report.bytes == 0 && !options.allow_empty => return Err(RunError::Empty),
        _ if report.bytes == 0 => Verdict::Unchecked,
        End::Complete => Verdict::Complete,
        End::Unchecked => Verdict::Unchecked,
        End::Unproven(_) if producer == ProducerEnd::Succeeded => Verdict::Complete,
        End::Unproven(why) if options.allow_incomplete => return kept(Doubt::Unproven(why.to_string())),
        End::Unproven(why) => return Err(RunError::Unproven(why.to_string())),
        End::Incomplete(why) if options.allow_incomplete => return kept(Doubt::CutShort(why.to_string())),
        End::Incomplete(why) => return Err(RunError::CutShort(why.to_string())),
    };
    let shrunk = last.filter(|last| options.shrink != Shrink::Allow && is_shrunk(report.bytes, last.size));
    match shrunk {
        None => Ok(Judged { kind, verdict, doubt: None }),
        Some(last) if options.shrink == Shrink::Refuse => {
            Err(RunError::Shrunk { bytes: report.bytes, before: last.size, id: last.id })
        }
        Some(last) => Ok(Judged { kind, verdict: Verdict::Shrunk, doubt: Some(Doubt::Shrunk(*last)) }),
    }
}

/// Whether a dump of `bytes` is less than half of one whose rounded size is `before`.
const fn is_shrunk(bytes: u64, before: u64) -> bool {
    padme(bytes).saturating_mul(2) < before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::BackupId;
    use crate::dump::{EndMarker, ScriptShortfall, Seen, Shortfall, Unproven};
    use crate::format::header::SegmentSize;
    use crate::pipeline::known::Reuse;
    use crate::pipeline::pack::Level;

    fn options() -> PackOptions {
        PackOptions {
            level: Level::Fixed(2),
            part_bytes: 1 << 20,
            segment: SegmentSize::DEFAULT,
            threads: 1,
            reuse: Reuse::Allowed,
            paranoid: false,
            allow_empty: false,
            allow_incomplete: false,
            shrink: Shrink::Mark,
            tags: Vec::new(),
            tool: String::new(),
            slots: Vec::new(),
            generation: 1,
            cutter: None,
        }
    }

    fn report(verdict: End, bytes: u64) -> Report {
        Report { kind: DumpKind::Mysql, verdict, bytes, advice: None }
    }

    fn last(size: u64) -> LastGood {
        let id: BackupId = "3f2b1c44-9a57-4c1e-8d20-5b7e1f6a90cd-1770000000000".parse().expect("an id");
        LastGood { id, size }
    }

    #[test]
    fn a_dump_without_an_end_is_as_good_as_the_word_of_its_producer() {
        let refused = options();
        let kept = PackOptions { allow_incomplete: true, ..options() };
        let cut = ScriptShortfall { expected: EndMarker::Cluster, seen: Seen::Rows, begun: 2, completed: 1 };
        let ends = [
            (End::Complete, [Some(Verdict::Complete); 4]),
            (End::Unchecked, [Some(Verdict::Unchecked); 4]),
            (
                End::Unproven(Unproven::NoEnd),
                [None, Some(Verdict::Complete), Some(Verdict::Incomplete), Some(Verdict::Complete)],
            ),
            (
                End::Unproven(Unproven::Version),
                [None, Some(Verdict::Complete), Some(Verdict::Incomplete), Some(Verdict::Complete)],
            ),
            (
                End::Incomplete(Shortfall::Script(cut)),
                [None, None, Some(Verdict::Incomplete), Some(Verdict::Incomplete)],
            ),
        ];
        for (end, expected) in ends {
            let cases = [&refused, &kept].into_iter().flat_map(|options| {
                [ProducerEnd::Unknown, ProducerEnd::Succeeded]
                    .map(|producer| judge(&report(end, 9), producer, None, options))
            });
            for (at, (judged, expected)) in cases.zip(expected).enumerate() {
                assert_eq!(judged.as_ref().map(|judged| judged.verdict).ok(), expected, "{end:?}, case {at}");
                let doubted = judged.is_ok_and(|judged| judged.doubt.is_some());
                assert_eq!(doubted, expected == Some(Verdict::Incomplete), "{end:?}, case {at}");
            }
        }
    }

    #[test]
    fn emptiness_is_a_matter_of_its_own() {
        let kept = PackOptions { allow_incomplete: true, ..options() };
        let empty = report(End::Unchecked, 0);
        assert!(matches!(judge(&empty, ProducerEnd::Succeeded, None, &kept), Err(RunError::Empty)));
        let allowed = PackOptions { allow_empty: true, ..options() };
        let judged = |last: Option<LastGood>| judge(&empty, ProducerEnd::Unknown, last.as_ref(), &allowed);
        let verdict = |last| judged(last).map(|judged| judged.verdict).ok();
        assert_eq!(verdict(None), Some(Verdict::Unchecked));
        assert_eq!(verdict(Some(last(0))), Some(Verdict::Unchecked), "nothing is no less than nothing");
        assert_eq!(verdict(Some(last(1))), Some(Verdict::Shrunk));
    }

    #[test]
    fn what_shrinks_is_marked_allowed_or_refused() {
        let judged = |shrink, verdict, bytes| {
            let options = PackOptions { shrink, allow_incomplete: true, ..options() };
            judge(&report(verdict, bytes), ProducerEnd::Unknown, Some(&last(1024)), &options)
        };
        let verdict = |shrink, bytes| judged(shrink, End::Complete, bytes).map(|judged| judged.verdict).ok();
        assert_eq!(verdict(Shrink::Mark, 511), Some(Verdict::Complete), "511 rounds up to 512");
        assert_eq!(verdict(Shrink::Mark, 495), Some(Verdict::Shrunk));
        assert_eq!(verdict(Shrink::Allow, 1), Some(Verdict::Complete));
        assert_eq!(verdict(Shrink::Refuse, 512), Some(Verdict::Complete));
        let refused = judged(Shrink::Refuse, End::Complete, 100);
        assert!(matches!(refused, Err(RunError::Shrunk { bytes: 100, before: 1024, .. })), "{refused:?}");
        let marked = judged(Shrink::Mark, End::Unchecked, 100).expect("is marked");
        assert_eq!(marked.doubt, Some(Doubt::Shrunk(last(1024))));
        // Cut short it is, however long: nobody may accept it later.
        let cut = judged(Shrink::Refuse, End::Unproven(Unproven::NoEnd), 1).expect("is kept");
        assert_eq!(cut.verdict, Verdict::Incomplete);
    }

    /// Both sizes are rounded, and the rule holds for the exact ones all the same.
    #[test]
    fn half_of_it_is_never_shrunk_and_four_ninths_always_are() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut compared = 0;
        for before in (1..3000).chain((12..48).map(|bit| (1 << bit) + 1)) {
            for _ in 0..40 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let bytes = (state >> 11) % (before + 1);
                let shrunk = is_shrunk(bytes, padme(before));
                assert!(!shrunk || bytes * 2 < before, "{bytes} of {before} is half or more");
                assert!(shrunk || bytes * 9 >= before * 4, "{bytes} of {before} is less than four ninths");
                compared += 1;
            }
        }
        assert_eq!(compared, 40 * (2999 + 36));
        assert!(!is_shrunk(u64::MAX, u64::MAX));
    }
}
