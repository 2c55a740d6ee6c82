#!/usr/bin/env python3
"""Races vault against what people use today, on generated dumps, and prints the table as Markdown.

    make side-by-side                               # installs the peers, builds vault, runs all of it
    benches/side-by-side.py --rows 'next-*,unpack-*'
    benches/side-by-side.py --scale 1 --runs 1      # a minute: does it work?

Exits with 1 when a row misses its target or a program fails, with 2 on bad usage.
benches/README.md says what is compared, and how.
"""

import argparse
import fnmatch
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
from side_by_side import corpus, measure, races, report  # noqa: E402
from side_by_side.tools import Shed  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]
# Runs of a contender that no target is about.
RUNS_WITHOUT_TARGET = 3


def say(text: str):
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    built = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "release/vault"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)

    def option(name, metavar, default, about):
        kind = type(default)
        parser.add_argument(name, metavar=metavar, type=kind, default=default, help=f"{about} [default: %(default)s]")

    work = Path(tempfile.gettempdir()).resolve() / "vault-side-by-side"
    option("--work", "DIR", work, "where the dumps are kept and the stores made, 14 GB")
    option("--rows", "PATTERN,…", "*", "only these rows, as the shell matches names")
    option("--runs", "N", 5, "runs of each contender")
    option("--scale", "N", 50, "of pgbench and all tables; 50 gives 1.3 GB of dump")
    option("--vault", "FILE", built.resolve(), "the program")
    parser.add_argument("--list", action="store_true", help="list the rows and do nothing")
    given = parser.parse_args()
    if given.runs < 1 or given.scale < 1:
        parser.error("--runs and --scale begin at 1")
    given.work, given.vault = given.work.resolve(), given.vault.resolve()
    return given


def choose(all_races: list[races.Race], patterns: str) -> list[races.Race]:
    """Leaves the rows that match, and the races and contenders that these need."""
    names, wanted = [row.name for race in all_races for row in race.rows], set()
    for pattern in patterns.split(","):
        found = fnmatch.filter(names, pattern)
        if not found:
            say(f"side-by-side: error: no row matches `{pattern}`; --list lists them")
            sys.exit(2)
        wanted |= set(found)
    for race in all_races:
        race.rows = [row for row in race.rows if row.name in wanted]
        needed = {name for row in race.rows for name in (row.ours, row.theirs)}
        race.contenders = {name: run for name, run in race.contenders.items() if name in needed}
        race.tools = [tool for tool in race.tools if tool.name in needed]
    return [race for race in all_races if race.rows]


def require(chosen: list[races.Race]):
    """Fails early, and names the package, when a program is missing."""
    needed = {"age-keygen": "age", "openssl": "openssl", "cmp": "diffutils", "zstd": "zstd"}
    for race in chosen:
        for tool in race.tools:
            needed |= tool.packages
    missing = sorted({package for program, package in needed.items() if not shutil.which(program)})
    if missing:
        raise SystemExit(f"side-by-side: error: missing: {' '.join(missing)}; run: apt-get install {' '.join(missing)}")


def run(race: races.Race, rounds: int, others: list[float]) -> list[report.Result]:
    """Lets the contenders run in turn. When a program fails, the race is over.

    Notes in `others` how much of the machine went elsewhere.
    """
    aimed = {name for row in race.rows if row.target is not None for name in (row.ours, row.theirs)}
    runs = {name: [] for name in race.contenders}
    if race.cluster:
        race.cluster.start()
    try:
        if race.cluster:
            race.cluster.warm()
        for k in range(1 if race.once else rounds * race.times):
            for name, contender in race.contenders.items():
                if k < RUNS_WITHOUT_TARGET or name in aimed:
                    figures = contender()
                    runs[name].append(figures)
                    others += [figures["others"]] if "others" in figures else []
                    say(f"    {race.name} {k + 1}: {name}: {', '.join(map(told, figures.items()))}")
    except (measure.Failed, subprocess.CalledProcessError) as error:
        say(f"side-by-side: error: {race.name}: {error}")
        runs = {name: [] for name in race.contenders}
    finally:
        if race.cluster:
            race.cluster.stop()
    return [report.Result(row, runs) for row in race.rows]


def told(figure: tuple[str, float]) -> str:
    return f"{figure[0]} {figure[1]:.2f}" if figure[1] < 1e5 else f"{figure[0]} {figure[1]:.0f}"


def main() -> int:
    given = arguments()
    cluster_home = given.work / f"corpus-{given.scale}"
    shed = Shed(given.work, given.vault)
    track = races.Track(shed, cluster_home, corpus.Cluster(cluster_home / "pg"))
    chosen = choose(races.races(track), given.rows)
    if given.list:
        for race in chosen:
            for row in race.rows:
                print(f"{row.name:24} {row.work}: {row.ours} against {row.theirs or 'a limit'}")
        return 0
    require(chosen)
    if not given.vault.exists():
        raise SystemExit(f"side-by-side: error: no {given.vault}; run: cargo build --release")
    corpus.make(cluster_home, track.cluster, given.scale, say)
    print(report.HEAD, flush=True)
    missed, others = [], []
    try:
        shed.make_secrets()
        for race in chosen:
            for result in run(race, given.runs, others):
                print(result.line(), flush=True)
                missed += [result.row.name] if result.missed else []
    finally:
        shed.clean()
    print("\n" + report.heading(given.vault, track.cluster.bin, [track.day1, track.day2], given.runs, others))
    if missed:
        say(f"side-by-side: missed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    # So that what we started is stopped: a server, programs.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
