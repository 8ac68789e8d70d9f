"""The records of explained boxes as a table: means, standard errors, and what is paired with the filled box."""

from collections.abc import Sequence
from statistics import mean, median

from benchmarks.attribution_boxes import SIZES

HEAD = ("method", "mean colour", "less box fill", "blur", "less box fill", *SIZES, "absolute")
HEAD += (
    "ODExAI's OA",
    "all weights shuffled",
    "randomization",
    "pointing",
    "energy",
    "predicts a box",
    "seconds a box",
    "boxes",
)
BESIDE = "box fill"


def table(records: dict[str, dict[str, dict]]) -> list[str]:
    """Lines of a table, a row a method, from {method: {box: record}}; see ``attribution.explained`` for a record."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    beside = records.get(BESIDE, {})
    return lines + [_row(method, found, beside) for method, found in records.items() if found]


def _row(method: str, found: dict[str, dict], beside: dict[str, dict]) -> str:
    every = list(found.values())
    cells = [method]
    for baseline in ("mean", "blur"):
        cells.append(_with_error([one[baseline] for one in every]))
        pairs = [one[baseline] - beside[name][baseline] for name, one in found.items() if name in beside]
        cells.append(_with_error(pairs, sign="+") if pairs and method != BESIDE else "")
    cells += [_by_size(every, size) for size in SIZES]
    cells.append(f"{mean(one['mean'] * one['whole'] for one in every):.2f}")
    cells.append(_published([one["odexai"] for one in every if "odexai" in one]))
    cells.append(_shuffled([one for one in every if "shuffled" in one]))
    cells.append(_randomized([one for one in every if "passes" in one]))
    cells += [f"{mean(one[name] for one in every):.0%}" for name in ("pointing", "energy")]
    cells.append(f"{median(one['predicts'] for one in every):.1f}")
    cells.append(f"{median(one['seconds'] for one in every):.2f}")
    return "| " + " | ".join([*cells, str(len(every))]) + " |"


def _with_error(values: Sequence[float], sign: str = "") -> str:
    """Mean ± standard error."""
    middle = mean(values)
    if len(values) < 2:
        return f"{middle:{sign}.2f}"
    spread = sum((value - middle) ** 2 for value in values) / (len(values) - 1)
    return f"{middle:{sign}.3f} ± {(spread / len(values)) ** 0.5:.3f}"


def _by_size(every: Sequence[dict], size: str) -> str:
    """Mean colour / blur of the boxes of a size."""
    these = [one for one in every if one["size"] == size]
    if not these:
        return ""
    return f"{mean(one['mean'] for one in these):.2f} / {mean(one['blur'] for one in these):.2f}"


def _published(values: Sequence[float]) -> str:
    return f"{mean(values):.2f} ({len(values)})" if values else ""


def _shuffled(some: Sequence[dict]) -> str:
    """On mean colour: what the boxes score as they are, and with the map of the network without its weights."""
    if not some:
        return ""
    return f"{mean(one['mean'] for one in some):.2f} → {mean(one['shuffled'] for one in some):.2f} ({len(some)})"


def _randomized(some: Sequence[dict]) -> str:
    if not some:
        return ""
    passed = sum(one["passes"] for one in some)
    first, last, allowed = (mean(one[name] for one in some) for name in ("class_row", "all_weights", "threshold"))
    gone = sum(one.get("gone", False) for one in some)
    blank = f", {gone} of them blank" if gone else ""
    return f"{passed} of {len(some)}{blank}: ρ {first:.2f}, {last:.2f} of {allowed:.2f}"
