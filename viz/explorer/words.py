"""What an explorer panel says, as rows and HTML; the words of an edit stand in surgery's table of operations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

import anatomy
from anatomy import Trace
from surgery import Edit
from surgery.edit import tell

from ..canvas.palette import ink, level_color
from .facts import SIDES, Facts

MOST_RIVALS = 6
WORDS = (1, 3, 4, 6)  # columns of the table that hold no number


@dataclass(frozen=True)
class Row:
    """One line of the table: a cell that makes a detection now (``detection``, its index) or made one before (None)."""

    anchor: int
    detection: int | None
    class_name: str
    confidence: float
    level_name: str
    row: int
    col: int
    rivals: int
    change: str


def rows_of(before: Trace, trace: Trace) -> list[Row]:
    """The rows of the table, in the order of ``before``, those that are new last."""
    joined = anatomy.compare(before, trace, by="anchor")
    rows = []
    for i, j, status in zip(joined.before.tolist(), joined.after.tolist(), joined.status, strict=True):
        found, at = (trace.detections, j) if j >= 0 else (before.detections, i)
        change = "" if status == "same" else str(status)
        if status == "class":
            change = f"was {before.detections.class_name[i]}"
        elif status == "confidence":
            change = f"was {before.detections.confidence[i]:.2f}"
        rows.append(
            Row(
                anchor=int(found.anchor[at]),
                detection=j if j >= 0 else None,
                class_name=found.class_name[at],
                confidence=float(found.confidence[at]),
                level_name=found.level_name[at],
                row=int(found.row[at]),
                col=int(found.col[at]),
                rivals=len(found.suppressed[at]),
                change=change,
            )
        )
    return rows


def table_lines(rows: Sequence[Row]) -> tuple[str, list[str]]:
    """A header and one line a row, in columns of equal width for a monospaced font (with no-break spaces)."""
    columns = [("", "class", "conf", "level", "cell", "rivals", "since the start")]
    for number, row in enumerate(rows):
        rivals = str(row.rivals) if row.detection is not None else ""
        place = f"({row.row}, {row.col})"
        shown = (str(number), row.class_name, f"{row.confidence:.2f}", row.level_name, place, rivals, row.change)
        columns.append(shown)
    widths = [max(map(len, column)) for column in zip(*columns, strict=True)]
    header, *lines = [_padded(line, widths) for line in columns]
    return header, lines


def _padded(texts: Sequence[str], widths: Sequence[int]) -> str:
    """One line of the table: words to the left of their columns, numbers to the right."""
    parts = []
    for column, (text, width) in enumerate(zip(texts, widths, strict=True)):
        parts.append(text.ljust(width) if column in WORDS else text.rjust(width))
    return "  ".join(parts).rstrip().replace(" ", "\u00a0")


def table_style(rows: Sequence[Row]) -> str:
    """CSS: each line of the table has the colour of its level at its edge, and what is gone is struck out."""
    groups: dict[str, list[int]] = {}
    for number, row in enumerate(rows, 1):
        groups.setdefault(row.level_name, []).append(number)
    rules = [
        f"{_options(numbers)} {{border-left-color: {level_color(name)}}}" for name, numbers in sorted(groups.items())
    ]
    gone = [number for number, row in enumerate(rows, 1) if row.detection is None]
    new = [number for number, row in enumerate(rows, 1) if row.detection is not None and row.change]
    if gone:
        rules.append(f"{_options(gone)} {{opacity: .55; text-decoration: line-through}}")
    if new:
        rules.append(f"{_options(new)} {{font-weight: bold}}")
    return "\n".join(rules)


def _options(numbers: Sequence[int]) -> str:
    return ", ".join(f".workbench-table option:nth-child({number})" for number in numbers)


def legend_html(before: Trace, trace: Trace) -> str:
    """The colours of the levels, with the number of detections of each, at the start and now."""
    chips = []
    for level in trace.levels:
        counts = [int((entry.detections.level == level.index).sum()) for entry in (before, trace)]
        number = f"{counts[0]} → {counts[1]}" if counts[0] != counts[1] else str(counts[1])
        chips.append(f"{_chip(level.name)} {number}")
    return f"<div class='workbench-line'>{' &ensp; '.join(chips)}</div>"


def _chip(name: str) -> str:
    color = level_color(name)
    return f"<span class='workbench-chip' style='background:{color};color:{ink(color)}'>{escape(name)}</span>"


def facts_html(facts: Facts | None, trace: Trace) -> str:
    """The selected cell: where, what, its scores on every level, its distances, its rivals."""
    if facts is None:
        return "<div class='workbench-facts'><i>Nothing is selected. Click a box, or a cell.</i></div>"
    head = (
        f"<div class='workbench-head'>{_chip(facts.level_name)} <b>{escape(facts.class_name)} "
        f"{facts.confidence:.2f}</b> &ensp; cell ({facts.row}, {facts.col}) &ensp; anchor {facts.anchor}</div>"
        f"<div>{escape(facts.verdict)}</div>"
    )
    parts = [_scores(facts, trace), _distances(facts, trace), _rivals(facts, trace)]
    return f"<div class='workbench-facts'>{head}{''.join(parts)}</div>"


def _scores(facts: Facts, trace: Trace) -> str:
    """A table of class scores: classes down, the same spot on every level across, a bar behind each number."""
    head = "".join(
        f"<th>{_chip(level.name)} <small>({row}, {col})</small></th>"
        for level, (row, col) in zip(trace.levels, facts.places, strict=True)
    )
    lines = []
    for name, scores in zip(facts.class_names, facts.scores, strict=True):
        cells = [
            f"<td class='workbench-bar' style='background-size:{100 * np.nan_to_num(score):.0f}% 100%"
            f"{';font-weight:bold' if level == facts.level else ''}'>{score:.3f}</td>"
            for level, score in enumerate(scores.tolist())
        ]
        lines.append(f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>")
    return f"<table><tr><th>score at this spot</th>{head}</tr>{''.join(lines)}</table>"


def _distances(facts: Facts, trace: Trace) -> str:
    lines = {
        "px": [f"{px:.1f}" for px in facts.sides],
        "strides": [f"{px / facts.stride:.2f}" for px in facts.sides],
        "entropy (bit)": [] if facts.entropy is None else [f"{bit:.2f}" for bit in facts.entropy],
    }
    head = "".join(f"<th>{side}</th>" for side in ("from cell to side", *SIDES))
    body = "".join(_line(name, texts) for name, texts in lines.items() if texts)
    note = facts.no_entropy or f"No side can lie beyond {(trace.reg_max - 1) * facts.stride:g} px."
    return f"<table><tr>{head}</tr>{body}</table><div><small>{escape(note)}</small></div>"


def _line(name: str, texts: Sequence[str]) -> str:
    cells = "".join(f"<td>{text}</td>" for text in texts)
    return f"<tr><td>{name}</td>{cells}</tr>"


def _rivals(facts: Facts, trace: Trace) -> str:
    rivals = facts.rivals
    if rivals is None or not len(rivals):
        return "<div><small>It suppressed no other cell.</small></div>" if facts.detection is not None else ""
    lines = [
        f"<tr><td>{_chip(trace.levels[rivals.level[i]].name)} ({rivals.row[i]}, {rivals.col[i]})</td>"
        f"<td>{escape(trace.names[int(rivals.class_id[i])])}</td><td>{rivals.confidence[i]:.2f}</td>"
        f"<td>{rivals.iou[i]:.2f}</td></tr>"
        for i in range(min(len(rivals), MOST_RIVALS))
    ]
    more = f"<div><small>… and {len(rivals) - MOST_RIVALS} more</small></div>" if len(rivals) > MOST_RIVALS else ""
    head = f"<tr><th>suppressed rivals: {len(rivals)}</th><th>class</th><th>conf</th><th>IoU</th></tr>"
    return f"<table>{head}{''.join(lines)}</table>{more}"


def history_html(edits: Sequence[Edit], names: Sequence[Mapping[int, str]], live: Edit | None, trace: Trace) -> str:
    """The edits, newest last, with the ``names`` that classes had then; the one that the slider holds is marked."""
    if not edits:
        return "<div class='workbench-history'><i>No edit.</i></div>"
    lines = []
    for edit, then in zip(edits, names, strict=True):
        mark = " <em>(live)</em>" if edit is live else ""
        lines.append(f"<li>{escape(tell(edit, trace.levels, then))}{mark}</li>")
    return f"<div class='workbench-history'><ol>{''.join(lines)}</ol></div>"


def message_html(message: str, failed: bool) -> str:
    """The last message; an error is red."""
    kind = "workbench-error" if failed else "workbench-note"
    return f"<div class='{kind}'>{'⚠ ' if failed else ''}{escape(message)}</div>" if message else ""
