"""Other ways in which a level's memory may be meant than the one declared."""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from .layout import TargetLayout
from .storage import order


@dataclass(frozen=True)
class Storage:
    """How one level's memory is meant: ``dims``, the axes in order; ``part``: the channels that were viewed apart.

    With ``part`` (a run of channels) the rest is as declared, and these were built as (row, column, channel) and
    viewed as (channel, row, column), or the other way round. ``viewed``: the order under which ``dims`` was viewed,
    where the axes were moved afterwards to those declared.
    """

    dims: str
    part: tuple[int, ...] = ()
    words: str = ""
    viewed: str = ""

    def unravel(self, index: np.ndarray, shape: dict[str, int], declared: str) -> dict[str, np.ndarray]:
        """Anchor, channel, row and column ("A", "C", "H", "W") of flat indices into a level of ``shape``."""
        dims = declared if self.part or self.viewed else self.dims
        found = dict(zip(dims, np.unravel_index(index, [shape[letter] for letter in dims]), strict=True))
        if self.viewed:
            flat = np.ravel_multi_index([found[d] for d in self.viewed], [shape[d] for d in self.viewed])
            return dict(zip(self.dims, np.unravel_index(flat, [shape[d] for d in self.dims]), strict=True))
        if self.part:
            inside = np.isin(found["C"], self.part)
            local = {**shape, "C": len(self.part)}
            parts = {letter: found[letter][inside] for letter in declared}
            parts["C"] = parts["C"] - self.part[0]
            flat = np.ravel_multi_index([parts[letter] for letter in declared], [local[d] for d in declared])
            moved = dict(zip(self.dims, np.unravel_index(flat, [local[d] for d in self.dims]), strict=True))
            moved["C"] = moved["C"] + self.part[0]
            for letter in declared:
                found[letter] = found[letter].copy()
                found[letter][inside] = moved[letter]
        return found

    def ravel(self, at: dict[str, np.ndarray], shape: dict[str, int], declared: str) -> np.ndarray:
        """Flat indices of anchors, channels, rows and columns that may be arrays of shapes that go together."""
        if not self.part:
            flat: Any = 0
            for letter in self.dims:
                flat = flat * shape[letter] + at[letter]
            if not self.viewed:
                return flat
            seen = dict(zip(self.viewed, np.unravel_index(flat, [shape[d] for d in self.viewed]), strict=True))
            return np.asarray(np.ravel_multi_index([seen[d] for d in declared], [shape[d] for d in declared]))
        a, c, h, w = np.broadcast_arrays(at["A"], at["C"], at["H"], at["W"])
        parts = {"A": a, "C": c, "H": h, "W": w}
        plain = np.ravel_multi_index([parts[d] for d in declared], [shape[d] for d in declared])
        inside = np.isin(c, self.part)
        local = {**shape, "C": len(self.part)}
        mine = {letter: value[inside] for letter, value in parts.items()}
        mine["C"] = mine["C"] - self.part[0]
        flat = np.ravel_multi_index([mine[d] for d in self.dims], [local[d] for d in self.dims])
        back = dict(zip(declared, np.unravel_index(flat, [local[d] for d in declared]), strict=True))
        back["C"] = back["C"] + self.part[0]
        plain = plain.copy()
        plain[inside] = np.ravel_multi_index([back[d] for d in declared], [shape[d] for d in declared])
        return plain


def storages(layout: TargetLayout, channels: int) -> list[Storage]:
    """The declared storage first, then other orders of the axes, then parts that were viewed apart."""
    declared, names = order(layout), {"A": "anchor", "C": "channel", "H": "row", "W": "column"}
    found = [Storage(declared)]
    several = layout.anchor_count > 1
    for dims in map("".join, permutations("ACHW")):
        alike = (dims if several else dims.replace("A", "")) == (declared if several else declared.replace("A", ""))
        if alike or (not several and dims.index("A") != 0):
            continue
        said = " ".join(names[d] for d in (dims if several else dims.replace("A", "")))
        found.append(Storage(dims, words=f"memory is ordered by {said}, and viewed as {layout.axes}"))
    told: list[list[str]] = []
    for dims, viewed in (("AHWC", "ACHW"), ("HWAC", "ACHW"), ("ACHW", "AHWC"), ("ACHW", "HWAC")):
        plain = [axes if several else axes.replace("A", "") for axes in (dims, viewed, declared)]
        if plain[1] != plain[2] and plain[0] != plain[1] and (several or plain not in told):
            told.append(plain)
            said = [" ".join(names[d] for d in axes) for axes in plain[:2]]
            words = f"memory is ordered by {said[0]}, and viewed as {said[1]} before its axes are moved"
            found.append(Storage(dims, words=words, viewed=viewed))
    inner = "AHWC" if declared.index("C") < declared.index("H") else "ACHW"
    classes, box = tuple(layout.class_channels), tuple(layout.box)
    runs = [("the class channels", classes), ("the box channels", box), ("the first two box channels", box[:2])]
    if layout.objectness is not None:
        runs.append(("class and objectness channels", tuple(sorted((layout.objectness, *classes)))))
    for name, run in runs:
        if len(run) > 1 and run == tuple(range(run[0], run[0] + len(run))):
            how = "(row, column, channel) and viewed as (channel, row, column)"
            how = how if inner == "AHWC" else "(channel, row, column) and viewed as (row, column, channel)"
            found.append(Storage(inner, run, f"{name} are built as {how}"))
    return found
