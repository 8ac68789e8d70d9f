"""Puts a benchmark's table where a document keeps it, between two marks."""

from collections.abc import Sequence
from pathlib import Path


def write_table(path: Path, name: str, lines: Sequence[str]) -> None:
    """Replace what stands between ``<!-- name:start -->`` and ``<!-- name:end -->``; ValueError where one is not."""
    start, end = (f"<!-- {name}:{part} -->" for part in ("start", "end"))
    text = path.read_text()
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise ValueError(f"{path} must hold {start} and, after it, {end}, once each.")
    before, rest = text.split(start)
    after = rest.split(end)[1]
    path.write_text("\n".join([before + start, *lines, end + after]))
