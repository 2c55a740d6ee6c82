#!/usr/bin/env python3
"""An independent reader of what escrow leaves behind (check.md, paper.md), beside decode.py.

    python3 escrow.py checks KEY_FILE NAME RECORD...    judges check records under the name NAME
    python3 escrow.py import TEXT...                    the fingerprints of what was typed from paper, or of shares"""
import functools, hmac, json, re, sys
from datetime import datetime, timezone
from pathlib import Path
from decode import Refused, bech32, guid_epoch, hkdf, load, need

# Check records (check.md)

def judge(raw, name, mk):
    """{way: time} of a record that authenticates."""
    need(len(raw) <= 4096, "a record is over 4096 bytes", "limit")
    r = load(raw)
    need(isinstance(r, dict) and r["format"] == "vault-check", "not a check record")
    need(r["version"] == 1, "another version", "unsupported")
    need(len(r["opened"]) <= 17, "over 17 entries", "limit")
    need(name == f"{r['guid']}-check-{r['timestamp']}.json", "the record is that of another name")
    need(1 <= r["epoch"] < 1 << 31 and 10**12 <= r["timestamp"] < 10**13, "the epoch or the time is not legal")
    ways = [entry["way"] for entry in r["opened"]]
    need(all(re.fullmatch("key-file|[0-9a-f]{8}", way) for way in ways), "no way to a key")
    need(ways == sorted(set(ways), key=lambda way: (way != "key-file", way)), "ways repeated or out of order")
    need(ways and max(entry["time"] for entry in r["opened"]) <= r["timestamp"], "later than itself")
    head = json.dumps({key: r[key] for key in ("format", "version", "guid", "timestamp", "epoch", "fingerprint")}, indent=2)
    entries = ",".join(f'\n    {{"way": "{e["way"]}", "time": {e["time"]}}}' for e in r["opened"])
    body = f'{head[:-2]},\n  "opened": [{entries}\n  ]'
    need(raw.decode() == f'{body},\n  "mac": "{r["mac"]}"\n}}\n', "not of the one spelling")
    mac = hmac.digest(hkdf(mk, b"check-mac" + guid_epoch(r), 32), body.encode(), "sha256").hex()
    need(hmac.compare_digest(mac, r["mac"]), "the MAC does not verify")
    return {entry["way"]: entry["time"] for entry in r["opened"]}

def checks(key_file, name, *records):
    line = next(line for line in Path(key_file).read_text().split("\n") if line.startswith("VAULT-KEY-1"))
    mk = bech32(line, "vault-key-", 52)[20:]
    for record in records:
        try:
            found = judge(Path(record).read_bytes(), name, mk)
            print(f"{Path(record).name}: good")
            for way, time in found.items():
                print(f"  {way} {datetime.fromtimestamp(time // 1000, timezone.utc):%FT%TZ}")
        except Refused as error:
            print(f"{Path(record).name}: {error.args[0]}")
        except (LookupError, TypeError, ValueError):
            print(f"{Path(record).name}: damaged")

# Paper and shares (paper.md)

LETTERS = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
KINDS = {"VAULT-KEY-1": ("vault-key-", 52, 90), "VAULT-SHARE-1": ("vault-share-", 70, 118)}

def line_of(heading, words, letters):
    """The line that groups stand for: six letters each and two of check."""
    sizes = [min(6, letters - at) for at in range(0, letters, 6)]
    need(len(words) == len(sizes), f"{len(words)} groups instead of {len(sizes)}")
    for number, (word, size) in enumerate(zip(words, sizes), 1):
        need(len(word) == size + 2 and set(word) <= set(LETTERS), f"group {number} is mistyped")
        check = functools.reduce(lambda value, letter: value * 32 + LETTERS.index(letter), word[:-2], number) % 1021
        need(word[-2:] == LETTERS[check // 32] + LETTERS[check % 32], f"group {number} is mistyped")
    return heading + "".join(word[:-2] for word in words)

def items(text):
    """(heading, bytes) of every key and share."""
    found = []
    for line in text.splitlines():
        for word in line.upper().split() if line.isascii() and not line.startswith("#") else []:
            heading = next((heading for heading in KINDS if word.startswith(heading)), None)
            if heading:
                found.append((heading, [word] if word != heading else []))
            elif not word.endswith(":"):
                found = found or [("VAULT-KEY-1", [])]
                found[-1][1].append(word)
    for heading, words in found:
        prefix, size, letters = KINDS[heading]
        whole = len(words) == 1 and words[0].startswith(heading)
        line = words[0] if whole else line_of(heading, words, letters)
        yield heading, bech32(line, prefix, size)

def times(a, b):
    """The product in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1."""
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a, b = a << 1 ^ (0x11D if a & 0x80 else 0), b >> 1
    return product

def combine(values):
    """The polynomials' values at 0, from {x: bytes}."""
    secret = bytes(32)
    for x, value in values.items():
        factor = 1
        for other in values.keys() - {x}:
            inverse = next(i for i in range(1, 256) if times(i, other ^ x) == 1)
            factor = times(factor, times(other, inverse))
        secret = bytes(s ^ times(factor, v) for s, v in zip(secret, value))
    return secret

def keys_of(text):
    """{epoch: key line bytes}"""
    found, values, named = [], {}, set()
    for heading, data in items(text):
        need(1 <= int.from_bytes(data[16:20], "little") < 1 << 31, "the epoch is not legal")
        if heading == "VAULT-KEY-1":
            found.append(data)
        else:
            named.add(data[:37])
            need(2 <= data[36] <= 16 and 1 <= data[37] <= 16, "threshold or number is not legal")
            need(values.setdefault(data[37], data[38:]) == data[38:], "one number, two values")
    need(len(named) <= 1, "the shares are not of one key", "wrong-key")
    for name in named:
        need(len(values) >= name[36], "too few shares", "usage")
        found.append(name[:20] + combine(values))
        need(hkdf(found[-1][20:], b"fingerprint" + name[:20], 16) == name[20:36], "the shares give another key")
    need(found, "there is nothing")
    keys = {int.from_bytes(data[16:20], "little"): data for data in found}
    need(len(keys) == len(found) and len({data[:16] for data in found}) == 1, "not together", "wrong-key")
    return keys

def paper(*texts):
    for text in texts:
        try:
            keys = sorted(keys_of(Path(text).read_text()).items())
            said = " ".join(hkdf(data[20:], b"fingerprint" + data[:20], 16).hex() for _, data in keys)
        except Refused as error:
            said = error.args[0]
        print(f"{Path(text).name}: {said}")

if __name__ == "__main__":
    command, *arguments = sys.argv[1:] or ["help"]
    commands = {"checks": checks, "import": paper}
    sys.exit(commands[command](*arguments) if command in commands else __doc__)
