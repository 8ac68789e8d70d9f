"""What the command says besides its results: why something cannot be done, on one line each, and the exit statuses."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import typer

PROGRAM = "detector-workbench"
FAULTY, IMPOSSIBLE, INTERRUPTED = 1, 2, 130
STATUSES = "Exit status: 0 done, 2 not possible as asked, 130 interrupted."
VERDICTS = "Exit status: 0 no errors, 1 errors were found, 2 not possible as asked, 130 interrupted."
EXPECTED = (ImportError, OSError, RuntimeError, TypeError, ValueError)


def epilog(title: str, examples: Sequence[str], *paragraphs: str) -> str:
    """What stands below a help: lines to be typed, each on its own, then paragraphs."""
    lines = "\n".join(f"  {PROGRAM} {example}" for example in examples)
    return "\n\n".join((title, f"\b\n{lines}", *paragraphs))


@contextmanager
def answered(kept: Callable[[], Iterable[str]] = tuple) -> Iterator[None]:
    """Make lines on stderr and an exit status of what cannot be done.

    ``kept`` tells what an interruption leaves behind, where the interruption itself says nothing of it.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        complain("interrupted", *(_notes(error) or kept()))
        raise typer.Exit(INTERRUPTED) from None
    except EXPECTED as error:
        complain(str(error) or type(error).__name__, *_notes(error))
        raise typer.Exit(IMPOSSIBLE) from None


def complain(*sentences: str) -> None:
    """Each sentence on a line of its own on stderr, after the name of the command."""
    for sentence in sentences:
        print(f"{PROGRAM}: {' '.join(sentence.split())}", file=sys.stderr)


def _notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])
