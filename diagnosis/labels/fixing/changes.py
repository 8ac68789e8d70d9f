"""What a fix changed, counted by code: a file in the mended folder, and lines to be printed."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..rest import Rest

FILE = "mended.json"
NAMED = 3  # left out things of one kind that are named when told


@dataclass
class Changes:
    """Counts that grow while a set is mended.

    ``files`` and ``rows`` by code; ``dropped`` rows by code; ``images`` "linked", "copied" or "missing"; ``left_out``:
    (why, path, line or None) of all that is not in the mended set. ``rests``: files that stay as they are where others
    of their split voted for a mend.
    """

    source: str
    files: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    left_out: list[tuple[str, str, int | None]] = field(default_factory=list)
    rests: Sequence[Rest] = ()

    def count(self, codes: tuple[str, ...], rows: int) -> None:
        """One file whose ``rows`` were changed by what each of the codes stands for."""
        for code in codes:
            self.files[code] += 1
            self.rows[code] += rows

    def leave_out(self, why: str, path: object, line: int | None = None) -> None:
        """Something that the mended set does not hold."""
        self.left_out.append((why, str(path), line))

    def write(self, folder: Path) -> None:
        """Write all of it into the folder of the mended set."""
        told = {
            "source": self.source,
            "mended": {code: {"files": self.files[code], "rows": self.rows[code]} for code in sorted(self.files)},
            "dropped": dict(sorted(self.dropped.items())),
            "images": dict(sorted(self.images.items())),
            "left_out": [{"why": why, "path": path, "line": line} for why, path, line in self.left_out],
            "left": [_left(rest) for rest in self.rests],
        }
        (folder / FILE).write_text(json.dumps(told, indent=1), encoding="utf-8")


def _left(rest: Rest) -> dict[str, Any]:
    return {
        "codes": list(rest.codes),
        "split": rest.split,
        "left_as_written": list(map(str, rest.left_as_written)),
        "could_not_tell": list(map(str, rest.could_not_tell)),
        "hint": rest.hint,
        "told": str(rest),
    }


def told_changes(folder: Path) -> Iterator[str]:
    """What was changed, in lines, from the file that a fix has written into its folder."""
    told: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    for code, count in told["mended"].items():
        yield f"{code}: {count['rows']} rows in {count['files']} files mended"
    for code, rows in told["dropped"].items():
        yield f"{code}: {rows} rows dropped"
    reasons: dict[str, list[str]] = {}
    for entry in told["left_out"]:
        line = "" if entry["line"] is None else f":{entry['line']}"
        reasons.setdefault(entry["why"], []).append(f"{entry['path']}{line}")
    for why, places in reasons.items():
        more = f" and {len(places) - NAMED} more" if len(places) > NAMED else ""
        yield f"left out, {why}: {', '.join(places[:NAMED])}{more}"
    for entry in told["left"]:
        where = f" of {entry['split']}" if entry["split"] else ""
        yield f"{' + '.join(entry['codes'])}{where}: {entry['told']}"
    yield "images: " + ", ".join(f"{count} {what}" for what, count in told["images"].items())
