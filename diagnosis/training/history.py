"""What the rules look back on: the last watched batches, and totals since the training began."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .measures import BranchMeasures

KEPT = 200  # watched batches


@dataclass(frozen=True)
class Seen:
    """One watched batch: its row, the rows of its levels, and what its branches were."""

    row: dict[str, Any]
    levels: Sequence[dict[str, Any]]
    branches: Sequence[BranchMeasures] = ()

    @property
    def step(self) -> int:
        """Batches before this one."""
        return self.row["step"]

    @property
    def gradient(self) -> float | None:
        """The norm of the whole gradient, for each of the batches that are in it; None where none was measured."""
        norm = self.row.get("grad")
        return None if norm is None else norm / max(self.row.get("accumulated") or 1, 1)


@dataclass
class History:
    """The last ``KEPT`` watched batches, newest last. ``objects`` and ``positives`` of each branch and class, and
    ``batches`` in which objects of it were, over all watched ones; ``counts`` of rows' columns over all of them."""

    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=KEPT))
    objects: Counter[tuple[str, int]] = field(default_factory=Counter)
    positives: Counter[tuple[str, int]] = field(default_factory=Counter)
    batches: Counter[tuple[str, int]] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)  # the first step at which a count was not zero

    def add(self, seen: Seen) -> None:
        """Remember one more."""
        self.seen.append(seen)
        for name in ("objects", "too_small", "too_large"):
            count = seen.row.get(name) or 0
            self.counts[name] += count
            if count:
                self.first.setdefault(name, seen.step)
        for branch in seen.branches:
            there = set()
            for label, positives in zip(branch.labels.tolist(), branch.positives.tolist(), strict=True):
                key = (branch.branch, label)
                self.objects[key] += 1
                self.positives[key] += positives
                there.add(key)
            self.batches.update(there)

    def of_level(self, branch: str, level: int) -> Iterator[tuple[Seen, Mapping[str, Any]]]:
        """The rows of a level, newest first, each with its batch."""
        for seen in reversed(self.seen):
            for row in seen.levels:
                if row["branch"] == branch and row["level"] == level:
                    yield seen, row
