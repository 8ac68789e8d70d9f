"""What must be done at the end of a block, however the block ends and however often that is interrupted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


def to_the_end(action: Callable[[], object]) -> None:
    """Do it, as often as it is interrupted; the interruption goes on afterwards."""
    interruption = None
    while True:
        try:
            action()
            break
        except KeyboardInterrupt as caught:
            interruption = caught
    if interruption is not None:
        raise interruption


@contextmanager
def ending_with(action: Callable[[], object], *, always: bool = True) -> Iterator[None]:
    """Do ``action`` when the block ends, or, unless ``always``, only where it does not come to its end.

    It may begin more than once, where an interruption comes in between.
    """
    due = True

    def end() -> None:
        nonlocal due
        action()
        due = False

    try:
        try:
            yield
            due = always
        finally:
            if due:
                to_the_end(end)
    finally:
        if due:  # an interruption came just before it began
            to_the_end(end)
