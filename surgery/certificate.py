"""What differs from the original, row by row, and what provably does not."""

import gc
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike

from torch import Tensor

from anatomy import Head, describe
from anatomy.head.level_colors import level_color
from anatomy.shown import Part, Record, Shown, Table, Words

from .bits import cast, exact_differing, ids, in_step
from .elsewhere import differing_tensors, precision
from .memory import ended, ledger
from .places import Place, alive, distinct, first, here, places, standing
from .record import Ledger
from .rows import Rows
from .standing import as_passed, data, drifted, through


@dataclass(frozen=True, repr=False)
class RowCheck(Record):
    """The class rows of one place: ids whose bits differ from the original, and ids whose bits are equal.

    Both are empty where there is no original to compare with. ``drifted``: ids whose rows are not those that the
    record of edits left, so that something else has written them.
    """

    branch: str
    level: int
    level_name: str
    path: str
    changed: tuple[int, ...]
    equal: tuple[int, ...]
    drifted: tuple[int, ...] = ()


@dataclass(frozen=True, repr=False)
class Certificate(Shown):
    """A bitwise comparison of class rows with the original, for every level of every live branch.

    ``original``: what was compared with: "file", the checkpoint given as ``against``; "record", each row as it stood
    before the first edit, or as ``surgery.load`` read it; None where there is neither, and nothing was compared.
    ``in_step``: what ``predict()`` runs carries the same rows; ``behind`` says who runs others, and at which levels.
    ``elsewhere``: names of all other weights and buffers that differ from the file, or None when none was given.
    ``digest``: SHA-256 over all class rows as they are now, by branch and level. ``edits``: how many the record holds;
    ``ended``: how many went with a network that the model object held before. ``precision``: a sentence where file and
    network hold numbers of different precision, else None.
    """

    rows: tuple[RowCheck, ...]
    in_step: bool
    elsewhere: tuple[str, ...] | None
    digest: str
    names: Mapping[int, str]
    original: str | None = None
    behind: tuple[str, ...] = ()
    edits: int = 0
    ended: int = 0
    precision: str | None = None

    @property
    def untouched(self) -> bool | None:
        """Whether nothing that was compared differs; None when nothing was compared."""
        if self.original is None:
            return None
        return not any(check.changed for check in self.rows) and not self.elsewhere

    def __str__(self) -> str:
        return "\n".join([self._against(), *map(self._line, self.rows), *self._notes()])

    def _title(self) -> str:
        if self.original is None:
            return "nothing compared: there is no record of an original"
        changed = sum(len(check.changed) for check in self.rows)
        rows = f"{changed} class rows changed" if changed else "no class row changed"
        other = "" if self.elsewhere is None else f", {len(self.elsewhere)} other tensors differ"
        step = "" if self.in_step else ", predict() runs OTHER rows"
        return f"{rows} against the {self.original}{other}{step}; {self.edits} edit(s) on record"

    def _parts(self) -> Iterable[Part]:
        columns = ("level", "branch", "changed", "which", "equal", "not as the edits left them")
        rows = (
            (one.level_name, one.branch, len(one.changed), self._some(one.changed), len(one.equal), len(one.drifted))
            for one in self.rows
        )
        colors = [level_color(one.level_name) for one in self.rows]
        return [Words([self._against()]), Table(columns, rows, len(self.rows), colors), Words(self._notes())]

    def _against(self) -> str:
        original = {
            "file": "against the file",
            "record": "against the rows before the first edit, as they were loaded, or as forget left them",
            None: "NOT COMPARED: there is no record of an original (give against=path)",
        }[self.original]
        return f"class rows, bit for bit, {original} (sha256 {self.digest[:16]}…)"

    def _line(self, check: RowCheck) -> str:
        start = f"  {check.branch:9} {check.level_name:3} {check.path:26}"
        if self.original is None:
            return f"{start} not compared"
        changed = f"{len(check.changed)} changed ({self._some(check.changed)})" if check.changed else "none changed"
        drift = f", {len(check.drifted)} not as the edits left them" if check.drifted else ""
        return f"{start} {changed}, {len(check.equal)} equal{drift}"

    def _some(self, classes: tuple[int, ...]) -> str:
        return ", ".join(self.names[index] for index in classes[:4]) + ("…" if len(classes) > 4 else "")

    def _notes(self) -> list[str]:
        other = "not compared (give against=path)"
        if self.elsewhere is not None:
            other = f"{len(self.elsewhere)} tensors differ"
        step = "yes" if self.in_step else f"NO: {'; '.join(self.behind)}"
        notes = [f"other weights: {other}; predict() runs these rows: {step}"]
        if self.ended:
            notes.append(f"the record of {self.ended} edit(s) ended when the network was replaced")
        if any(check.drifted for check in self.rows):
            notes.append(f"the record of {self.edits} edit(s) does not explain the rows: something else wrote some")
        return notes + ([self.precision] if self.precision else [])


