"""What is raced, and the rows of the table that follow from it.

A race has contenders, which run in turn, A B C A B C …; a row compares one figure of two of them.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import forms, measure
from .corpus import Cluster
from .tools import Shed, Tool

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]

# A contender: one timed run, with all that has to happen before and after it.
Contender = Callable[[], dict[str, float]]


@dataclass(frozen=True)
class Row:
    """One line of the table: `ours` against `theirs` in one figure; without `theirs` the figure itself counts."""

    name: str
    work: str
    ours: str
    theirs: str | None
    figure: str
    target: float | None = None


@dataclass
class Race:
    name: str
    contenders: dict[str, Contender]
    rows: list[Row]
    tools: list[Tool]
    once: bool = False  # the figures are the same every time
    times: int = 1  # so many times as many runs: figures that are closer together than runs differ
    cluster: Cluster | None = None  # runs meanwhile


class Track:
    """The corpus and the contenders, and the ways in which they meet."""

    def __init__(self, shed: Shed, corpus: Path, cluster: Cluster):
        self.shed, self.cluster = shed, cluster
        self.day1, self.day2, self.noise = (corpus / name for name in ("day1.sql", "day2.sql", "noise.bin"))
        self.corpus = corpus
        self.checked: set[tuple[str, Path]] = set()

    def check_once(self, tool: Tool, dump: Path):
        if (tool.name, dump) not in self.checked:
            tool.check(dump)
            self.checked.add((tool.name, dump))

    def first(self, tool: Tool, dump: Path | None = None) -> Contender:
        """Packs a dump into an empty store."""

        def contender():
            tool.clear()
            figures = tool.feed(["cat", dump or self.day1])
            self.check_once(tool, dump or self.day1)
            return figures | {"stored": tool.stored()}

        return contender

    def next(self, tool: Tool) -> Contender:
        """Packs the second day's dump beside the first."""

        def contender():
            tool.recall(self.day1)
            before = tool.stored()
            figures = tool.feed(["cat", self.day2])
            self.check_once(tool, self.day2)
            return figures | {"stored": tool.stored() - before}

        return contender

    def unpack(self, tool: Tool) -> Contender:
        def contender():
            tool.recall(self.day1)
            self.check_once(tool, self.day1)
            return measure.run(tool.unpack(), tool.env)

        return contender


def races(track: Track) -> list[Race]:
    return [race(track) for race in (first_day, next_day, restore, legacy, live, stored, observing, noise, memory, auto)]


def first_day(track: Track) -> Race:
    shed = track.shed
    level_3 = shed.vault_with("--level", "3")
    tools = [level_3, shed.vault, shed.zstd, shed.age, shed.restic, shed.gzip, shed.pigz, shed.borg]

    def row(name, tool, target=None):
        return Row(f"first-{name}", "first pack, default level, wall", shed.vault.name, tool.name, "wall", target)

    rows = [
        Row("first-zstd", "first pack, level 3, wall", level_3.name, shed.zstd.name, "wall", 0.95),
        row("age", shed.age, 0.95),
        row("restic", shed.restic, 0.36),
        row("gzip", shed.gzip, 0.07),
        row("pigz", shed.pigz),
        row("borg", shed.borg),
    ]
    return Race("first", {tool.name: track.first(tool) for tool in tools}, rows, tools)


def next_day(track: Track) -> Race:
    shed = track.shed
    tools = [shed.vault, shed.restic, shed.borg]
    # Where the scanner for cuts has no instructions, the plain one of the crate does it.
    scanned = "avx512_vbmi" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    rows = [
        Row("next-restic", "next-day pack, wall", shed.vault.name, shed.restic.name, "wall", 0.15 if scanned else 0.20),
        Row("next-borg", "next-day pack, wall", shed.vault.name, shed.borg.name, "wall"),
        Row("stored-next", "stored, next-day pack", shed.vault.name, shed.restic.name, "stored", 0.14),
        Row("stored-next-borg", "stored, next-day pack", shed.vault.name, shed.borg.name, "stored"),
    ]
    return Race("next", {tool.name: track.next(tool) for tool in tools}, rows, tools)


