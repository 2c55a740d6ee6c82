"""The same rows as PostgreSQL and MariaDB write them, of two days: what vault follows while it packs.

Beside each dump lies one with another first byte, which is no dump to vault, and packed as raw bytes.
On the second day one row in a hundred is another one, a thousand neighbours at a time.
"""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

# Form and what its rows are called.
FORMS = {"copy": "COPY rows", "inserts": "INSERTs, one a row", "mysqldump": "statements of mysqldump"}
ROWS_PER_SCALE = 60_000
# Rows that are drawn from one seed, and that change together.
BLOCK = 1000
CHANGED_EVERY = 100
# Rows of one statement of mysqldump: about 1 MB.
EXTENDED = 8000

POSTGRES_HEAD = """--
-- PostgreSQL database dump
--

-- Dumped from database version 15.18
-- Dumped by pg_dump version 15.18

SET standard_conforming_strings = on;

CREATE TABLE public.orders (
    id bigint NOT NULL,
    customer text,
    note text,
    placed timestamp without time zone,
    amount numeric
);


"""
POSTGRES_END = """

--
-- PostgreSQL database dump complete
--

"""
MYSQL_HEAD = """-- MariaDB dump 10.19  Distrib 10.11.14-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: shop
-- ------------------------------------------------------
-- Server version\t10.11.14-MariaDB-0+deb12u2

CREATE TABLE `orders` (
  `id` bigint(20) NOT NULL,
  `customer` text,
  `note` text,
  `placed` datetime,
  `amount` decimal(10,2)
);
LOCK TABLES `orders` WRITE;
"""
MYSQL_END = "UNLOCK TABLES;\n\n-- Dump completed on 2026-01-01  0:00:00\n"

Row = tuple[int, str, str, str, str]


def path(directory: Path, form: str, day: int, raw: bool = False) -> Path:
    return directory / f"{form}{day}.{'raw' if raw else 'sql'}"


def make(directory: Path, scale: int):
    for day in (1, 2):
        drafts = {form: path(directory, form, day).with_suffix(".draft") for form in FORMS}
        with (
            open(drafts["copy"], "w", encoding="ascii") as copy,
            open(drafts["inserts"], "w", encoding="ascii") as inserts,
            open(drafts["mysqldump"], "w", encoding="ascii") as mysqldump,
        ):
            copy.write(POSTGRES_HEAD + "COPY public.orders (id, customer, note, placed, amount) FROM stdin;\n")
            inserts.write(POSTGRES_HEAD)
            mysqldump.write(MYSQL_HEAD)
            for rows in statements(scale * ROWS_PER_SCALE, day):
                copy.writelines("%d\t%s\t%s\t%s\t%s\n" % row for row in rows)
                inserts.writelines("INSERT INTO public.orders VALUES (%d, '%s', '%s', '%s', %s);\n" % row for row in rows)
                values = ",".join("(%d,'%s','%s','%s',%s)" % escaped(row) for row in rows)
                mysqldump.write(f"INSERT INTO `orders` VALUES {values};\n")
            copy.write("\\.\n" + POSTGRES_END)
            inserts.write(POSTGRES_END)
            mysqldump.write(MYSQL_END)
        for form, draft in drafts.items():
            draft.rename(path(directory, form, day))
            raw = path(directory, form, day, raw=True)
            shutil.copyfile(path(directory, form, day), raw)
            with open(raw, "r+b") as file:
                file.write(b"x")


def escaped(row: Row) -> Row:
    """Every third note of some words has a newline, which mysqldump writes with a backslash."""
    return (*row[:2], row[2].replace(" ", "\\n", 1), *row[3:]) if row[0] % 3 == 0 else row


def statements(count: int, day: int) -> Iterator[list[Row]]:
    words = [f"{random.Random(number).getrandbits(40):x}" for number in range(3000)]
    rows: list[Row] = []
    for first in range(0, count, BLOCK):
        block = first // BLOCK
        draw = random.Random(f"{block} {day if block % CHANGED_EVERY == 7 else 1}")
        for number in range(first, min(first + BLOCK, count)):
            note = " ".join(draw.choices(words, k=draw.randint(1, 8)))
            placed = f"2026-{draw.randint(1, 12):02}-{draw.randint(1, 28):02} {draw.randint(0, 23):02}:00:00"
            rows.append((number, draw.choice(words), note, placed, f"{draw.randint(0, 10**8) / 100:.2f}"))
        if len(rows) >= EXTENDED:
            yield rows
            rows = []
    if rows:
        yield rows
