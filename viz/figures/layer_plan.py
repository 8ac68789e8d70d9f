"""Where each block of a network stands in the diagram of its pyramid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anatomy import Layer

from ..canvas.style import DOUBLE

NARROW, TALL, GAP, ROW_GAP, COLUMN_GAP = 0.7, 0.44, 0.12, 0.24, 0.28  # inches: a block and the room between blocks
LEFT, EDGE, HEADING = 0.8, 0.08, 0.3  # inches


@dataclass(frozen=True)
class Plan:
    """Where each block stands, in inches: ``place`` lower left corners by path and turn, ``columns`` name and ends."""

    width: float
    height: float
    wide: float
    levels: tuple[str, ...]
    place: Mapping[tuple[str, int], tuple[float, float]]
    columns: tuple[tuple[str, float, float], ...]

    @classmethod
    def of(cls, blocks: tuple[Layer, ...], width: float | None) -> "Plan":
        """A row a level, finest on top; parts side by side, in each the blocks of a level from left to right."""
        levels = tuple(sorted({level_of(block) for block in blocks}, key=lambda name: float(name[1:])))
        cells: dict[tuple[str, str], list[Layer]] = {}
        for block in blocks:
            cells.setdefault((part(block), level_of(block)), []).append(block)
        parts = list(dict.fromkeys(name for name, _ in cells))
        counts = {name: _fullest(cells, name) for name in parts}
        gaps = LEFT + EDGE + COLUMN_GAP * (len(parts) - 1) + GAP * (sum(counts.values()) - len(parts))
        width = width or max(DOUBLE, gaps + NARROW * sum(counts.values()))
        wide = (width - gaps) / sum(counts.values())
        height = HEADING + len(levels) * (TALL + ROW_GAP)
        starts: dict[str, float] = {}
        columns, left = [], LEFT
        for name in parts:
            right = left + counts[name] * (wide + GAP) - GAP
            columns.append((name, left, right))
            starts[name] = left
            left = right + COLUMN_GAP
        place: dict[tuple[str, int], tuple[float, float]] = {}
        for (name, level), row in cells.items():
            y = height - HEADING - levels.index(level) * (TALL + ROW_GAP) - TALL
            for i, block in enumerate(row):
                place[block.path, block.turn] = (starts[name] + i * (wide + GAP), y)
        return cls(width, height, wide, levels, place, tuple(columns))


def level_of(block: Layer) -> str:
    """The level of a block; raises ValueError for a layer that lies on none."""
    if block.level is None:
        raise ValueError(f"{block.path} lies on no level of the pyramid, so it has no place in its diagram.")
    return block.level


def part(layer: Layer) -> str:
    """The column of a layer: the heads of all levels are one."""
    return "head" if layer.group.startswith("head") else layer.group


def _fullest(cells: Mapping[tuple[str, str], Sequence[Layer]], part: str) -> int:
    """The most blocks that one level has in a part."""
    return max(len(row) for (name, _), row in cells.items() if name == part)
