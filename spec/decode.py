#!/usr/bin/env python3
"""A reader of vault archives, written from the pages beside it and from nothing else. This one file restores.

    pip install cryptography zstandard argon2-cffi
    python3 decode.py STORE_DIR BACKUP_ID (--key-file F | --passphrase-file F | --identity-file F) > dump

What it writes is authentic and whole: it reads the dump twice, once to compare its digests, and only then to write it.
With audit.py beside it, it also refuses what is authentic and not of the one legal form, and has --catalogue, which
writes nothing and verifies everything; age_slots.py beside it is for --identity-file."""
import argparse, base64, functools, hmac, json, os, re, struct, sys
from collections import namedtuple
from datetime import datetime, timezone
from pathlib import Path
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CODES = {"failure": 1, "usage": 2, "not-found": 10, "wrong-key": 12, "damaged": 13, "missing": 14, "store": 16,
         "unsupported": 18, "limit": 19, "pipe": 141}
ROLES, IDENT = ["data", "catalogue", "index"], "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-[1-9][0-9]{12}"
MIB, SPAN, STORED_MAX, LABEL, ZSTD = 1 << 20, 1 << 18, 2162688, b"vault/v1/", b"\x28\xb5\x2f\xfd"
Owner = namedtuple("Owner", "id guid timestamp epoch fingerprint sealed archive_key catalogue_key")

class Refused(Exception):
    pass

def need(condition, message, kind="damaged"):
    if not condition:
        raise Refused(kind, message)

# Manifest (manifest.md)

def load(raw):
    def members(items):
        need(len(dict(items)) == len(items), "a member is repeated")
        return dict(items)
    def integer(digits):
        need(digits.isdigit() and len(digits) <= 16 and int(digits) < 1 << 53, "a number is no integer under 2^53")
        return int(digits)
    try:
        number = dict.fromkeys(("parse_int", "parse_float", "parse_constant"), integer)
        return json.loads(raw.decode(), object_pairs_hook=members, **number)
    except (ValueError, RecursionError):
        raise Refused("damaged", "not strict JSON") from None

def check_slot(slot):
    need(slot["type"] in ("passphrase", "age"), "an unknown type of slot", "unsupported")
    m, t, p = (slot.get(k, least) for k, least in (("m", 8), ("t", 1), ("p", 1)))
    legal = 8 * p <= m <= 2097152 and 1 <= t and m * t <= 2097152 and 1 <= p <= 4
    need(legal, "Argon2 demands over the limits", "limit")

def check_parts(parts, ident, gaps, must, may):
    names = [part["name"].rpartition("-") for part in parts]
    indexes = [int(index) for _, _, index in names]
    in_order = sorted(set(indexes)) if gaps else list(range(len(parts)))
    need(all(head == ident for head, _, _ in names), "the name of a part is not derivable")
    need(indexes == in_order and max(indexes, default=0) < 16384, "the names of parts are out of order")
    roles = [ROLES.index(part["role"]) for part in parts]
    need(roles == sorted(roles) and must <= set(roles) <= may, "the roles of parts are out of order or missing")

def parse_manifest(raw, ident, draft=None):
    """The manifest of `ident`, or a draft of it that lists parts of the roles `draft`."""
    need(len(raw) <= 16 * MIB, "the manifest is over 16 MiB", "limit")
    try:
        m = load(raw)
    except Refused:
        need(b'"format": "vault"' in raw[:64], "the object is not vault's", "not-found")
        raise
    need(isinstance(m, dict) and m.get("format") == "vault", "the object is not vault's", "not-found")
    if audit:
        audit.check_version(m)
    need(m["version"] == 1 and not m["features"], "a version or feature that is not known", "unsupported")
    end = rb"\n}\n" if draft else rb',\n  "mac": "[0-9a-f]{64}"\n}\n'
    need(re.fullmatch(end, raw[-3 if draft else -80:]), "the manifest does not end as it should")
    if audit:
        audit.check_form(m, draft)
    for slot in m["slots"]:
        check_slot(slot)
    need(m["id"] == ident == f"{m['guid']}-{m['timestamp']}", "id, guid or timestamp is not that of the name")
    check_parts(m["parts"], ident, False, set() if draft else {1, 2}, draft or {0, 1, 2})
    for base in m["bases"]:
        check_parts(base["parts"], base["id"], True, {0, 1}, {0, 1})
    return m

