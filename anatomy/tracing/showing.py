"""How a trace shows itself: its photograph with a box for each detection, and how many each level made."""

from collections.abc import Iterable
from typing import Any

from ..head.level_colors import level_color
from ..shown import Bar, Part, Picture


def told(trace: Any) -> str:
    """The image, and how many detections came from each level, in a line."""
    counts = ", ".join(f"{count} from {name}" for name, count in _by_level(trace).items())
    return f"{trace.path!r}, {len(trace.detections)} detections: {counts}"


def pieces(trace: Any) -> Iterable[Part]:
    """Thumbnail, bar of its levels, table of its detections."""
    found = trace.detections
    boxes = [(box, level_color(name)) for box, name in zip(found.xyxy.tolist(), found.level_name, strict=True)]
    yield Picture(trace.image, boxes)
    yield Bar([(name, count, level_color(name)) for name, count in _by_level(trace).items()])
    yield from found._parts()


def _by_level(trace: Any) -> dict[str, int]:
    return {level.name: trace.detections.level_name.count(level.name) for level in trace.levels}
