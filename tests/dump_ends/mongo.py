#!/usr/bin/env python3
"""Writes archives in the format of `mongodump --archive` into a directory: a second writer, made from the published
format (mongodb/mongo-tools, common/archive/spec.md, and bsonspec.org) and from nothing else. No mongodump ran here."""
import struct, sys
from pathlib import Path

END = b"\xff\xff\xff\xff"


def bson(fields):
    body = b""
    for name, value in fields.items():
        key = name.encode() + b"\0"
        if isinstance(value, bool):
            body += b"\x08" + key + bytes([value])
        elif isinstance(value, str):
            text = value.encode() + b"\0"
            body += b"\x02" + key + struct.pack("<i", len(text)) + text
        elif isinstance(value, dict):
            body += b"\x03" + key + bson(value)
        elif isinstance(value, float):
            body += b"\x01" + key + struct.pack("<d", value)
        elif name == "CRC":
            body += b"\x12" + key + struct.pack("<Q", value)
        else:
            body += b"\x10" + key + struct.pack("<i", value)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def crc64(data, crc=0):
    crc ^= (1 << 64) - 1
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xC96C5795D7870F42 if crc & 1 else 0)
    return crc ^ (1 << 64) - 1


def prelude(collections, version="0.1"):
    header = {"concurrent_collections": 4, "version": version, "server_version": "7.0.14", "tool_version": "100.10.0"}
    out = struct.pack("<I", 0x8199E26D) + bson(header)
    for db, name, kind in collections:
        metadata = '{"indexes":[{"v":2,"key":{"_id":1},"name":"_id_"}],"collectionName":"%s"}' % name
        out += bson({"db": db, "collection": name, "metadata": metadata, "size": 0, "type": kind})
    return out + END


def segment(db, name, documents):
    return bson({"db": db, "collection": name, "EOF": False, "CRC": 0}) + b"".join(documents) + END


def ended(db, name, documents):
    return bson({"db": db, "collection": name, "EOF": True, "CRC": crc64(b"".join(documents))}) + END


def documents(n, size):
    return [bson({"_id": i, "note": "x" * (i * 7 % size), "in": {"depth": 1.5, "bytes": "\u00ff" * 3}}) for i in range(n)]


def shop():
    orders, items = documents(40, 90), documents(25, 300)
    names = [("shop", "orders", "collection"), ("shop", "items", "collection"), ("shop", "seen", "view"),
             ("shop", "weather", "timeseries"), ("admin", "system.version", ""), ("", "oplog", "")]
    yield prelude(names)
    # Two collections in turns, as by several threads.
    for i in range(5):
        yield segment("shop", "orders", orders[8 * i:8 * i + 8]) + segment("shop", "items", items[5 * i:5 * i + 5])
    yield ended("shop", "items", items) + ended("shop", "seen", [])
    buckets = documents(3, 10)
    yield segment("shop", "system.buckets.weather", buckets) + ended("shop", "system.buckets.weather", buckets)
    yield ended("shop", "orders", orders)
    yield ended("admin", "system.version", []) + segment("", "oplog", buckets) + ended("", "oplog", buckets)


def big():
    rows = documents(120, 4000)
    yield prelude([("big", "rows", "collection"), ("big", "more", "collection")])
    yield segment("big", "rows", rows) + ended("big", "rows", rows)
    yield segment("big", "more", rows) + ended("big", "more", rows)


one = [("a", "b", "collection"), ("a", "c", "collection")]
doc = documents(1, 10)
samples = {
    "whole-shop": b"".join(shop()),
    "whole-big": b"".join(big()),
    "whole-empty": prelude([]),
    "missing-collection": prelude(one) + segment("a", "b", doc) + ended("a", "b", doc),
    "order-ended-twice": prelude(one) + ended("a", "b", []) + ended("a", "b", []),
    "order-after-its-end": prelude(one) + ended("a", "b", []) + segment("a", "b", doc),
    "order-not-announced": prelude(one) + segment("a", "d", doc),
    "order-terminator-twice": prelude(one) + END + ended("a", "b", []),
    "order-document-in-end": prelude(one) + bson({"db": "a", "collection": "b", "EOF": True, "CRC": 0}) + doc[0] + END,
    "order-length-4": prelude(one) + bson({"db": "a", "collection": "b", "EOF": False, "CRC": 0}) + b"\4\0\0\0" + END,
    "order-no-zero": prelude(one) + bson({"db": "a", "collection": "b", "EOF": False, "CRC": 0}) + doc[0][:-1] + b"x" + END,
    "order-no-name": prelude(one) + bson({"db": "a", "EOF": True, "CRC": 0}) + END,
    "order-no-version": struct.pack("<I", 0x8199E26D) + bson({"server_version": "7"}) + END + END * 70,
    "unproven-version": prelude(one, "0.2") + ended("a", "b", []) + ended("a", "c", []),
    "unproven-document": prelude(one) + struct.pack("<i", 2 << 20) + b"\2x\0" * 999,
}
for name, sample in samples.items():
    Path(sys.argv[1], name).write_bytes(sample)
