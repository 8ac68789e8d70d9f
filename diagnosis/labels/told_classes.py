"""Findings about the boxes of single classes, in words and numbers."""

from collections.abc import Iterator, Sequence

from ..findings import CODES, Finding
from . import severity
from .class_readings import ClassReading
from .class_rolls import CODE
from .how_to_mend import asked_for, in_python
from .material import Material
from .verdict import Verdict, files_of
from .words import several, where

NAMED = 100  # files that a finding names


def told_of_classes(verdict: Verdict) -> Iterator[Finding]:
    """One finding a code for classes whose boxes are written otherwise than those of the rest, in all files."""
    for entry in verdict.by_class:
        for code in entry.reading.codes:
            yield _finding(verdict, entry, code)


def told_of_roll(verdict: Verdict) -> Iterator[Finding]:
    """That class ids stand a row too far on, or back, in each file."""
    roll, split = verdict.roll, verdict.material.split
    if roll is None:
        return
    weight = severity.of_roll(roll)
    other = "before" if roll.by > 0 else "after"
    text = (
        f"{where(split)}{CODES[CODE]}: each row has the class of the row {other} it, round the end. Taken back, "
        f"{roll.explained:.0%} of {roll.pairs} labels in files of several classes have the class that the model sees "
        f"there, as written {roll.as_written:.0%}. fix_labels moves no ids between rows: mend what wrote them, where "
        "a column was joined to others by place, and write the files again."
    )
    evidence = {
        "by": "model",
        "split": split,
        "k": roll.by,
        "explained": roll.explained,
        "as_written": roll.as_written,
        "pairs": roll.pairs,
        "share": 1.0,
        "files_count": len(verdict.material.paths),
    }
    yield Finding(CODE, weight, None, text, evidence)


def class_names(material: Material, ids: Sequence[int]) -> str:
    """The first of some classes by name and id, and how many more there are."""
    return several([f"{material.names[one]!r} (id {one})" if one in material.names else f"id {one}" for one in ids])


def _finding(verdict: Verdict, entry: ClassReading, code: str) -> Finding:
    material, weight = verdict.material, severity.WARNING  # the model alone speaks of single classes
    codes, images = entry.reading.codes, files_of(verdict, entry.images)
    rest = "as the rest" if verdict.geometry.reading.codes else "as written"
    unsure = ""
    if entry.unsure:
        unsure = f" The boxes of {class_names(material, entry.unsure)} could not tell and are left as they are."
    text = (
        f"{where(material.split)}for {class_names(material, entry.classes)} in all files, "
        f"{CODES[code]} (read as: {entry.reading}): read so, {entry.better} of their {entry.rows} boxes fit what the "
        f"model sees better than {rest}, {entry.worse} worse, of the others it says neither.{unsure} Only rows of "
        f"these classes are mended. {in_python(asked_for(weight, codes))}"
    )
    evidence = {
        "by": "model",
        "split": material.split,
        "class_ids": list(entry.classes),
        "classes": [material.names.get(one, str(one)) for one in entry.classes],
        "rows": entry.rows,
        "better": entry.better,
        "worse": entry.worse,
        "could_not_tell": list(entry.unsure),
        "share": entry.rows / max(len(material.rows), 1),
        "reading": str(entry.reading),
        "also": asked_for(weight, codes),
        "files": [str(path) for path in images[:NAMED]],
        "files_count": len(images),
    }
    return Finding(code, weight, None, text, evidence)