# Keys (keys.md): HKDF (RFC 5869), AES-256-GCM, HPKE (RFC 9180), Bech32 (BIP-173)

def extract(salt, ikm):
    return hmac.digest(salt, ikm, "sha256")

def expand(prk, info, n):
    out = last = b""
    for i in range(1, -(-n // 32) + 1):
        last = hmac.digest(prk, last + info + bytes([i]), "sha256")
        out += last
    return out[:n]

def hkdf(ikm, label, n, salt=b""):
    return expand(extract(salt, ikm), LABEL + label, n)

def decrypt(key, nonce, sealed, aad, what):
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except (InvalidTag, ValueError):
        raise Refused("damaged", what + " does not open") from None

def hpke_open(secret, sealed, info, psk, psk_id):
    def labeled_extract(salt, label, ikm):
        return extract(salt, b"HPKE-v1" + suite + label + ikm)
    def labeled_expand(prk, label, context, n):
        return expand(prk, struct.pack(">H", n) + b"HPKE-v1" + suite + label + context, n)
    private, suite = X25519PrivateKey.from_private_bytes(secret), b"KEM\x00\x20"
    try:
        dh = private.exchange(X25519PublicKey.from_public_bytes(sealed[:32]))
    except ValueError:
        raise Refused("damaged", "the sealed archive key has an illegal point") from None
    context = sealed[:32] + private.public_key().public_bytes_raw()
    shared = labeled_expand(labeled_extract(b"", b"eae_prk", dh), b"shared_secret", context, 32)
    suite = b"HPKE\x00\x20\x00\x01\x00\x02"
    context = b"\x01" + labeled_extract(b"", b"psk_id_hash", psk_id) + labeled_extract(b"", b"info_hash", info)
    prk = labeled_extract(shared, b"secret", psk)
    key, nonce = labeled_expand(prk, b"key", context, 32), labeled_expand(prk, b"base_nonce", context, 12)
    return decrypt(key, nonce, sealed[32:], b"", "the sealed archive key")

def bech32(line, prefix, size):
    values = ["QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".find(c) for c in line[len(prefix) + 1:]]
    need(len(values) == -(-size * 8 // 5) + 6 and min(values) >= 0, "a key line has another length or alphabet")
    check = 1
    for value in [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix), *values]:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= g if top >> i & 1 else 0
    bits, spare = functools.reduce(lambda a, v: a << 5 | v, values[:-6], 0), -size * 8 % 5
    need(check == 1 and bits % (1 << spare) == 0, "the checksum of a key line is wrong")
    return (bits >> spare).to_bytes(size, "big")

def guid_epoch(m):
    return bytes.fromhex(m["guid"].replace("-", "")) + struct.pack("<I", m["epoch"])

def key_of_file(path, store, m):
    need(not os.stat(path).st_mode & 0o066, "others can read or write the key file", "usage")
    need(store.resolve() not in Path(path).resolve().parents, "the key file lies inside the store", "usage")
    raw, keys, packs = Path(path).read_bytes(), {}, []
    need(len(raw) <= 65536, "the key file is over 64 KiB", "limit")
    age = (b"age-encryption.org/v1", b"-----BEGIN AGE ENCRYPTED FILE-----")
    need(not raw.startswith(age), "decrypt the key file with age first", "usage")
    need("\ufffd" not in raw.decode("utf-8", "replace"), "the key file is not UTF-8")
    for line in raw.decode().split("\n"):
        if line.startswith("VAULT-PACK-1"):
            packs.append(bech32(line, "vault-pack-", 196))
        elif line.startswith("VAULT-KEY-1"):
            data = bech32(line, "vault-key-", 52)
            epoch = int.from_bytes(data[16:20], "little")
            need(1 <= epoch < 1 << 31 and epoch not in keys, "an epoch of the key file is repeated or not legal")
            keys[epoch] = data
        else:
            need(re.match("#|slot |generation |$", line), "the key file has a line of another kind")
    if audit:
        audit.check_slot_lines(raw)
    need(len(keys) <= 64, "the key file has more than 64 epochs", "limit")
    need(len({data[:16] for data in keys.values()}) + len(packs) == 1, "the key file is not of one guid")
    need(not packs, "a pack-only key reads no backup", "wrong-key")
    need(keys.get(m["epoch"], b"")[:20] == guid_epoch(m), "the key file has no key of this guid and epoch", "wrong-key")
    return keys[m["epoch"]][20:]

def first_that_opens(slots, open_slot, otherwise):
    """A slot that is damaged does not stand before one that opens; what is wrong with it is told when none does."""
    failed = None
    for slot in slots:
        try:
            key = open_slot(slot)
        except Refused as error:
            failed = failed or error
        else:
            if key:
                return key
    raise failed or Refused("wrong-key", otherwise)

def key_of_passphrase(path, m):
    from argon2.low_level import Type, hash_secret_raw
    secret = re.sub(rb"\r?\n\Z", b"", Path(path).read_bytes())
    need(1 <= len(secret) <= 1024, "the passphrase has not 1 to 1024 bytes", "limit" if secret else "usage")
    root = functools.cache(lambda salt, m, t, p: hash_secret_raw(secret, salt, t, m, p, 32, Type.ID, 0x13))
    def open_slot(slot):
        salt, commitment, wrapped = (base64.b64decode(slot[k]) for k in ("salt", "commitment", "wrapped"))
        context = b"\x01" + struct.pack("<3I", slot["m"], slot["t"], slot["p"]) + salt + guid_epoch(m)
        derived = hkdf(root(salt, slot["m"], slot["t"], slot["p"]), b"slot" + context, 64)
        if not hmac.compare_digest(derived[32:], commitment):
            return None
        line = decrypt(derived[:32], bytes(12), wrapped, context, "the slot")
        need(line[:20] == guid_epoch(m), "the slot holds a key of another guid or epoch")
        return line[20:]
    slots = [slot for slot in m["slots"] if slot["type"] == "passphrase"]
    return first_that_opens(slots, open_slot, "the passphrase opens no slot")

def owner_of(entry, m, mk):
    """What opens the parts of a backup: of `m` itself, or of one of its bases."""
    ge, fingerprint, sealed = guid_epoch(m), bytes.fromhex(m["fingerprint"]), base64.b64decode(entry["sealed_key"])
    private, psk, catalogue_key = (hkdf(mk, label + ge, 32) for label in (b"x25519", b"psk", b"catalogue"))
    info = LABEL + b"archive-key" + ge + entry["id"].encode()
    key = hpke_open(private, sealed, info, psk, LABEL + b"psk-id" + fingerprint)
    return Owner(entry["id"], ge[:16], int(entry["id"][37:]), m["epoch"], fingerprint, sealed, key, catalogue_key)

# Parts and frames (part.md)

class Part:
    """A part whose header and commitment agree with its entry in the manifest."""
    def __init__(self, store, entry, owner):
        self.name, self.role, self.path, size = entry["name"], entry["role"], store / entry["name"], entry["bytes"]
        h = self.stored(0, 256)
        self.need(h[:8] == b"\x89VLT\r\n\x1a\n", "is not a part of vault's")
        self.need(h[8] == 1 and h[9] <= 2, "has a version or role that is not known", "unsupported")
        self.need(ROLES[h[9]] == self.role and 12 <= h[10] <= 20, "has another role or segment size")
        index, *fields = struct.unpack_from("<I16sQI4x16s24x80s", h, 12)
        self.need(f"{owner.id}-{index}" == self.name and tuple(fields) == owner[1:6], "is of another backup or index")
        self.need(not any(h[11:12] + h[44:48] + h[168:224]), "has header bytes that are not zero")
        root = owner.catalogue_key if self.role == "catalogue" else owner.archive_key
        derived = hkdf(root, b"part" + h[:224], 64, h[64:88])
        self.need(h[224:].hex() == entry["commitment"], "has another commitment than the manifest says")
        self.need(hmac.compare_digest(h[224:], derived[32:]), "has another commitment than its key")
        self.key, self.step = derived[:32], 1 << h[10]
        self.need((size - 257) % (self.step + 16) >= 16, "ends in less than a segment")
        self.count = -(-(size - 256) // (self.step + 16))
        self.length = size - 256 - 16 * self.count
        self.segment = functools.lru_cache(2)(self.open_segment)

    def need(self, condition, message, kind="damaged"):
        need(condition, f"{self.name} {message}", kind)

    def stored(self, offset, n):
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(n)

    def open_segment(self, i):
        nonce = i.to_bytes(11, "big") + bytes([i == self.count - 1])
        sealed = self.stored(256 + i * (self.step + 16), self.step + 16)
        return decrypt(self.key, nonce, sealed, b"", f"segment {i} of {self.name}")

    def read(self, offset, n):
        self.need(offset + n <= self.length, "is shorter than what is read from it")
        first = offset // self.step
        data = b"".join(self.segment(i) for i in range(first, -(-(offset + n) // self.step)))
        return data[offset - first * self.step:][:n]

    def frame(self, offset, stored, plain):
        raw = self.read(offset, stored)
        self.need(len(raw) > 9 and raw[:4] == ZSTD, "has no zstd frame where one is recorded")
        single, code = raw[4] >> 5 & 1, raw[4] >> 6
        self.need(raw[4] & 31 == 0 and (single or code), "has a zstd frame of another form")
        window = 0 if single else (1 << (raw[5] >> 3) + 7) * (8 + (raw[5] & 7))
        size = int.from_bytes(raw[6 - single:][:1 << code], "little") + 256 * (code == 1)
        self.need(window <= 2 * MIB and size == plain, "has a zstd frame of another size or window")
        try:
            data = zstandard.ZstdDecompressor().decompress(raw, allow_extra_data=False)
        except zstandard.ZstdError:
            raise Refused("damaged", f"a frame of {self.name} does not decode") from None
        self.need(len(data) == plain, "has a frame of another length")
        return data

# Index, and what it shares with a catalogue (index.md). A restore has no use for section 6.

SECTIONS = {"index": {1: "", 2: "QQ32s", 3: "IIIIB3s", 4: "IIQ", 5: "16s", 6: None},
            "catalogue": {1: "", 16: "IIIIQQ", 17: "IIII", 18: "16sI", 19: "QQ"}}

def read_sections(parts, forms):
    """{section: its records, or its bytes} of all the parts of a role."""
    size = int.from_bytes(parts[0].read(0, 9)[5:], "little")
    need(parts[0].read(0, 5) == ZSTD + b"\xa0" and size and size % 16 == 0, "the directory has another form")
    need(size <= MIB, "the directory is over 1 MiB", "limit")
    directory, end = b"", 9
    while len(directory) < size:
        n = min(131072, size - len(directory))
        header = n << 3 | (len(directory) + n == size)
        need(parts[0].read(end, 3) == header.to_bytes(3, "little"), "the directory is not of raw blocks")
        directory, end = directory + parts[0].read(end + 3, n), end + 3 + n
    found, last, part, parts[0].end = dict.fromkeys(forms, b""), 0, 0, end
    for section, ordinal, stored, plain in struct.iter_unpack("<4I", directory):
        need(section in forms, f"unknown section {section}", "unsupported")
        need(section >= last and part <= ordinal <= part + 1 and ordinal < len(parts), "the directory is out of order")
        record = struct.calcsize("<" + (forms[section] or "")) or 1
        need(stored and stored <= STORED_MAX and 0 < plain <= MIB, "a frame has an illegal length")
        need(plain % record == 0, "records straddle frames")
        begin = parts[ordinal].end if ordinal == part else 0
        last, part, parts[ordinal].end = section, ordinal, begin + stored
        need(parts[part].end <= parts[part].length, "the directory goes beyond a part")
        if forms[section] is not None:
            found[section] += parts[part].frame(begin, stored, plain)
    need(part == len(parts) - 1, "a part has no frame")
    found = {n: list(struct.iter_unpack("<" + forms[n], found[n])) if forms[n] else found[n] for n in forms}
    need(found[1] and len(found[2 if 2 in forms else 16]) == 1, "a section is missing, or not one record")
    return found

class Index:
    def __init__(self, m, index_parts, data_parts):
        sections = read_sections(index_parts, SECTIONS["index"])
        (self.plain, self.chunks, self.ids_digest), = sections[2]
        need(self.plain <= 1 << 48, "the dump is over 2^48 bytes", "limit")
        need(m["size"] == padme(self.plain), "size is not that of the summary")
        self.index_parts, self.draft, self.parts, self.recipe = index_parts, sections[1], data_parts, sections[4]
        self.blocks, self.digests, ends = [block[:4] for block in sections[3]], [d for d, in sections[5]], []
        for part, offset, stored, plain, kind, zero in sections[3]:
            need(kind == 0, "a block of an unknown kind", "unsupported")
            need(0 < stored <= STORED_MAX and 0 < plain <= 2 * MIB and not any(zero), "a block has illegal values")
            if part == len(ends) and part < len(data_parts):
                ends.append(0)
            need(part == len(ends) - 1 and offset >= ends[part], "blocks overlap or are out of order")
            ends[part] = data_parts[part].end = offset + stored
            need(ends[part] <= data_parts[part].length, "a block lies outside of its part")
        need(len(ends) == len(data_parts), "a part that no block names")
        used, total = set(), 0
        for k, start, end in self.pieces():
            used.add(k)
            total += end - start
        need(total == self.plain and len(used) == len(self.blocks), "the recipe is not of the dump, or of every block")
        need(len(self.digests) == -(-self.plain // SPAN), "another number of spans than the dump has")
        self.block = functools.lru_cache(32)(lambda k: data_parts[self.blocks[k][0]].frame(*self.blocks[k][1:]))

    def pieces(self):
        """(block, start, end) of everything the dump is made of, in order."""
        for k, start, length in self.recipe:
            need(k < len(self.blocks) and start < self.blocks[k][3], "an extent begins outside of a block")
            need(0 < length <= self.plain, "an extent has an illegal length")
            while length:
                part, offset, stored, plain = self.blocks[k]
                end = min(plain, start + length)
                yield k, start, end
                length, start, k = length - (end - start), 0, k + 1
                follows = k < len(self.blocks) and self.blocks[k][:2] == (part, offset + stored)
                need(follows or not length, "an extent runs on into nothing")

    def dump(self):
        return (self.block(k)[start:end] for k, start, end in self.pieces())

    def spans(self):
        held = b""
        for piece in self.dump():
            held += piece
            while len(held) >= SPAN:
                yield held[:SPAN]
                held = held[SPAN:]
        if held:
            yield held

    def check_dump(self, key):
        for k, span in enumerate(self.spans()):
            digest = AESGCM(key).encrypt(struct.pack(">4xQ", k), b"", span)
            need(hmac.compare_digest(digest, self.digests[k]), "the dump is not what was written")

def padme(x):
    unit = 1 << x.bit_length() - 1 - (x.bit_length() - 1).bit_length() if x > 1 else 1
    return -(-x // unit) * unit

def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.error = lambda message: need(False, message, "usage")
    parser.add_argument("store", metavar="STORE_DIR", type=Path)
    parser.add_argument("id", metavar="BACKUP_ID")
    key = parser.add_mutually_exclusive_group(required=True)
    key.add_argument("--key-file", metavar="F")
    key.add_argument("--passphrase-file", metavar="F")
    key.add_argument("--identity-file", metavar="F")
    parser.add_argument("--catalogue", action="store_true", help="verify all of the backup, and write no dump")
    args = parser.parse_args(argv)
    need(re.fullmatch(IDENT, args.id), "not the id of a backup", "usage")
    secret = args.key_file or args.passphrase_file or args.identity_file
    need(os.path.exists(secret), "no such key, passphrase or identity file", "usage")
    need(audit or not args.catalogue, "audit.py is not beside this file", "usage")
    try:
        with open(args.store / (args.id + ".json"), "rb") as file:
            raw = file.read(16 * MIB + 1)
    except FileNotFoundError:
        raise Refused("not-found", "no such backup") from None
    m = parse_manifest(raw, args.id)
    if args.identity_file:
        from age_slots import key_of_identity
        mk = key_of_identity(secret, m)
    else:
        mk = key_of_file(secret, args.store, m) if args.key_file else key_of_passphrase(secret, m)
    fingerprint = hkdf(mk, b"fingerprint" + guid_epoch(m), 16).hex()
    need(fingerprint == m["fingerprint"], "the key has another fingerprint", "wrong-key")
    own, context = owner_of(m, m, mk), guid_epoch(m) + m["id"].encode()
    mac = hmac.digest(hkdf(own.archive_key, b"manifest-mac" + context, 32), raw[:-80], "sha256")
    need(hmac.compare_digest(mac.hex(), m["mac"]), "the MAC of the manifest does not verify")
    backups = [(own, m["parts"])] + [(owner_of(base, m, mk), base["parts"]) for base in m["bases"]]
    objects = [(owner, entry) for owner, parts in backups for entry in parts if entry["role"] != "catalogue"]
    for _, entry in objects:
        path = args.store / entry["name"]
        need(path.exists(), entry["name"], "missing")
        need(path.stat().st_size == entry["bytes"], entry["name"] + " has another size than the manifest says")
    parts = [Part(args.store, entry, owner) for owner, entry in objects]
    data, _, index = ([part for part in parts if part.role == role] for role in ROLES)
    index = Index(m, index, data)
    index.check_dump(hkdf(own.archive_key, b"span-digest" + context, 32))
    if audit:
        audit.check_index(index, m)
    if args.catalogue:
        return audit.verify(index, args.store, backups, m, mk)
    with open(sys.stdout.fileno(), "wb", closefd=False) as out:
        for piece in index.dump():
            out.write(piece)

def run(argv):
    """The exit code; what is wrong goes to stderr."""
    try:
        return main(argv)
    except Refused as error:
        kind, message = error.args
    except OSError as error:
        kind = "pipe" if isinstance(error, BrokenPipeError) else "store"
        message = f"{error.filename or 'output'}: {error.strerror}"
    except (LookupError, TypeError, ValueError) as error:
        kind, message = "damaged", f"not of the form that it should have: {error!r}"
    print(f"decode: {kind}: {message}", file=sys.stderr)
    return CODES[kind]

# audit.py takes what it needs from here, under this name; alone, this file judges less and restores as much.
sys.dont_write_bytecode = True
sys.modules.setdefault("decode", sys.modules[__name__])
try:
    import audit
except ImportError:
    audit = None

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
