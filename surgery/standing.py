"""Whether the rows as they stand are those that the record left, and what to say where they are not."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from anatomy import Head

from .bits import differing, ids, rounded, rounding
from .places import Place, distinct, here
from .record import Ledger
from .rows import Rows


class RecordError(RuntimeError):
    """The rows are not those that the record left, so that going back would write over rows of another origin."""


class RecordWarning(UserWarning):
    """A record of edits that does not tell how the rows became what they are."""


@dataclass(frozen=True)
class Broken:
    """The rows (bool) of one place that an edit left, and that were others before the next one, or are others now."""

    place: Place
    rows: Tensor


def expected(head: Head, book: Ledger) -> dict[Place, Rows]:
    """By distinct place, what the record left: of its newest edit there, or the original."""
    kept = {place: book.newest(place) for place in distinct(head)}
    return {place: rows for place, rows in kept.items() if rows is not None}


def drifted(head: Head, book: Ledger) -> dict[Place, Tensor]:
    """By place, the rows (bool) as they stand that are not those of the record; places without any are left out."""
    found = {}
    for place, kept in expected(head, book).items():
        rows = _unlike(here(head, place), kept)
        if rows.any():
            found[place] = rows
    return found


def broken(head: Head, book: Ledger, count: int) -> list[Broken]:
    """Going back over the last ``count`` edits: where rows are not those that an edit left, newest first."""
    found, standing, live = [], {}, set(head.branches)
    for record in book.records[len(book.records) - count :][::-1]:
        for place, left in record.after.items():
            if place[0] not in live:
                continue
            now = standing.get(place) or here(head, place)
            if now is not left:
                rows = _unlike(now, left)
                if rows.any():
                    found.append(Broken(place, rows))
            standing[place] = record.before[place]
    return found


def through(head: Head, book: Ledger) -> torch.dtype | None:
    """The coarser dtype that the whole network has passed since the record was made, such as float16 in a file."""
    for place, kept in expected(head, book).items():
        now = here(head, place)
        if differing(now, kept).any():
            found = rounding(now, kept)
            if found is not None:
                return found
    return None


def as_passed(rows: dict[Place, Rows], dtype: torch.dtype | None) -> dict[Place, Rows]:
    """Rows of the record as they would be, had they passed what the network has passed."""
    return {place: rounded(kept, dtype) for place, kept in rows.items()}


def in_words(head: Head, found: list[Broken]) -> str:
    """Level, branch and number of the rows, for a message."""
    parts = []
    for entry in found:
        branch, level = entry.place
        wrong = ids(entry.rows, len(head.names))
        parts.append(f"{head.levels[level].name} ({branch}): {len(wrong)} of {len(head.names)} rows")
    return ", ".join(dict.fromkeys(parts))


def fingerprint(head: Head) -> str:
    """Of all class rows as they stand, to tell one state from another."""
    digest = hashlib.sha256()
    for place in distinct(head):
        for part in here(head, place):
            if part is not None:
                digest.update(data(part))
    return digest.hexdigest()


def data(values: Tensor) -> bytes:
    """The bytes of a tensor in row-major order, whatever its memory format and device."""
    return values.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def _unlike(now: Rows, kept: Rows) -> Tensor:
    """As ``differing``, but for rows that are the kept ones after a way through a coarser dtype."""
    rows = differing(now, kept)
    return torch.zeros_like(rows) if rows.any() and rounding(now, kept) is not None else rows
