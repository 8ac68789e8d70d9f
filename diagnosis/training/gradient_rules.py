"""Rules about what nothing is learned from: loss items that are 0, and stacks that no gradient reaches."""

from collections.abc import Iterator, Mapping
from itertools import product, takewhile

from ..findings import Finding
from .history import History, Seen
from .record import About
from .spans import since, span
from .tables import LEVELS

IDLE_ROWS = 5  # watched batches that must agree
OF_BOXES = ("box", "dfl", "l1")  # items that pull at box stacks


def silent_items(about: About, history: History) -> Iterator[Finding]:
    """A loss item that is exactly 0 though there are positives: at once where its gain is 0, else after several."""
    rows = [seen for seen in history.seen if any(_has_targets(level) for level in seen.levels)]
    items = dict.fromkeys(name for seen in rows for level in seen.levels for name in level if name not in LEVELS)
    for item in items:
        run = list(takewhile(lambda seen: _is_zero(seen, item), reversed(rows)))  # noqa: B023  # used at once
        gain = about.gains.get(item)
        if not run or gain not in (0, None) or (gain is None and len(run) < IDLE_ROWS) or not _pulled(run, item):
            continue
        first = run[-1]
        why = f"its gain is 0 ({item}={gain:g})" if gain is not None else "look at the weight that it is given"
        mend = f"Give {item} a gain above 0 to train it" if gain is not None else "Give it one above 0"
        yield Finding(
            code="no_gradient",
            severity="error",
            level=None,
            message=(
                f"The loss item {item!r} was exactly 0 {span([first, run[0]])}, though there were positives: {why}. "
                f"{_untaught(about, item)} {mend}; weights that shall not learn want requires_grad=False."
            ),
            evidence=since(first) | {"item": item, "gain": gain, "batches": len(run), "until": run[0].step},
        )


def idle_stacks(about: About, history: History) -> Iterator[Finding]:
    """A box or class stack that has trainable weights, and no gradient though its level has positives."""
    for branch in about.branches:
        for level, kind in product(about.levels, ("box", "class")):
            run = [] if _is_silenced(about, kind) else _idle(history, branch, level.index, f"grad_{kind}")
            if len(run) < IDLE_ROWS:
                continue
            first = run[-1]
            yield Finding(
                code="no_gradient",
                severity="error",
                level=level.index,
                message=(
                    f"The {kind} stack of {level.name} ({branch}) had no gradient {span([first, run[0]])}, though "
                    "the level had positives. Look for a detach(), a no_grad() or a loss that leaves this level "
                    "out; weights that shall not learn want requires_grad=False."
                ),
                evidence=since(first) | {"branch": branch, "stack": kind, "batches": len(run), "until": run[0].step},
            )


def _idle(history: History, branch: str, level: int, column: str) -> list[Seen]:
    """The last batches, newest first, in which a stack had no gradient; those without a step, and those in which the
    level had no positive of any mass, are passed over."""
    pairs = history.of_level(branch, level)
    rows = (pair for pair in pairs if pair[1].get(column) is not None and (_has_targets(pair[1]) or pair[1][column]))
    return [seen for seen, _ in takewhile(lambda pair: pair[1][column] == 0, rows)]


def _is_silenced(about: About, kind: str) -> bool:
    """Whether all gains of a kind of stack are 0, which ``silent_items`` tells."""
    gains = [about.gains.get(item) for item in (("cls",) if kind == "class" else OF_BOXES)]
    known = [gain for gain in gains if gain is not None]
    return bool(known) and not any(known)


def _has_targets(level: Mapping) -> bool:
    """Whether a level has positives, and any target mass, by which box losses are weighted."""
    return level["positives"] > 0 and level["target_mass"] > 0


def _is_zero(seen: Seen, item: str) -> bool:
    """Whether an item is exactly 0 in all that the loss holds of it."""
    parts = [level[item] for level in seen.levels if item in level] + [
        one.unplaced.get(item, 0) for one in seen.branches
    ]
    return not any(parts)


def _pulled(run: list[Seen], item: str) -> bool:
    """Whether there are trainable weights that this item would pull at; of other items it is not asked."""
    kind = "class" if item == "cls" else "box" if item in OF_BOXES else None
    grads = [level.get(f"grad_{kind}") for seen in run for level in seen.levels]
    return kind is None or any(grad is not None for grad in grads)


def _untaught(about: About, item: str) -> str:
    """What does not learn from an item of no weight."""
    if item == "cls":
        return "Class rows get no gradient and learn nothing."
    if item in OF_BOXES and _is_silenced(about, "box"):
        return "Boxes get no gradient and learn nothing."
    return "Nothing is learned from it."
