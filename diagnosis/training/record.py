"""The record of a watch: its rows and findings, kept in memory and, where there is a folder, written as they come."""

import json
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars
from polars import DataFrame

from anatomy.archive.whole import write_whole

from ..findings import Finding
from ..parts import clear_drafts, is_whole, write_part
from .reader import Later, at_once
from .tables import TABLES, schema

ABOUT, FINDINGS, PARTS, BROKEN, FORMAT = "watch.json", "findings.json", "parts", "broken", 1
EVERY_SECONDS = 5.0  # rows are written at least so far apart,
SHARE, MOST_SECONDS = 0.01, 300.0  # or this share of the time that has passed, so that parts stay few,
WORTH = 500  # or so many times what the last part took: disks can be slow


@dataclass(frozen=True)
class WatchLevel:
    """A pyramid level of the network in training; ``stride`` px of its input."""

    index: int
    name: str
    stride: float


@dataclass(frozen=True)
class About:
    """What is watched: the network's kind, its levels, live branches and class names, and every how many batches;
    ``gains``: what loss items are multiplied by, by their names, where it is known."""

    subject: str
    levels: tuple[WatchLevel, ...]
    branches: tuple[str, ...]
    names: Mapping[int, str]
    every: int
    gains: Mapping[str, float] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self) | {"format": FORMAT, "names": {str(index): name for index, name in self.names.items()}}

    @classmethod
    def read(cls, folder: Path) -> "About":
        """Out of a watch's folder; raises FileNotFoundError where there is none, ValueError where it is damaged."""
        try:
            told = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            if told["format"] != FORMAT:
                raise ValueError(f"format {told['format']}")
            return cls(
                subject=told["subject"],
                levels=tuple(WatchLevel(**level) for level in told["levels"]),
                branches=tuple(told["branches"]),
                names={int(index): name for index, name in told["names"].items()},
                every=told["every"],
                gains=told.get("gains", {}),
            )
        except FileNotFoundError:
            within = [str(file.parent) for file in sorted(folder.glob(f"*/{ABOUT}"))]
            where = f" There is one in {' and in '.join(map(repr, within))}." if within else ""
            raise FileNotFoundError(f"There is no watch in {str(folder)!r}: it has no {ABOUT}.{where}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{str(folder / ABOUT)!r} is damaged or of another version ({error!r}).") from error


@dataclass
class Record:
    """Rows and findings. ``folder`` None: nothing is written. ``pause`` s between two parts, at least."""

    about: About
    folder: Path | None = None
    pause: float = EVERY_SECONDS
    findings: list[Finding] = field(default_factory=list)
    _new: dict[str, list[dict]] = field(default_factory=lambda: {name: [] for name in TABLES})
    _done: dict[str, list[DataFrame]] = field(default_factory=lambda: {name: [] for name in TABLES})
    _parts: int = 0
    _began: float = field(default_factory=time.monotonic)
    _written: float = -float("inf")
    _took: float = 0.0  # s, the last part
    _writing: "Future[float] | None" = None  # the part that is being written

    @classmethod
    def create(
        cls, about: About, folder: Path | None, *, pause: float = EVERY_SECONDS, go_on: bool = False
    ) -> "Record":
        """A new record, or, to ``go_on``, that of the folder continued.

        Raises FileExistsError where something else stands in the folder, OSError where it cannot be written.
        """
        if folder is None:
            return cls(about, None, pause)
        if go_on and (folder / ABOUT).exists():
            record = cls.read(folder)
            record.pause = pause
            clear_drafts(folder / PARTS)
            return record
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FileExistsError(f"{str(folder)!r} is not empty. Give another folder as out=, or an empty one.")
        (folder / PARTS).mkdir(parents=True, exist_ok=True)
        write_whole(folder / ABOUT, lambda file: file.write(json.dumps(about.plain(), indent=1).encode()))
        return cls(about, folder, pause)

    @classmethod
    def read(cls, folder: Path) -> "Record":
        """What stands in a folder, of a training that has ended, was killed or still runs."""
        record = cls(About.read(folder), folder)
        parts = sorted(entry for entry in (folder / PARTS).iterdir() if entry.name.isdecimal())
        for part in parts:
            for name in TABLES:
                file = part / f"{name}.parquet"
                if not is_whole(file):
                    raise ValueError(f"{str(file)!r} is damaged: it does not end as a Parquet file does.")
                record._done[name].append(polars.read_parquet(file))
        record._parts = int(parts[-1].name) + 1 if parts else 0
        if (folder / FINDINGS).exists():
            told = json.loads((folder / FINDINGS).read_text(encoding="utf-8"))
            record.findings = [Finding(**entry | {"consequences": tuple(entry["consequences"])}) for entry in told]
        return record

    def add(self, table: str, rows: Iterable[dict]) -> None:
        """Add rows to a table; they are written with the next part."""
        self._new[table] += rows

    def find(self, finding: Finding) -> None:
        """Add a finding; all of them are written at once."""
        self.findings.append(finding)
        if self.folder is not None:
            text = json.dumps([asdict(one) for one in self.findings], indent=1)
            write_whole(self.folder / FINDINGS, lambda file: file.write(text.encode()))

    def write(self, later: Later = at_once, *, now: bool = False) -> None:
        """Write what is new, if the last part is long enough ago, or ``now``; ``later``: who does it, and when.

        What the disk refused is raised by the next call.
        """
        if self._writing is not None and (now or self._writing.done()):
            writing, self._writing = self._writing, None
            self._took = writing.result()
        time_ = time.monotonic()
        wanted = max(self.pause, SHARE * (time_ - self._began), WORTH * self._took if self.pause else 0.0)
        pause = min(wanted, max(MOST_SECONDS, self.pause))
        due = self._writing is None and (now or time_ - self._written >= pause)
        if not any(self._new.values()) or not due:
            return
        tables = {name: _frame(name, rows) for name, rows in self._new.items()}
        for name, frame in tables.items():
            self._done[name].append(frame)
            self._new[name] = []
        if self.folder is not None:
            self._writing = later(partial(_written, tables, self.folder / PARTS / f"{self._parts:06d}"))
        self._parts, self._written = self._parts + 1, time_
        if now:
            self.write(now=True)

    def table(self, name: str) -> DataFrame:
        """All rows of a table, in the order of the training."""
        frames = [*self._done[name], _frame(name, self._new[name])]
        return polars.concat([frame for frame in frames if len(frame)] or frames[-1:], how="diagonal")


def _frame(table: str, rows: list[dict]) -> DataFrame:
    return DataFrame(rows, schema=schema(table, rows))


def _written(tables: Mapping[str, DataFrame], place: Path) -> float:
    """The seconds that it took to write a part."""
    began = time.monotonic()
    write_part(tables, place)
    return time.monotonic() - began
