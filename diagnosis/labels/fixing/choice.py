"""What is to be mended: the mends of a report, narrowed to the codes that a caller asks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from anatomy.arguments import shown

from ..reading import Reading
from ..report import LabelReport, Mend

PAIRING = "files_mispaired"
DUPLICATES = {"duplicates": "duplicate_row"}  # a code of findings that is another one of rows
DROPS = (
    "duplicate_row",
    "empty_box",
    "off_image",
    "class_unknown",
    "class_negative",
    "class_not_whole",
    "not_finite",
    "not_a_number",
    "wrong_columns",
    "bad_annotation",
)
"""Rows that are left out where their code is asked for; by themselves they stay as they stand."""


@dataclass(frozen=True)
class Choice:
    """What is done: ``mends`` by the path of the image whose labels they are about, and rows ``drop``ped by code."""

    mends: Mapping[str, Mend]
    drop: frozenset[str] = field(default_factory=frozenset)


def chosen(report: LabelReport, codes: str | Iterable[str] | None) -> Choice:
    """The mends of a report, of ``codes`` alone or of all, and the rows to drop.

    Raises TypeError for what is no report; ValueError for a code that nothing here mends, for one of several that a
    reading is mended by together, and where there is nothing to mend.
    """
    if not isinstance(report, LabelReport):
        raise TypeError(f"Labels are fixed by what check_labels returned, but {shown(report)} was given.")
    if codes is None:
        mends, drop = list(report.mends), frozenset()
    else:
        asked = _asked(report, [codes] if isinstance(codes, str) else list(codes))
        mends = [_narrowed(mend, asked) for mend in report.mends]
        drop = frozenset(DUPLICATES.get(code, code) for code in asked) & frozenset(DROPS)
    doing = [mend for mend in mends if _does(mend)]
    if not doing and not drop:
        found = ", ".join(report.codes) or "nothing"
        raise ValueError(
            f"There is nothing to mend: the report names {found}, and no mend for it. Rows are dropped where their "
            f"code is asked for: codes=[…] of {', '.join(DROPS)}."
        )
    return Choice({str(image): mend for mend in doing for image in mend.images}, drop)


def _asked(report: LabelReport, codes: list[Any]) -> set[str]:
    can = {code for mend in report.mends for code in _codes(mend)}
    unknown = [code for code in codes if code not in can and DUPLICATES.get(code, code) not in DROPS]
    if unknown:
        raise ValueError(
            f"Codes must be of what this report can mend, but {unknown[0]!r} is not. It can mend: "
            f"{', '.join(sorted(can)) or 'nothing'}; rows that can be dropped: duplicates, {', '.join(DROPS)}."
        )
    return set(codes)


def _codes(mend: Mend) -> set[str]:
    return {*mend.codes, *mend.reading.codes, *([PAIRING] if mend.pairing else [])}


def class_codes(mend: Mend) -> tuple[str, ...]:
    """The codes of a mend that its map of classes stands for."""
    return tuple(code for code in mend.codes if code not in (*mend.reading.codes, PAIRING)) if mend.classes else ()


def _narrowed(mend: Mend, asked: set[str]) -> Mend:
    """The part of a mend that is asked for."""
    reading = set(mend.reading.codes)
    if reading & asked and not reading <= asked:
        raise ValueError(
            f"How numbers are read is mended as a whole, but of {', '.join(sorted(reading))} only "
            f"{', '.join(sorted(reading & asked))} was asked for. Ask for all of them, or for none."
        )
    return replace(
        mend,
        reading=mend.reading if reading & asked else Reading(),
        classes=mend.classes if asked.intersection(class_codes(mend)) else {},
        pairing=mend.pairing if PAIRING in asked else 0,
        codes=tuple(code for code in mend.codes if code in asked),
    )


def _does(mend: Mend) -> bool:
    return bool(mend.reading.departures or mend.classes or mend.pairing)
