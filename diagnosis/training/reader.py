"""What a device has computed, fetched in a thread of its own while the training goes on, or at once."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Value = TypeVar("Value")


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
        if self._thread is not None:
            return self._thread.submit(work)
        done: Future[Value] = Future()
        done.set_result(work())
        return done

    def close(self) -> None:
        """Wait for the work under way, and leave out what has not begun."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
