"""What is to be mended: the mends of a report, narrowed to the codes that a caller asks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from anatomy.arguments import shown

from ...findings import CODES
from ..reading import READING_CODES, Reading
from ..report import PAIRING, LabelReport, Mend
from ..rest import Rest

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
CUT = "outside"
"""Boxes that leave the image are cut at its edges where this is asked for."""

OF_IDS = ("ids_shifted", "ids_alphabetical", "ids_as_strings", "ids_coco91", "ids_permuted", "classes_swapped")
MENDABLE = {*READING_CODES, *OF_IDS, PAIRING, *DUPLICATES, *DROPS, CUT}
LETTERS = 4  # of a word, from which on the codes that hold it are likely meant


@dataclass(frozen=True)
class Choice:
    """What is done: ``mends`` by the path of the image whose labels they are about, rows ``drop``ped by code, and
    whether boxes are ``cut`` at the edges of their image."""

    mends: Mapping[str, Mend]
    drop: frozenset[str] = field(default_factory=frozenset)
    cut: bool = False

    @property
    def rests(self) -> tuple[Rest, ...]:
        """What is left as it is beside the files that vote for what is mended."""
        return tuple(dict.fromkeys(mend.rest for mend in self.mends.values() if mend.rest is not None))


def chosen(report: LabelReport, codes: str | Iterable[str] | None, also: str | Iterable[str] = ()) -> Choice:
    """What of the mends of a report is done, and the rows to drop.

    By default what errors call for; ``also``: codes of warnings, and of rows to drop, beside; or of ``codes`` alone.
    Raises TypeError for what is no report; ValueError for a code that nothing here mends, for one of several that a
    reading is mended by together, for both kinds of request, and where there is nothing to mend.
    """
    if not isinstance(report, LabelReport):
        raise TypeError(f"Labels are fixed by what check_labels returned, but {shown(report)} was given.")
    if codes is not None and tuple(also):
        raise ValueError("`codes` are mended alone, `also` beside what errors call for: give one of them.")
    asked = _asked(report, also if codes is None else codes)
    parts = [_narrowed(mend, asked) for mend in report.mends]
    if codes is None:
        parts = [_beside(mend.sure, part) for mend, part in zip(report.mends, parts, strict=True)]
    drop = frozenset(DUPLICATES.get(code, code) for code in asked) & frozenset(DROPS)
    doing = [part for part in parts if part.does]
    if not doing and not drop and CUT not in asked:
        raise ValueError(_nothing(report))
    return Choice({str(image): mend for mend in doing for image in mend.images}, drop, cut=CUT in asked)


def check_codes(codes: Iterable[str]) -> None:
    """Raise ValueError for what is the code of nothing, and say which is meant."""
    known = {*CODES, *DROPS, CUT}
    for code in codes:
        if code not in known:
            meant = _meant(code, known) or f" Codes of what can be mended: {', '.join(sorted(MENDABLE))}."
            raise ValueError(f"Codes are of findings, or of rows to drop, but {code!r} is none.{meant}")


def _meant(code: str, known: Iterable[str]) -> str:
    """The code that a word is likely to mean, as a question; "" none."""
    holding = sorted(one for one in known if len(code) >= LETTERS and code in one)
    near = get_close_matches(code, sorted(known), n=1) or holding
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _nothing(report: LabelReport) -> str:
    """Why nothing is mended, and what could be."""
    doubtful = dict.fromkeys(code for mend in report.mends for code in mend.doubtful)
    if doubtful:
        return (
            f"Nothing is mended by itself but what errors call for, and of {', '.join(doubtful)} one kind of evidence "
            f"alone speaks. Look at viz.labels(report), and ask for it: also={list(doubtful)}."
        )
    found = ", ".join(report.codes) or "nothing"
    return (
        f"There is nothing to mend: the report names {found}, and no mend for it. Rows are dropped where their "
        f"code is asked for: also=[…] of {', '.join(DROPS)}; and {CUT} are cut at the edges."
    )


def _asked(report: LabelReport, given: str | Iterable[str]) -> set[str]:
    codes = [given] if isinstance(given, str) else list(given)
    can = {code for mend in report.mends for code in mend.all_codes}
    unknown = [code for code in codes if code not in can and DUPLICATES.get(code, code) not in (*DROPS, CUT)]
    if unknown:
        raise ValueError(
            f"Codes must be of what this report can mend, but {unknown[0]!r} is not."
            f"{_meant(unknown[0], (*can, *DUPLICATES, *DROPS, CUT))} It can mend: "
            f"{', '.join(sorted(can)) or 'nothing'}; rows that can be dropped: duplicates, {', '.join(DROPS)}; "
            f"{CUT} are cut at the edges."
        )
    return set(codes)


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
        classes=mend.classes if asked.intersection(mend.class_codes) else {},
        pairing=mend.pairing if PAIRING in asked else 0,
        by_class=_of_classes(mend, asked),
        codes=tuple(code for code in mend.codes if code in asked),
        proven=None,
        rest=mend.rest if mend.rest is not None and asked.issuperset(mend.rest.codes) else None,
    )


def _of_classes(mend: Mend, asked: set[str]) -> dict[int, Reading]:
    """The readings of single classes that are asked for; where only others are, these classes stay as they stand."""
    others = bool(set(mend.reading.codes) & asked)
    chosen = {one: own if asked.intersection(own.codes) else Reading() for one, own in mend.by_class.items()}
    return {one: own for one, own in chosen.items() if others or own.departures}


def _beside(sure: Mend, asked: Mend) -> Mend:
    """What is sure of a mend, and what is asked for beside."""
    return replace(
        sure,
        reading=asked.reading if asked.reading.departures else sure.reading,
        by_class={**sure.by_class, **asked.by_class},
        classes=asked.classes or sure.classes,
        pairing=asked.pairing or sure.pairing,
        codes=tuple(dict.fromkeys((*sure.codes, *asked.codes))),
        proven=None,
        rest=asked.rest or sure.rest,
    )
