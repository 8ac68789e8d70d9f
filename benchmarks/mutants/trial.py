"""One mutant on trial: planted in the working copy, put to its tests, taken out again."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from .change import Change
from .nursery import Nursery, pytest_run
from .watch import Witness

# a test may take so many times as long as the slowest of its file, whose fixtures it may have to make, and so many
# seconds more, before it is late
SLOWER, SPARE = 8.0, 20.0


@dataclass(frozen=True)
class Verdict:
    """``outcome``: "noticed", "late" (a test took too long, which is noticed as well), "unnoticed", "unreached" (no
    test runs the line) or "broke" (the trial failed, not the mutant). ``by`` the test; ``asked`` how many were to run,
    ``left`` how many more there would have been.
    """

    key: str
    path: str
    line: int
    where: str
    kind: str
    old: str
    new: str
    outcome: str
    by: str
    seconds: float
    asked: int
    left: int
    state: str = field(default="")

    @property
    def package(self) -> str:
        return self.path.partition("/")[0]

    @property
    def seen(self) -> bool:
        return self.outcome in ("noticed", "late")

    def line_of_json(self) -> dict:
        return asdict(self)


def try_out(
    nursery: Nursery, change: Change, source: str, tests: Sequence[str], seconds: dict, budget: float
) -> Verdict:
    """Plant a change, run its tests until one fails, and put the source back. ``budget``: seconds of tests at most."""
    start, asked = time.monotonic(), _within(tests, seconds, budget)
    word, by = ("unreached", "") if not asked else _run(nursery, change, source, asked, seconds)
    outcome = {"failed": "noticed", "passed": "unnoticed"}.get(word, word)
    old, new = change.diff(source)
    return Verdict(
        key=change.key(source),
        path=change.path,
        line=change.line,
        where=change.where,
        kind=change.kind,
        old=old,
        new=new,
        outcome=outcome,
        by=by,
        seconds=round(time.monotonic() - start, 2),
        asked=len(asked),
        left=len(tests) - len(asked),
    )


def _run(nursery: Nursery, change: Change, source: str, tests: Sequence[str], seconds: dict) -> tuple[str, str]:
    files = list(dict.fromkeys(nodeid.partition("::")[0] for nodeid in tests))
    slowest: dict[str, float] = {}
    for nodeid, taken in seconds.items():
        name = nodeid.partition("::")[0]
        slowest[name] = max(taken, slowest.get(name, 1.0))
    planted = nursery.tree / change.path
    if planted.read_text() != source:
        raise RuntimeError(
            f"{change.path} was changed while the run went on. Leave the sources alone, and start again."
        )
    planted.write_text(change.applied(source))
    try:
        return nursery.run(
            lambda to: pytest_run(files, Witness(tests, to)),
            lambda nodeid: SPARE + SLOWER * slowest.get(nodeid.partition("::")[0], 1.0),
        )
    finally:
        planted.write_text(source)


def _within(tests: Sequence[str], seconds: dict, budget: float) -> list[str]:
    """As many as fit, the quickest first, in the order in which they came; always one."""
    quick, spent = set(), 0.0
    for nodeid in sorted(tests, key=lambda nodeid: seconds[nodeid]):
        spent += seconds[nodeid]
        if quick and spent > budget:
            break
        quick.add(nodeid)
    return [nodeid for nodeid in tests if nodeid in quick]
