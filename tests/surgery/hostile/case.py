"""What one hostile file is, and what must come of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

OPENS = ""  # the answer of a file that opens, without the thing that it tries


@dataclass(frozen=True)
class Case:
    """``build(folder)`` writes the file and gives its path; ``answer`` is a pattern of the refusal, or ``OPENS``.

    ``tries`` says in a few words what the file is after. ``error``: the type of the refusal. ``shell``: given to the
    command for reports as well.
    """

    name: str
    kind: str
    tries: str
    answer: str
    build: Callable[[Path], Path]
    error: str = "CheckpointError"
    shell: bool = False


def collect(kind: str, cases: list[Case]) -> Callable:
    """A decorator that adds a builder of files to ``cases``: ``@case("what it tries", "the answer")``."""

    def case(tries: str, answer: str, **more) -> Callable:
        def add(build: Callable[[Path], Path]) -> Callable[[Path], Path]:
            name = build.__name__.strip("_")
            cases.append(Case(name=name, kind=kind, tries=tries, answer=answer, build=build, **more))
            return build

        return add

    return case


def mark(folder: Path) -> Path:
    """The file that appears when something of a hostile file ran."""
    return folder / "ran"


def command(folder: Path) -> str:
    """A Python expression that leaves the mark."""
    return f"__import__('os').system('touch {mark(folder)}')"