def restore(track: Track) -> Race:
    shed = track.shed
    tools = [shed.vault, shed.zstd, shed.restic, shed.age, shed.borg]

    def row(name, tool, target=None):
        return Row(f"unpack-{name}", "unpack to /dev/null, wall", shed.vault.name, tool.name, "wall", target)

    rows = [
        row("zstd", shed.zstd, 0.50),
        row("restic", shed.restic, 0.15),
        row("age", shed.age),
        row("borg", shed.borg),
    ]
    return Race("unpack", {tool.name: track.unpack(tool) for tool in tools}, rows, tools)


def legacy(track: Track) -> Race:
    """What the pipeline that vault replaces has left, read by both."""
    archive = track.shed.gzip
    vault = [track.shed.program, "legacy", "unpack", "--files", archive.output]
    vault += ["--legacy-key-file", track.shed.work / "secrets/passphrase"]
    pipelines = {
        "vault legacy unpack": [vault],
        "the same, --stream": [[*vault, "--stream"]],
        "openssl enc -d | gzip -d": archive.unpack(),
    }
    *ours, theirs = pipelines

    def unpack(name) -> Contender:
        def contender():
            archive.recall(track.day1)
            if (name, track.day1) not in track.checked:
                measure.run([*pipelines[name], ["cmp", "-", track.day1]])
                track.checked.add((name, track.day1))
            return measure.run(pipelines[name])

        return contender

    rows = [
        Row(row, "archive of gzip and openssl, unpack to /dev/null, wall", name, theirs, "wall", 1.0)
        for row, name in zip(("legacy-twice", "legacy-stream"), ours)
    ]
    return Race("legacy", {name: unpack(name) for name in pipelines}, rows, [archive])


def live(track: Track) -> Race:
    vault, cluster = track.shed.vault, track.cluster
    dump_alone = "pg_dumpall > /dev/null"
    env = vault.env | cluster.address

    def without_keys(command):
        """The digest of what it writes, without the key in \\restrict, which is random."""
        digest = f"{command} | sed -E '/^\\\\(un)?restrict /d' | sha256sum"
        return subprocess.run(digest, shell=True, check=True, capture_output=True).stdout

    def timed(command) -> dict[str, float]:
        figures = measure.run(command, env)
        return {"wall": figures["wall"], "cpu": figures["system"]}

    def pack(prepare) -> Contender:
        def contender():
            prepare()
            figures = timed(vault.pack("pg_dumpall"))
            if ("live", prepare) not in track.checked:
                unpack = " ".join(f"'{word}'" for word in vault.unpack()[0])
                if without_keys(unpack) != without_keys(f"cat '{track.day2}'"):
                    raise measure.Failed("the dump that was packed is not that of the cluster")
                track.checked.add(("live", prepare))
            return figures

        return contender

    contenders = {
        dump_alone: lambda: timed([["pg_dumpall"]]),
        "vault, first": pack(vault.clear),
        "vault, next day": pack(lambda: vault.recall(track.day1)),
    }
    rows = [
        Row("live-first-wall", "live, first day, wall", "vault, first", dump_alone, "wall", 1.10),
        Row("live-next-wall", "live, next day, wall", "vault, next day", dump_alone, "wall", 1.05),
        Row("live-first-cpu", "live, first day, CPU of the whole system", "vault, first", dump_alone, "cpu", 1.55),
        Row("live-next-cpu", "live, next day, CPU of the whole system", "vault, next day", dump_alone, "cpu", 1.20),
    ]
    return Race("live", contenders, rows, [vault], cluster=cluster)


def stored(track: Track) -> Race:
    level_3 = track.shed.vault_with("--level", "3")

    def blocks():
        level_3.recall(track.day1)
        python = REPOSITORY / ".venv/bin/python"
        command = [python if python.exists() else sys.executable, HERE / "blocks.py", level_3.store]
        done = subprocess.run([*command, level_3.key_file], capture_output=True, text=True, check=False)
        if done.returncode:
            hint = "`make side-by-side` installs what it needs"
            raise measure.Failed(f"blocks.py failed ({hint}): {done.stderr.strip()[-500:]}")
        return {"stored": int(done.stdout)}

    def whole():
        level_3.recall(track.day1)
        return {"stored": level_3.stored()}

    def stream():
        file = track.shed.work / "run/stream.zst"
        file.parent.mkdir(exist_ok=True)
        measure.run([["cat", track.day1], ["zstd", "-3"]], output=file)
        return {"stored": file.stat().st_size}

    work, alone = "stored, first pack, level 3", "zstd -3, one stream"
    contenders = {"data blocks": blocks, "whole store": whole, alone: stream}
    rows = [
        Row("stored-blocks", work, "data blocks", alone, "stored", 1.015),
        Row("stored-whole", work, "whole store", alone, "stored", 1.045),
    ]
    return Race("stored", contenders, rows, [level_3, track.shed.zstd], once=True)


