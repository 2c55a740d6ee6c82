//! Parses the text of a manifest, and refuses what spec/manifest.md says a reader refuses.

use crate::base::bytes::from_hex;
use crate::base::id::{BackupId, ObjectName};
use crate::base::limits::*;
use crate::base::time::rfc3339;
use crate::format::header::Role;
use crate::format::json::{self, Json, Members, quoted};
use crate::format::manifest::{Base, KINDS, MAC_BEGIN, MAC_END, Manifest, Part, Prev, Verdict};
use crate::format::slot::Slot;
use crate::format::{FormatError, check_limit, damaged};

/// How the text ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With the member `mac`.
    Mac,
    /// Without it.
    Draft,
}

pub(super) fn split_mac(text: &[u8]) -> Result<(&[u8], [u8; 32]), FormatError> {
    let refused = || damaged("it does not end in its MAC");
    let rest = text.strip_suffix(MAC_END).ok_or_else(refused)?;
    let (rest, digits) = rest.split_last_chunk::<64>().ok_or_else(refused)?;
    let body = rest.strip_suffix(MAC_BEGIN).ok_or_else(refused)?;
    let mac = std::str::from_utf8(digits).ok().and_then(from_hex).ok_or_else(refused)?;
    Ok((body, mac))
}

pub(super) fn parse_text(text: &[u8], ending: Ending) -> Result<Manifest, FormatError> {
    let mut members = Members::of("the manifest", json::parse(text)?)?;
    check_version(&mut members)?;
    let id = parse_id(&members.string("id")?)?;
    let guid = members.string("guid")?;
    let timestamp = members.number("timestamp")?;
    let epoch = parse_epoch(members.number("epoch")?)?;
    let fingerprint = members.hex("fingerprint")?;
    let time = members.string("time")?;
    if guid != id.guid.to_string() || timestamp != id.timestamp || time != rfc3339(id.timestamp) {
        return Err(damaged("the manifest contradicts its own id"));
    }
    let manifest = Manifest {
        id,
        epoch,
        fingerprint,
        tool: bounded("the tool's name", members.string("tool")?, TOOL_BYTES_MAX)?,
        kind: parse_kind(members.string("kind")?)?,
        verdict: parse_verdict(&members.string("verdict")?)?,
        size: members.number("size")?,
        stored: members.number("stored")?,
        tags: parse_tags(members.object("tags")?)?,
        seq: parse_seq(members.number("seq")?)?,
        prev: parse_prev(members.take("prev")?)?,
        rebuilt: members.boolean("rebuilt")?,
        sealed_key: members.base64("sealed_key")?,
        generation: members.number("generation")?,
        slots: parse_slots(members.array("slots")?)?,
        parts: parse_parts(&id, members.array("parts")?, PARTS_MAX)?,
        bases: parse_bases(&id, members.array("bases")?)?,
    };
    if ending == Ending::Mac {
        members.string("mac")?;
        check_complete(&manifest)?;
    }
    members.finish()?;
    check_roles(&manifest)?;
    check_prev(&manifest)?;
    Ok(manifest)
}

/// Judged before members that this version does not know.
fn check_version(members: &mut Members) -> Result<(), FormatError> {
    if members.string("format")? != "vault" {
        return Err(damaged("the manifest is not vault's"));
    }
    match members.number("version")? {
        1 => {}
        other => {
            return Err(FormatError::Unsupported(format!("a manifest of format version {other}")));
        }
    }
    match members.array("features")?.first() {
        None => Ok(()),
        Some(Json::String(feature)) => Err(FormatError::Unsupported(format!("the feature {}", quoted(feature)))),
        Some(_) => Err(damaged("a feature is not a string")),
    }
}

/// What a manifest has and a draft has not.
fn check_complete(manifest: &Manifest) -> Result<(), FormatError> {
    let stored = manifest.parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.bytes));
    if stored != Some(manifest.stored) {
        return Err(damaged("`stored` is not the sum of the parts"));
    }
    if manifest.generation == 0 {
        return Err(damaged("the manifest has no slot generation"));
    }
    if manifest.parts.last().is_none_or(|part| part.role != Role::Index) {
        return Err(damaged("the manifest names no index part"));
    }
    if !manifest.parts.iter().any(|part| part.role == Role::Catalogue) {
        return Err(damaged("the manifest names no catalogue part"));
    }
    Ok(())
}

/// A chain counts from 1, and goes back in time.
fn check_prev(manifest: &Manifest) -> Result<(), FormatError> {
    let follows = match &manifest.prev {
        None => manifest.seq == 1,
        Some(prev) => {
            prev.id < manifest.id && prev.id.guid == manifest.id.guid && prev.seq.checked_add(1) == Some(manifest.seq)
        }
    };
    if follows { Ok(()) } else { Err(damaged("`seq` and `prev` do not belong together")) }
}

