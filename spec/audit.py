"""What a restore can do without, and a reader refuses all the same: the one form of everything, and all that the
catalogues say.

decode.py loads this file when it stands beside it. Every run then judges the form of manifest, draft and key file, and
the digests of the spans. With --catalogue it also opens the catalogues of the backup and of its bases, compares the
SHA-256 of every part, reads the padding, and recomputes from the blocks every chunk id, `ids_digest`, the usage records
and, of a dump of at most 4 MiB, where it is cut. It reads the dump map, too."""
import base64, hashlib, json, re, struct
from datetime import datetime, timezone
from functools import reduce
from itertools import islice
from blake3 import blake3
from decode import MIB, ROLES, SECTIONS, STORED_MAX, Part, check_slot, guid_epoch, hkdf, load, need, parse_manifest
from decode import read_sections

# The form (manifest.md): written again without white space, a manifest matches one pattern

def base64_form(n):
    last = ["[A-Za-z0-9+/]", "[AQgw]==", "[AEIMQUYcgkosw048]="][n % 3]
    return '"[A-Za-z0-9+/]{%d}%s"' % (-(-n * 4 // 3) - 1, last)

def form(text):
    return re.sub("[A-Z]+[0-9]*", lambda name: FORMS[name[0]], re.escape(text))

def several(pattern):
    return f"(?:(?:{pattern})(?:,(?:{pattern}))*)?"

GUID, HEX32 = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[0-9a-f]{64}"
IDENT = GUID + "-[1-9][0-9]{12}"
FORMS = {"N": "[0-9]+", "BOOL": "(?:true|false)", "TEXT": r'"(?:[^"\\\x7f-\x9f]|\\["\\])*"', "GUID": f'"{GUID}"',
         "LINES": r'"(?:[^"\\\x7f-\x9f]|\\["\\n])*"', "ID": f'"{IDENT}"', "NAME": f'"{IDENT}-(?:0|[1-9][0-9]{{0,4}})"',
         "HEX4": '"[0-9a-f]{8}"', "HEX16": '"[0-9a-f]{32}"', "HEX32": f'"{HEX32}"',
         "ROLE": '"(?:data|catalogue|index)"', "VERDICT": '"(?:complete|unchecked|incomplete|shrunk|accepted)"',
         "KIND": '"(?:pg_dumpall|pg_dump|pg_dump-custom|tar|mysqldump|mongodump|raw)"'}
FORMS |= {f"B{n}": base64_form(n) for n in (16, 32, 68, 80)}
SLOTS = {"passphrase": form('{"id":HEX4,"type":"passphrase","m":N,"t":N,"p":N,'
                            '"salt":B16,"commitment":B32,"wrapped":B68}'),
         "age": form('{"id":HEX4,"type":"age","file":LINES}')}
FORMS["SLOTS"] = several("|".join(SLOTS.values()))
FORMS["PARTS"] = several(form('{"name":NAME,"role":ROLE,"bytes":N,"sha256":HEX32,"commitment":HEX32}'))
FORMS["BASES"] = several(form('{"id":ID,"sealed_key":B80,"parts":[PARTS]}'))
FORMS["PREV"] = "(?:null|" + form('{"id":ID,"seq":N,"sha256":HEX32}') + ")"
FORMS["TAGS"] = several(form("TEXT:TEXT"))
DRAFT = form('{"format":"vault","version":1,"features":[],"id":ID,"guid":GUID,"timestamp":N,"epoch":N,'
             '"fingerprint":HEX16,"time":TEXT,"tool":TEXT,"kind":KIND,"verdict":VERDICT,"size":N,"stored":N,'
             '"tags":{TAGS},"seq":N,"prev":PREV,"rebuilt":BOOL,"sealed_key":B80,"generation":N,"slots":[SLOTS],'
             '"parts":[PARTS],"bases":[BASES]')

def spelled(value):
    """The spelling of a JSON value without white space."""
    def depth(value):
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    need(depth(value) <= 8, "nested deeper than 8")
    need(not re.search("[\ud800-\udfff]", text), "a lone surrogate")
    return text

def check_version(m):
    spelled(m)
    version, features = m.get("version"), m.get("features")
    legal = type(version) is int and type(features) is list and all(type(feature) is str for feature in features)
    need(legal, "no version or features")

def check_form(m, draft):
    for slot in m["slots"] if type(m.get("slots")) is list else []:
        if type(slot) is dict and type(slot.get("type")) is str:
            need(slot["type"] in SLOTS, "an unknown type of slot", "unsupported")
    whole = DRAFT + (r"\}" if draft else rf',"mac":"{HEX32}"\}}')
    need(re.fullmatch(whole, spelled(m)), "the manifest has other members, or another form of them")
    check_slots(m["slots"])
    need(len({slot["id"] for slot in m["slots"]}) == len(m["slots"]), "a slot id is repeated")
    tags = all(len(name.encode()) <= 64 and len(tag.encode()) <= 256 for name, tag in m["tags"].items())
    need(tags and len(m["tags"]) <= 32 and len(m["tool"].encode()) <= 64, "too many tags, or too long", "limit")
    counts = len(m["parts"]) <= 16384 and len(m["bases"]) <= 64
    need(counts and sum(len(base["parts"]) for base in m["bases"]) <= 32768, "too many parts or bases", "limit")
    for part in sum((base["parts"] for base in m["bases"]), m["parts"]):
        need(part["bytes"] >= 273, "no part is that short")
        need(part["bytes"] <= 1 << 30, "a part is over 1 GiB", "limit")
    seconds, ms = divmod(m["timestamp"], 1000)
    need(0 < seconds < 10000000000, "the timestamp has not 13 digits")
    time = f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{ms:03}Z"
    need(m["time"] == time and 1 <= m["epoch"] < 1 << 31, "time is not timestamp, or the epoch is not legal")
    seq, prev = m["seq"], m["prev"]
    follows = seq == 1 if prev is None else seq == prev["seq"] + 1 > 1 and prev["id"][:37] == m["id"][:37]
    need(follows and (prev is None or prev["id"] < m["id"]), "seq and prev do not belong together")
    ids = [base["id"] for base in m["bases"]]
    need(ids == sorted(set(ids)) and max(ids, default="") < m["id"], "bases are out of order")
    need(all(i[:37] == m["id"][:37] for i in ids), "a base is of another guid")
    if draft:
        as_packed = (m["generation"], m["stored"], m["rebuilt"], m["slots"]) == (0, 0, False, [])
        need(as_packed and m["verdict"] != "accepted", "not a draft")
    else:
        need(m["generation"] > 0, "generation is 0")
        need(m["stored"] == sum(part["bytes"] for part in m["parts"]), "stored is not the sum of the parts")

def check_slots(slots):
    need(len(slots) <= 16, "more than 16 slots", "limit")
    for slot in slots:
        check_slot(slot)
        need(len(slot.get("file", "").encode()) <= 65536, "an age slot is over 64 KiB", "limit")

def check_slot_lines(raw):
    generations = [line[11:] for line in raw.decode().split("\n") if line.startswith("generation ")]
    need(len(generations) <= 1, "the generation stands twice")
    need(all(re.fullmatch("[1-9][0-9]*", n) and int(n) < 1 << 53 for n in generations), "the generation is no number")
    slots = [load(line[5:].encode()) for line in raw.decode().split("\n") if line.startswith("slot ")]
    for slot in slots:
        need(type(slot) is dict and type(slot.get("type")) is str, "a slot has no type")
        need(slot["type"] in SLOTS, "an unknown type of slot", "unsupported")
        need(re.fullmatch("|".join(SLOTS.values()), spelled(slot)), "a slot has another form")
    check_slots(slots)

# Drafts (index.md)

def check_draft(draft, m, roles):
    parts = [part for part in m["parts"] if ROLES.index(part["role"]) in roles]
    verdict = "shrunk" if m["verdict"] == "accepted" else m["verdict"]
    stood = m | {"generation": 0, "slots": [], "stored": 0, "rebuilt": False, "verdict": verdict, "parts": parts}
    same = draft | {"mac": m["mac"]} == stood and list(draft["tags"]) == list(m["tags"])
    need(same, "the draft and the manifest are of different backups")

def check_index(index, m):
    check_draft(parse_manifest(index.draft, m["id"], {0, 1}), m, {0, 1})

# Padding (part.md)

def check_padding(part):
    """After the content stands nothing, or one skippable frame of zeros."""
    rest = part.length - part.end - 8
    if rest != -8:
        frame = b"\x50\x2a\x4d\x18" + struct.pack("<I", max(rest, 0))
        need(rest >= 0 and part.read(part.end, 8) == frame, part.name + " does not end in a padding frame")
        for at in range(part.end + 8, part.length, MIB):
            zeros = not any(part.read(at, min(MIB, part.length - at)))
            need(zeros, part.name + " has padding that is not zero")

# Catalogues (index.md, chunking.md)

class Catalogue:
    def __init__(self, parts, owner):
        sections = read_sections(parts, SECTIONS["catalogue"])
        self.draft = d = parse_manifest(sections[1], owner.id, {0})
        agrees = (d["epoch"], bytes.fromhex(d["fingerprint"]), base64.b64decode(d["sealed_key"])) == owner[3:6]
        need(agrees, "the draft is of another backup than the headers")
        self.cutter = low, mean, high, zero, strict, loose = sections[16][0]
        need(64 <= low <= mean <= high <= MIB and not (low | mean | high) & 1 and zero == 0, "the cutter is not legal")
        need(0 < strict < 1 << 63 and 0 < loose < 1 << 63, "a mask of the cutter is not legal")
        chunks, self.blocks, self.plain, last, end = iter(sections[18]), {}, {}, -1, 0
        for part, stored, plain, count in sections[17]:
            need(0 < stored <= STORED_MAX and 0 < plain <= 2 * MIB, "an own block has an illegal length")
            need(part in (last, last + 1) and part < len(d["parts"]), "own blocks are out of order")
            end, last, name = end if part == last else 0, part, d["parts"][part]["name"]
            mine = list(islice(chunks, count))
            need(0 < count == len(mine) and sum(n for _, n in mine) == plain, "chunks are not those of their block")
            need(all(1 <= n <= high for _, n in mine), "a chunk has an illegal length")
            self.blocks[name, end] = (stored, plain, mine)
            self.plain[name] = self.plain.get(name, 0) + plain
            end += stored
        need(last == len(d["parts"]) - 1 and next(chunks, None) is None, "own blocks are missing, or chunks too many")
        table = len(d["parts"]) + sum(part["role"] == "data" for base in d["bases"] for part in base["parts"])
        self.usage = sections[19]
        legal = all(live <= plain for live, plain in self.usage)
        need(len(self.usage) == table and legal, "usage is not of the part table")

def verify(index, store, backups, m, mk):
    """Every part to its last byte; and all that the catalogues say of blocks and recipe, recomputed from the blocks."""
    ids_key = hkdf(backups[0][0].archive_key, b"ids-digest" + guid_epoch(m) + m["id"].encode(), 32)
    id_key, seed = (hkdf(mk, label + guid_epoch(m), 32) for label in (b"chunk-id", b"gear-seed"))
    for _, entries in backups:
        for entry in entries:
            path = store / entry["name"]
            need(path.exists(), entry["name"], "missing")
            need(path.stat().st_size == entry["bytes"], entry["name"] + " has another size than the manifest says")
    catalogues, padded = [], index.index_parts + [part for part in index.parts if part.name.startswith(m["id"])]
    for owner, entries in backups:
        catalogue = [Part(store, entry, owner) for entry in entries if entry["role"] == "catalogue"]
        catalogues.append(Catalogue(catalogue, owner))
        padded += catalogue if owner is backups[0][0] else []
        known = catalogues[-1].draft["parts"]
        need(all(entry in known for entry in entries if entry["role"] == "data"), "a part is not as its catalogue says")
        for entry in entries:
            with open(store / entry["name"], "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            need(digest == entry["sha256"], entry["name"] + " has another SHA-256")
    check_draft(catalogues[0].draft, m, {0})
    tables, plains = (reduce(dict.__or__, (getattr(c, name) for c in catalogues)) for name in ("blocks", "plain"))
    starts = []
    for k, (part, offset, *sizes) in enumerate(index.blocks):
        stored, plain, chunks = tables.get((index.parts[part].name, offset), (0, 0, []))
        need([stored, plain] == sizes, "a block is not as its catalogue says")
        data, at, start = index.block(k), 0, {}
        for ident, n in chunks:
            need(blake3(data[at:at + n], key=id_key).digest(16) == ident, "a chunk id is not that of the chunk")
            start[at] = (ident, n)
            at += n
        starts.append(start)
    ids, lengths, used = blake3(key=ids_key), [], {}
    for k, at, end in index.pieces():
        while at < end:
            ident, n = starts[k].get(at, (b"", 0))
            need(0 < n <= end - at, "an extent is not of whole chunks")
            ids.update(ident + struct.pack("<I", n))
            lengths.append(n)
            used[k, at] = n
            at += n
    need(ids.digest() == index.ids_digest, "ids_digest is not that of the recipe")
    need(len(lengths) == index.chunks, "another number of chunks than the recipe has")
    live = [0] * len(index.parts)
    for (k, _), n in used.items():
        live[index.blocks[k][0]] += n
    usage = [(n, plains[part.name]) for n, part in zip(live, index.parts)]
    need(catalogues[0].usage == usage, "usage is not that of the recipe")
    if index.plain <= 4 * MIB:
        gear = struct.unpack("<256Q", hkdf(seed, b"gear-table", 2048))
        need(lengths == cut(b"".join(index.dump()), catalogues[0].cutter, gear), "the dump is cut elsewhere")
    for part in padded:
        check_padding(part)
    for part in index.parts:
        for segment in range(part.count):
            part.open_segment(segment)
    check_map(read_sections(index.index_parts, SECTIONS["index"] | {6: ""})[6], index.plain)

def cut(data, cutter, gear):
    low, mean, high, _, strict, loose = cutter
    lengths, start = [], 0
    while start < len(data):
        s, h = data[start:start + high], 0
        middle, end = (min(mean, len(s)) & ~1), len(s)
        for i in range(low, len(s) & ~1):
            h = (h << 1) + gear[s[i]] & (1 << 64) - 1
            if h & (strict if i < middle else loose) == 0:
                end = i
                break
        lengths.append(end)
        start += end
    return lengths

def check_map(records, plain):
    at = last = kind = 0
    while at < len(records):
        need(at + 32 <= len(records) and kind != 10, "the dump map is cut, or goes on after its end")
        length, found, space, zero, offset, size, _ = struct.unpack_from("<IBB2sQQQ", records, at)
        need(42 <= length <= 65536 and at + length <= len(records), "a map record has an illegal length")
        if 1 <= found <= 11:
            kind = found
            need(not any(zero) and space <= 2, "a map record has an illegal kind, or bytes that are not zero")
            need(last <= offset <= offset + size <= plain, "a map record is out of order or outside of the dump")
            need((size == 0) == (kind > 8), "a map record has a length, or none")
            names, last = records[at + 32:at + length], offset + size
            for _ in range(5):
                n = int.from_bytes(names[:2], "little") + 2
                need(2 <= n <= min(len(names), 4098), "the names of a map record are not legal")
                names = names[n:]
            need(not names, "the names of a map record do not fill it")
        at += length
    need(kind == 10 or not records, "the dump map has no end")