def certify(model: object, against: str | PathLike[str] | None = None, *, trusted: bool = False) -> Certificate:
    """Compare the model with its original.

    ``against``: path of a checkpoint of the model's own family; then everything is compared with it, bit for bit,
    class rows too. It is opened with care, unless ``trusted``. Without it the rows are compared with the record; with
    no record, nothing is, and the certificate says so. NaN are compared by their bits; where precisions differ, in the
    dtype that holds both exactly.

    ``in_step`` looks at the class rows alone. It knows every predictor that copied this network since the workbench
    first saw it, and those made before whose class and box rows were equal then. A copy made in another way (a
    ``deepcopy`` given to a predictor, a file saved and opened again) is a network of its own, and not looked at.

    Raises FileNotFoundError, CheckpointError (a ValueError) for a file that cannot be opened, and
    UnsupportedModelError where the family has no files.

    >>> surgery.certify(model).in_step
    True
    """
    head = describe(model)
    book = ledger(head)
    theirs = None if against is None else describe(head.open(against, trusted=trusted))
    original = "file" if theirs is not None else "record" if book.baseline else None
    drift = drifted(head, book) if book.baseline else {}
    rows = _record_rows(head, book) if theirs is None else _file_rows(head, theirs)
    checks = tuple(_check(head, place, rows, original, drift) for place in places(head))
    behind = _behind(head)
    return Certificate(
        rows=checks,
        in_step=not behind,
        elsewhere=None if theirs is None else differing_tensors(head, theirs),
        digest=_digest(head),
        names=head.names,
        original=original,
        behind=behind,
        edits=len(book.records),
        ended=ended(head),
        precision=_passed_in_words(head, book) if theirs is None else precision(head, theirs),
    )


def _record_rows(head: Head, book: Ledger) -> dict[Place, Rows]:
    """The original rows of the record in the network's dtype, rounded as the whole network has been since."""
    passed = as_passed(alive(head, book.baseline), through(head, book))
    return {place: cast(rows, here(head, place)[0].dtype) for place, rows in passed.items()}


def _passed_in_words(head: Head, book: Ledger) -> str | None:
    """A sentence on the dtypes of network and record, where they are not one; None where they are."""
    passed, kept = through(head, book), next(iter(alive(head, book.baseline).items()), None)
    if passed is not None:
        return f"precision: the network has passed {passed}; compared with the original rounded to it"
    if kept is not None and kept[1][0].dtype != here(head, kept[0])[0].dtype:
        now = here(head, kept[0])[0].dtype
        return f"precision: the network holds {now}, the record {kept[1][0].dtype}; compared in {now}"
    return None


def _file_rows(head: Head, theirs: Head) -> dict[Place, Rows]:
    there = set(places(theirs))
    return {place: here(theirs, place) for place in places(head) if place in there}


def _check(
    head: Head, place: Place, rows: dict[Place, Rows], original: str | None, drift: dict[Place, Tensor]
) -> RowCheck:
    """Rows that the original has not are changed; nothing is, and nothing is equal, where there is no original."""
    branch, level = place
    entry, classes = head.levels[level], len(head.names)
    changed = equal = ()
    if original is not None:
        kept = rows.get(place, rows.get(first(head, place)))
        changed = tuple(head.names) if kept is None else ids(exact_differing(here(head, place), kept), classes)
        equal = tuple(index for index in head.names if index not in set(changed))
    strange = drift.get(first(head, place))
    return RowCheck(
        branch=branch,
        level=level,
        level_name=entry.name,
        path=entry.paths[branch],
        changed=changed,
        equal=equal,
        drifted=() if strange is None else ids(strange, classes),
    )


def _behind(head: Head) -> tuple[str, ...]:
    """Who runs other rows than these, and at which levels."""
    if _out_of_step(head):
        gc.collect()  # a predictor that was dropped may still lie about
    return _out_of_step(head)


def _out_of_step(head: Head) -> tuple[str, ...]:
    found: dict[str, list[str]] = {}
    for place in distinct(head):
        branch, level = place
        for who, conv in head.running_convs(level, branch):
            if not in_step(here(head, place), standing(conv)):
                found.setdefault(who, []).append(f"{head.levels[level].name} ({branch})")
    return tuple(f"{who} runs other rows at {', '.join(dict.fromkeys(where))}" for who, where in found.items())


def _digest(head: Head) -> str:
    digest = hashlib.sha256()
    for place in sorted(places(head)):
        for part in here(head, place):
            if part is not None:
                digest.update(data(part))
    return digest.hexdigest()
