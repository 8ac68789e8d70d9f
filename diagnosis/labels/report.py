"""What the label doctor returns."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anatomy.shown import Record

from ..findings import Report
from .reading import Reading
from .rest import Rest
from .tables import problem_rows, reading_rows, suspect_rows
from .words import counted, several

if TYPE_CHECKING:
    from polars import DataFrame

PAIRING = "files_mispaired"


@dataclass(frozen=True, repr=False)
class Mend(Record):
    """What would make the label files of ``images`` right.

    ``reading`` of their boxes; ``by_class`` {id written: reading} of classes that have one of their own, as written
    among them where only the others are mended; ``classes`` {id written: id meant}, ids that are not named
    stay; ``pairing``: the labels of an image belong to the one so many places further on in the list of its split, 0:
    to itself. ``split`` of a data YAML, "" elsewhere; ``codes`` of the findings that it mends. ``proven``: the part of
    it that errors call for, None where that is all of it; the rest is of warnings, and mended where it is asked for.
    ``rest``: of a mend that some files of a split vote for, what becomes of the others; None where there are none.
    """

    images: tuple[Path, ...]
    reading: Reading = field(default_factory=Reading)
    classes: Mapping[int, int] = field(default_factory=dict)
    pairing: int = 0
    split: str = ""
    codes: tuple[str, ...] = ()
    proven: "Mend | None" = None
    rest: Rest | None = None
    by_class: Mapping[int, Reading] = field(default_factory=dict)

    @property
    def does(self) -> bool:
        """Whether it changes anything."""
        return bool(self.departures or self.classes or self.pairing)

    @property
    def departures(self) -> frozenset[str]:
        """The fields by which the readings of any of its boxes depart from Ultralytics' form."""
        return frozenset(name for one in (self.reading, *self.by_class.values()) for name in one.departures)

    @property
    def reading_codes(self) -> tuple[str, ...]:
        """The codes of all its readings, each once."""
        return tuple(dict.fromkeys(code for one in (self.reading, *self.by_class.values()) for code in one.codes))

    def reading_of(self, class_id: int) -> Reading:
        """How boxes of a class, by its id as written, are read."""
        return self.by_class.get(class_id, self.reading)

    @property
    def sure(self) -> "Mend":
        """The part of it that errors call for."""
        return self if self.proven is None else self.proven

    @property
    def class_codes(self) -> tuple[str, ...]:
        """The codes that its map of classes stands for."""
        return tuple(code for code in self.codes if code not in (*self.reading_codes, PAIRING)) if self.classes else ()

    @property
    def all_codes(self) -> tuple[str, ...]:
        """The codes of the findings that it mends, each once."""
        return tuple(dict.fromkeys([*self.codes, *self.reading_codes, *([PAIRING] if self.pairing else [])]))

    @property
    def doubtful(self) -> tuple[str, ...]:
        """The codes of what warnings alone call for."""
        sure, of_ids = self.sure, self.class_codes
        reading = list(self.reading.codes) if self.reading != sure.reading else []
        reading += [code for one, own in self.by_class.items() if own != sure.by_class.get(one) for code in own.codes]
        pairing = (PAIRING,) if self.pairing != sure.pairing else ()
        classes = tuple(code for code in of_ids if code not in sure.codes) or of_ids[-1:]
        return tuple(dict.fromkeys((*pairing, *reading, *(classes if self.classes != sure.classes else ()))))


@dataclass(frozen=True, repr=False)
class LabelReport(Report):
    """The findings about a labelled set, and the tables behind them.

    ``mends``: what ``fix_labels`` would do, each image in at most one. Frames of polars: ``readings``, every hypothesis
    that was weighed; ``suspects``, single objects, ranked; ``problems`` of the files. ``images`` in all, and how many
    were ``looked`` at as pictures in each split. Their columns stand in ``tables.py``. ``left_out``: names of classes
    that the model does not have, and of which it says nothing. ``data``: the labels, as they were given.
    """

    mends: tuple[Mend, ...] = ()
    readings: "DataFrame" = field(default_factory=reading_rows)
    suspects: "DataFrame" = field(default_factory=suspect_rows)
    problems: "DataFrame" = field(default_factory=problem_rows)
    images: int = 0
    looked: Mapping[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    data: Any = field(default=None, repr=False)

    def __str__(self) -> str:
        counts = f"{counted(len(self.errors), 'errors')}, {counted(len(self.warnings), 'warnings')}"
        head = f"{self.subject}: {counts} in {self.images} images, of which {self.probes} were looked at"
        told = [f"  the model has no class for: {several(self.left_out, 10)}"] if self.left_out else []
        return "\n".join([head, *(f"  {one.severity}: {one.code}: {one.message}" for one in self.findings), *told])

    def to_json(self) -> str:
        """Findings, mends and the ranked suspects as JSON, for other programs."""
        findings = [
            {"code": found.code, "severity": found.severity, "message": found.message, "evidence": dict(found.evidence)}
            for found in self.findings
        ]
        mends = [
            {
                "images": [str(path) for path in mend.images],
                "reading": str(mend.reading),
                "by_class": {str(key): str(own) for key, own in mend.by_class.items()},
                "codes": list(mend.codes),
                "doubtful": list(mend.doubtful),
                "classes": {str(key): value for key, value in mend.classes.items()},
                "pairing": mend.pairing,
                "split": mend.split,
            }
            for mend in self.mends
        ]
        data = {
            "subject": self.subject,
            "images": self.images,
            "looked": dict(self.looked),
            "left_out": list(self.left_out),
            "findings": findings,
            "mends": mends,
            "suspects": self.suspects.to_dicts(),
        }
        return json.dumps(_finite(data), indent=1, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    """The same with null for numbers that JSON does not have: errors of what one image shows are infinite."""
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