/// Own parts are numbered without gap and ascend by role; a base has data and catalogue parts.
fn check_roles(manifest: &Manifest) -> Result<(), FormatError> {
    let numbered = (0..).zip(&manifest.parts).all(|(index, part)| part.index == index);
    if !numbered || !manifest.parts.is_sorted_by_key(|part| part.role) {
        return Err(damaged("the parts of the manifest are out of order"));
    }
    for base in &manifest.bases {
        let has = |role| base.parts.iter().any(|part| part.role == role);
        let ascending = base.parts.is_sorted_by(|left, right| left.index < right.index && left.role <= right.role);
        if !has(Role::Data) || !has(Role::Catalogue) || has(Role::Index) || !ascending {
            return Err(damaged(format!("the parts of the base {} are not what they should be", base.id)));
        }
    }
    let total = manifest.bases.iter().map(|base| base.parts.len()).sum();
    check_limit("parts of bases", total, BASE_PARTS_MAX)
}

fn parse_id(text: &str) -> Result<BackupId, FormatError> {
    text.parse().map_err(|_| damaged("an id is not a backup id"))
}

fn parse_epoch(number: u64) -> Result<u32, FormatError> {
    let epoch = u32::try_from(number).ok().filter(|epoch| (1..=EPOCH_MAX).contains(epoch));
    epoch.ok_or_else(|| damaged("the manifest has no legal epoch"))
}

fn parse_seq(number: u64) -> Result<u64, FormatError> {
    if number == 0 { Err(damaged("a `seq` is 0")) } else { Ok(number) }
}

fn parse_kind(kind: String) -> Result<String, FormatError> {
    if KINDS.contains(&kind.as_str()) { Ok(kind) } else { Err(damaged("the manifest names an unknown kind of dump")) }
}

fn parse_verdict(text: &str) -> Result<Verdict, FormatError> {
    let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.name() == text);
    verdict.ok_or_else(|| damaged("the manifest has an unknown verdict"))
}

fn bounded(what: &'static str, text: String, limit: usize) -> Result<String, FormatError> {
    check_limit(what, text.len(), limit).map(|()| text)
}

fn parse_tags(members: Vec<(String, Json)>) -> Result<Vec<(String, String)>, FormatError> {
    check_limit("tags", members.len(), TAGS_MAX)?;
    let tag = |(key, value): (String, Json)| match value {
        Json::String(value) if !(key.chars().chain(value.chars()).any(char::is_control)) => Ok((
            bounded("the bytes of a tag's name", key, TAG_KEY_BYTES_MAX)?,
            bounded("the bytes of a tag", value, TAG_VALUE_BYTES_MAX)?,
        )),
        _ => Err(damaged("a tag is not a string without control characters")),
    };
    members.into_iter().map(tag).collect()
}

fn parse_prev(value: Json) -> Result<Option<Prev>, FormatError> {
    if value == Json::Null {
        return Ok(None);
    }
    let mut members = Members::of("`prev`", value)?;
    let prev = Prev {
        id: parse_id(&members.string("id")?)?,
        seq: parse_seq(members.number("seq")?)?,
        sha256: members.hex("sha256")?,
    };
    members.finish()?;
    Ok(Some(prev))
}

fn parse_slots(values: Vec<Json>) -> Result<Vec<Slot>, FormatError> {
    check_limit("slots", values.len(), SLOTS_MAX)?;
    let slots: Vec<Slot> = values.into_iter().map(Slot::parse).collect::<Result<_, _>>()?;
    let mut ids: Vec<_> = slots.iter().map(|slot| slot.id).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() == slots.len() { Ok(slots) } else { Err(damaged("two slots have one id")) }
}

fn parse_parts(id: &BackupId, values: Vec<Json>, limit: usize) -> Result<Vec<Part>, FormatError> {
    check_limit("parts", values.len(), limit)?;
    values.into_iter().map(|value| parse_part(id, value)).collect()
}

fn parse_part(id: &BackupId, value: Json) -> Result<Part, FormatError> {
    let mut members = Members::of("a part", value)?;
    let index = match ObjectName::parse(&members.string("name")?) {
        Some(ObjectName::Part(of, index)) if of == *id => index,
        _ => return Err(damaged(format!("a part is not named as one of {id}"))),
    };
    let role = Role::from_name(&members.string("role")?).ok_or_else(|| damaged("a part has an unknown role"))?;
    let bytes = members.number("bytes")?;
    if bytes <= (HEADER_BYTES + TAG_BYTES) as u64 {
        return Err(damaged(format!("no part has {bytes} bytes")));
    }
    if bytes > PART_BYTES_MAX {
        return Err(FormatError::Limit { what: "bytes of a part", found: bytes, limit: PART_BYTES_MAX });
    }
    let part = Part { index, role, bytes, sha256: members.hex("sha256")?, commitment: members.hex("commitment")? };
    members.finish()?;
    Ok(part)
}

fn parse_bases(id: &BackupId, values: Vec<Json>) -> Result<Vec<Base>, FormatError> {
    check_limit("bases", values.len(), BASES_MAX)?;
    let mut bases: Vec<Base> = Vec::with_capacity(values.len());
    for value in values {
        let mut members = Members::of("a base", value)?;
        let base_id = parse_id(&members.string("id")?)?;
        let ascending = bases.last().is_none_or(|last| last.id < base_id);
        if base_id.guid != id.guid || base_id >= *id || !ascending {
            return Err(damaged("the bases of the manifest are out of order"));
        }
        let sealed_key = members.base64("sealed_key")?;
        let parts = parse_parts(&base_id, members.array("parts")?, BASE_PARTS_MAX)?;
        members.finish()?;
        bases.push(Base { id: base_id, sealed_key, parts });
    }
    Ok(bases)
}
