"""Whose turn it is with a network: passes, edits and replays of several threads, one after another."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue

from torch import nn

from .endings import ending_with


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
    Each block that holds it has a token, and a token that is given back twice is given back once: so that is begun
    anew wherever an interruption (KeyboardInterrupt) came in between. The token of a block that waits is a bell.
    """

    def __init__(self):
        self._changing = threading.RLock()  # written in C, as a bell is: what an interruption finds is whole
        self._tokens: set[SimpleQueue] = set()  # it is free while there is none
        self._owner: object = None  # whose tokens they are
        self._waiting: set[SimpleQueue] = set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within the block no other thread is in one of its own."""
        token: SimpleQueue = SimpleQueue()
        with ending_with(lambda: self._give_back(token)):
            while not self._taken(token):
                token.get()
            yield

    def _taken(self, token: SimpleQueue) -> bool:
        """Whether the turn was taken; if not, the token rings when it may be."""
        me = this_thread()
        with self._changing:
            if self._tokens and self._owner is not me:
                self._waiting.add(token)
                return False
            self._tokens.add(token)  # first, as the garbage collector may give back another one at any time
            self._owner = me
            self._waiting.discard(token)
            return True

    def _give_back(self, token: SimpleQueue) -> None:
        with self._changing:
            self._tokens.discard(token)
            self._waiting.discard(token)
            if not self._tokens:
                for bell in list(self._waiting):
                    bell.put(None)


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
    its = turns(net)
    with its.passes.held(), its.rows.held():
        yield
