"""What a device has computed, fetched in a thread of its own while the training goes on, or at once."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Value = TypeVar("Value")
Later = Callable[[Callable[[], Any]], "Future[Any]"]  # who does a piece of work, and what will come of it


def at_once(work: Callable[[], Value]) -> "Future[Value]":
    """The work done, here and now; what it raises is raised here."""
    done: Future[Value] = Future()
    done.set_result(work())
    return done


class Reader:
    """Does one piece of work after the other: at once, or, ``apart``, in a thread that waits for the device alone.

    The training's own backward pass leaves the interpreter to that thread.
    """

    def __init__(self, *, apart: bool):
        self.apart = apart
        self._thread = ThreadPoolExecutor(1, "watch") if apart else None
        self.later(int).result()  # a thread that cannot be started is told of now

    def later(self, work: Callable[[], Value]) -> "Future[Value]":
        """The result to come of ``work``, with what it raises."""
        return at_once(work) if self._thread is None else self._thread.submit(work)

    def close(self) -> None:
        """Wait for the work under way, and leave out what has not begun."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
