"""The table."""

import datetime
import os
import platform
import statistics
import subprocess
from pathlib import Path

from . import measure
from .races import Row

HEAD = "| work | | against | medians of both | ratio | target | |\n|---|---|---|---|---|---|---|"
PACKAGES = ["zstd", "openssl", "age", "restic", "borgbackup", "gzip", "pigz"]


class Result:
    """A row and what came of it."""

    def __init__(self, row: Row, runs: dict[str, list[dict[str, float]]]):
        self.row, self.value, self.medians = row, None, "–"
        ours, theirs = runs[row.ours], runs[row.theirs] if row.theirs else None
        if not ours or theirs == []:
            pass  # a program failed
        elif theirs:
            self.value = measure.median(ours, row.figure) / measure.median(theirs, row.figure)
            self.medians = f"{shown(ours, row.figure)} / {shown(theirs, row.figure)}"
        else:
            # A limit is kept always, or it is not kept.
            self.value = max(run[row.figure] for run in ours)
            self.medians = shown(ours, row.figure)
        self.missed = self.value is None or (row.target is not None and self.value > row.target)

    def verdict(self) -> str:
        if self.value is None:
            return "FAILED"
        if self.missed:
            return "MISSED"
        if self.row.target is None:
            return ""
        return "reached"

    def line(self) -> str:
        row = self.row
        if self.value is None:
            value = "–"
        else:
            value = f"{self.value:.3f}" if row.theirs else f"at most {self.value:.0f} MiB"
        target = "–" if row.target is None else f"≤ {row.target:g}"
        names = [name.replace("|", "\\|") for name in (row.ours, row.theirs or "–")]
        return f"| {row.work} | {' | '.join(names)} | {self.medians} | {value} | {target} | {self.verdict()} |"


def shown(runs: list[dict[str, float]], figure: str) -> str:
    """The median of a figure; beside seconds of wall, those of the processors."""
    median = measure.median(runs, figure)
    if figure == "wall":
        return f"{median:.2f} s ({measure.median(runs, 'cpu'):.2f} CPU s)"
    if figure == "cpu":
        return f"{median:.2f} CPU s"
    return f"{median / 1e6:.2f} MB" if figure == "stored" else f"{median:.0f} MiB"


def machine() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}"


def versions(vault: Path, server: Path) -> str:
    """What dpkg says of the peers, and vault of itself."""
    said = subprocess.run([vault, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    packages = [*PACKAGES, f"postgresql-{server.parent.name}"]
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\n", *packages]
    return ", ".join([said, *subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()])


def heading(vault: Path, server: Path, dumps: list[Path], runs: int, others: list[float]) -> str:
    sizes = " and ".join(f"{dump.stat().st_size / 1e9:.2f}" for dump in dumps)
    return "\n".join([
        f"{datetime.date.today()}, {machine()}.",
        f"{versions(vault, server)}.",
        f"Dumps of {sizes} GB; medians of {runs} alternating runs, without a target of 3 at most.",
        *([f"Meanwhile others had {statistics.median(others):.0%} of the processors."] if others else []),
    ])