def observing(track: Track) -> Race:
    """What it costs to know a dump: with another first byte it is packed as raw bytes."""
    contenders, rows, vaults = {}, [], []

    def pack(vault, prepare, dump) -> Contender:
        def contender():
            prepare()
            figures = vault.feed(["cat", dump])
            track.check_once(vault, dump)
            return figures | {"cpu": figures["last"]}

        return contender

    def first(vault, day1, _):
        return pack(vault, vault.clear, day1)

    def next_day(vault, day1, day2):
        return pack(vault, lambda: vault.recall(day1), day2)

    for form, name in forms.FORMS.items():
        for what, day, run, target in (("first", "first pack", first, 1.03), ("next", "next-day pack", next_day, 1.08)):
            pair = [f"{name}, {what}", f"{name}, {what}, as raw bytes"]
            for contender, raw in zip(pair, (False, True)):
                vault = track.shed.vault_with(name=contender)
                contenders[contender] = run(vault, *(forms.path(track.corpus, form, day, raw) for day in (1, 2)))
                vaults.append(vault)
            rows.append(Row(f"observe-{form}-{what}", f"knowing the dump, {day}, CPU of vault", *pair, "cpu", target))
    return Race("observe", contenders, rows, vaults, times=5)


def noise(track: Track) -> Race:
    vault = track.shed.vault
    contenders = {
        "vault, first": track.first(vault, track.noise),
        "vault, the same again": lambda: vault.feed(["cat", track.noise]),  # always after the first
        "plain size": lambda: {"stored": track.noise.stat().st_size},
    }
    rows = [
        Row("noise-wall", "random bytes, pack, wall", "vault, first", "vault, the same again", "wall", 1.5),
        Row("noise-stored", "random bytes, stored", "vault, first", "plain size", "stored", 1.02),
    ]
    return Race("noise", contenders, rows, [vault])


def memory(track: Track) -> Race:
    def of(vault) -> Contender:
        def contender():
            vault.recall(track.day1)
            packs = [vault.feed(["cat", track.day2])]
            unpack = measure.run(vault.unpack(), vault.env)
            packs.append(vault.feed(["cat", track.noise]))
            vault.clear()
            packs.append(vault.feed(["cat", track.day1]))
            return {"rss pack": max(pack["rss"] for pack in packs), "rss unpack": unpack["rss"]}

        return contender

    vaults = [track.shed.vault_with(threads=threads) for threads in (1, 2, 4)]
    rows = [
        Row(f"rss-{what}-{vault.threads[1]}", f"peak RSS of {what}", vault.name, None, f"rss {what}", 128)
        for what in ("pack", "unpack")
        for vault in vaults
    ]
    return Race("memory", {vault.name: of(vault) for vault in vaults}, rows, vaults)


def auto(track: Track) -> Race:
    level_auto, level_1, level_4 = (track.shed.vault_with("--level", level) for level in ("auto", "1", "4"))
    slow = f"{level_auto.name}, fed 50 MB/s"

    def throttled():
        level_auto.clear()
        figures = level_auto.feed([sys.executable, HERE / "throttle.py", track.day1, 50_000_000])
        track.check_once(level_auto, track.day1)
        return figures | {"stored": level_auto.stored()}

    contenders = {slow: throttled} | {tool.name: track.first(tool) for tool in (level_4, level_auto, level_1)}
    rows = [
        Row("auto-stored", "level auto, producer at 50 MB/s, stored", slow, level_4.name, "stored", 1.02),
        Row("auto-wall", "level auto, wall", level_auto.name, level_1.name, "wall", 1.1),
    ]
    return Race("auto", contenders, rows, [level_auto, level_4, level_1])
