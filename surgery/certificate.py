"""What differs from the original, row by row, and what provably does not."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from anatomy import describe

from . import ledger
from .checkpoint import load
from .rows import Rows


@dataclass(frozen=True)
class RowCheck:
    """The class rows of one place: ids whose bits differ from the original, and ids whose bits are equal."""

    branch: str
    level: int
    level_name: str
    path: str
    changed: tuple[int, ...]
    equal: tuple[int, ...]


@dataclass(frozen=True)
class Certificate:
    """A bitwise comparison of class rows with the original, for every level of every live branch.

    The original is each row as it stood before the first edit. ``in_step``: what ``predict()`` runs carries the same
    rows. ``elsewhere``: names of all other weights and buffers that differ from the checkpoint given as ``against``,
    or None when none was given. ``digest``: SHA-256 over all class rows as they are now.
    """

    rows: tuple[RowCheck, ...]
    in_step: bool
    elsewhere: tuple[str, ...] | None
    digest: str
    names: Mapping[int, str]

    @property
    def untouched(self) -> bool:
        return not any(check.changed for check in self.rows) and not self.elsewhere

    def __str__(self) -> str:
        lines = [f"class rows, bit for bit (sha256 {self.digest[:16]}…)"]
        for check in self.rows:
            some = ", ".join(self.names[index] for index in check.changed[:4]) + ("…" if len(check.changed) > 4 else "")
            what = f"{len(check.changed)} changed ({some})" if check.changed else "none changed"
            lines.append(f"  {check.branch:9} {check.level_name:3} {check.path:26} {what}, {len(check.equal)} equal")
        other = (
            "not compared (give against=path)" if self.elsewhere is None else f"{len(self.elsewhere)} tensors differ"
        )
        lines.append(f"other weights: {other}; predict() runs these rows: {'yes' if self.in_step else 'NO'}")
        return "\n".join(lines)


def certify(model, against=None) -> Certificate:
    """Compare the model with its original. ``against``: path of a checkpoint, to compare all other weights as well."""
    head = describe(model)
    baseline = ledger.ledger(head).baseline
    checks, digest, in_step = [], hashlib.sha256(), True
    for branch, level in ledger.places(head):
        rows = ledger.clone(head, (branch, level))
        differs = _differing(rows, baseline[branch, level]).view(head.anchors_per_cell, -1).any(0)
        entry = head.levels[level]
        changed = tuple(differs.nonzero().view(-1).tolist())
        equal = tuple((~differs).nonzero().view(-1).tolist())
        checks.append(RowCheck(branch, level, entry.name, entry.paths[branch], changed, equal))
        for part in rows:
            if part is not None:
                digest.update(part.cpu().contiguous().view(torch.uint8).numpy().tobytes())
        for twin in head.twins(level, branch):
            same = (
                torch.equal(ours.to(theirs), theirs)
                for ours, theirs in zip(rows, (twin.weight, twin.bias), strict=True)
                if ours is not None
            )
            in_step = in_step and all(same)
    return Certificate(tuple(checks), in_step, _elsewhere(head, against), digest.hexdigest(), head.names)


def _differing(rows: Rows, original: Rows) -> torch.Tensor:
    """(nc,) bool: rows with any different bit; -0 and 0, or two NaNs, are told apart by their bits."""
    differs = torch.zeros(len(rows[0]), dtype=torch.bool, device=rows[0].device)
    for now, before in zip(rows, original, strict=True):
        if now is not None:
            before = before.to(now)
            width = {2: torch.int16, 4: torch.int32, 8: torch.int64}[now.element_size()]
            differs |= (
                (now.view(width) != before.view(width)).flatten(1 if now.ndim > 1 else 0).view(len(now), -1).any(1)
            )
    return differs


def _elsewhere(head, against) -> tuple[str, ...] | None:
    if against is None:
        return None
    ours, theirs = head.net.state_dict(), load(against).model.state_dict()
    rows = {f"{path}.{part}" for level in head.levels for path in level.paths.values() for part in ("weight", "bias")}
    different = set(ours) ^ set(theirs)
    for name in set(ours) & set(theirs) - rows:
        if not torch.equal(ours[name], theirs[name].to(ours[name])):
            different.add(name)
    return tuple(sorted(different))
