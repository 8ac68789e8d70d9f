"""What loggers get of a watched batch."""

from collections.abc import Iterator

from .history import Seen

LEFT_OUT = ("level", "weight")


def scalars(seen: Seen) -> dict[str, float]:
    """Numbers by names that group by level: "watch/P3/positives", and "watch/P3_one2one/positives" of two branches."""
    return {f"watch/{name}": float(value) for name, value in _named(seen)}


def _named(seen: Seen) -> Iterator[tuple[str, float]]:
    several = len(seen.branches) > 1
    for name in ("grad", "grad_backbone", "grad_neck", "grad_head"):
        if seen.row.get(name) is not None:
            yield name, seen.row[name]
    for level in seen.levels:
        where = level["level_name"] + (f"_{level['branch']}" if several else "")
        for name, value in level.items():
            if isinstance(value, float | int) and name not in LEFT_OUT:
                yield f"{where}/{name}", value
    for branch in seen.branches:
        for size in branch.sizes:
            yield f"without/{size['size']}" + (f"_{branch.branch}" if several else ""), size["without"]
