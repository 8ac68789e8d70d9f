"""What the shift of classes did to each anchor, as a table."""

from collections.abc import Mapping

import anatomy

NEW = """\
  {} new: suppression acts within a class, so a box that had lost to a box of another level stays
  once the two are called differently. It has no class before, so only the index knows its level."""


def table(name: str, before: anatomy.Trace, after: anatomy.Trace, moves: Mapping[int, int]) -> str:
    """One row an anchor: its level by index and by class shift, and its class and confidence before and after.

    Rows are numbered from 0, as in the figure of ``viz.compare``.
    """
    joined = anatomy.compare(before, after)
    old, new = before.detections, after.detections
    level_of = {move % len(before.names): before.levels[level].name for level, move in moves.items()}
    rows = []
    for entry in zip(joined.before, joined.after, joined.class_shift, joined.freed_from, joined.status, strict=True):
        i, j, shift, winner, status = entry
        found, at = (old, i) if i >= 0 else (new, j)
        by_shift = level_of.get(int(shift), "?") if min(i, j) >= 0 else "-"
        cell = f"{found.row[at]}, {found.col[at]}"
        note = told_of(status, shift, winner, old)
        rows.append((str(len(rows)), found.level_name[at], by_shift, cell, *label(old, i), *label(new, j), note))
    told = [row[1] == row[2] for row in rows if row[2] != "-"]
    grid = " × ".join(str(side) for side in before.input_shape)
    head = ("#", "by index", "by shift", "cell", "before", "", "after", "", "what the shift did")
    lines = [f"{name}: {len(old)} detections before, {len(new)} after; network input {grid} px", ""]
    lines += align(head, rows, right=(0, 3, 5, 7))
    lines += ["", f"  Level by index and by class shift agree for {sum(told)} of {len(told)} detections."]
    if "new" in joined.status:
        lines.append(NEW.format(joined.status.count("new")))
    return "\n".join(lines)


def told_of(status: str, shift: int, winner: int, old: anatomy.Detections) -> str:
    """What the edit did to one anchor, in words."""
    if status == "new" and winner >= 0:
        return f"new: had lost to #{winner} ({old.level_name[winner]} {old.class_name[winner]})"
    if status == "new":
        return "new"
    if status == "gone":
        return "gone: lost to a box of its new class"
    return f"class + {shift}" if shift else "class stays"


def label(found: anatomy.Detections, index: int) -> tuple[str, str]:
    return (found.class_name[index], f"{found.confidence[index]:.3f}") if index >= 0 else ("-", "")


def align(head: tuple[str, ...], rows: list[tuple[str, ...]], right: tuple[int, ...]) -> list[str]:
    """Lines of columns under their heads; the columns in ``right`` end flush."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, tuple("─" * width for width in widths), *rows]
    return [
        ("  " + "  ".join(f"{cell:{'>' if i in right else '<'}{widths[i]}}" for i, cell in enumerate(line))).rstrip()
        for line in lines
    ]
