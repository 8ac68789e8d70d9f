"""Whose turn it is with a network: passes, edits and replays of several threads, one after another."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import nn


class _Thread(threading.local):
    """A mark of each thread that no later thread has again, as thread numbers are used anew."""

    def __init__(self):
        self.mark = object()


_thread = _Thread()


def this_thread() -> object:
    """What tells the running thread from all others, now and later."""
    return _thread.mark


class Turn:
    """A lock that its own thread may take again, and that any thread may give back.

    A generator that holds it can be closed by another thread than began it, by the garbage collector for one.
    """

    def __init__(self):
        self._free = threading.Condition()  # its own lock is one that a thread may take again
        self._owner, self._depth = None, 0

    def __enter__(self) -> "Turn":
        me, held = this_thread(), self._depth
        try:
            with self._free:
                while self._owner is not None and self._owner is not me:
                    self._free.wait()
                self._owner, held = me, self._depth
                self._depth += 1
            return self
        except BaseException:  # an interruption after it was taken, which the block would never give back
            if self._owner is me and self._depth > held:
                self.__exit__()
            raise

    def __exit__(self, *error) -> None:
        with self._free:
            self._depth -= 1
            if not self._depth:
                self._owner = None
                self._free.notify()


@dataclass(frozen=True)
class Turns:
    """The turns of one network: ``passes`` to run it or write to it, ``rows`` to read or write its class rows.

    Who takes both takes ``passes`` first. A replay reads class rows alone, so it need not wait for a pass.
    """

    passes: Turn = field(default_factory=Turn)
    rows: Turn = field(default_factory=Turn)


_turns: weakref.WeakKeyDictionary[nn.Module, Turns] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def turns(net: nn.Module) -> Turns:
    """The turns of a network, the same for everyone who asks."""
    found = _turns.get(net)
    if found is None:
        with _making:
            found = _turns.setdefault(net, Turns())
    return found


@contextmanager
def undisturbed(net: nn.Module) -> Iterator[None]:
    """Within the block no other thread runs a pass over this network through the workbench, or writes to it."""
    held = turns(net)
    with held.passes, held.rows:
        yield
