"""The lock of an Ultralytics predictor, joined to the turn of the network that it runs."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from operator import call
from types import GeneratorType

from ...head.endings import ending_with
from ...head.turns import Turn, this_thread
from .declared import Predictor

PATIENCE = 1.0  # s: how often it is looked whether a stream that was begun earlier still moves

_joining = threading.Lock()


class _Entering(threading.local):
    """The block that a ``with`` statement of the running thread is about to enter."""

    def __init__(self):
        self.block: Callable[[], AbstractContextManager | None] = lambda: None


class PredictorLock:
    """Stands where the lock of a predictor stood: who holds it also has the network's turn.

    ``predict()`` enters it as it entered the former lock, which is held along with it, so that threads that hold that
    one, or wait for it, are waited for as well. Any thread may leave it.
    """

    def __init__(self, predictor: Predictor, turn: Turn):
        self._turn, self._former = turn, predictor._lock
        self._changing = threading.RLock()
        self._tokens: set[object] = set()  # one of each block that holds it
        self._along: list[bool] = []  # [True] while the former lock is held
        self._predicting: object = None  # the thread that does
        self._entering = _Entering()

    @property
    def __exit__(self) -> Callable[..., bool | None]:  # noqa: PLE0302
        """Python asks for it before it enters, and the ``with`` statement alone keeps it, and so the block.

        An interruption that keeps it from being called lets go of the block, which ends it.
        """
        block = self.predicting()
        self._entering.block = weakref.ref(block)
        return block.__exit__

    def __enter__(self) -> None:
        block = self._entering.block()
        if block is None:
            raise TypeError("The lock of a predictor is taken by a with statement alone.")
        block.__enter__()

    @contextmanager
    def predicting(self) -> Iterator[None]:
        """The block of one ``predict()``. Raises RuntimeError where the running thread itself has one open."""
        if self._predicting is this_thread():
            raise _still_open()
        with self.held(), ending_with(self._predicted):
            self._predicting = this_thread()
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within the block no ``predict()`` of another thread runs; a stream that this thread left open may rest."""
        token = object()
        with self._turn.held(), ending_with(lambda: self._give_back(token)):
            with self._changing:
                self._tokens.add(token)
            self._await_former()
            yield

    def _predicted(self) -> None:
        self._predicting = None

    def _give_back(self, token: object) -> None:
        with self._changing:
            self._tokens.discard(token)
            if self._along and not self._tokens:
                list(map(call, (self._along.clear, self._former.release)))  # in C: both, or none

    def _await_former(self) -> None:
        """Hold the former lock. Raises RuntimeError where a stream that was begun before the lock was joined rests."""
        seen = None
        while not self._along:
            self._along.extend(filter(None, map(self._former.acquire, [True], [PATIENCE])))  # in C: taken and noted
            resting = None if self._along else _resting_stream(self)
            if resting is not None and resting == seen:
                raise _still_open()
            seen = resting


def joined_lock(predictor: Predictor, turn: Turn) -> PredictorLock:
    """The lock of a predictor, joined to this turn if it is not joined yet."""
    if not isinstance(predictor._lock, PredictorLock):
        with _joining:
            if not isinstance(predictor._lock, PredictorLock):
                predictor._lock = PredictorLock(predictor, turn)
    return predictor._lock


def _still_open() -> RuntimeError:
    return RuntimeError(
        "A predict(stream=True) over this model is still open, and its predictor runs one source at a time. Finish its "
        "loop, or call close() on it, before predicting or tracing anew; inside a loop over anatomy.stream() both work."
    )


def _resting_stream(lock: PredictorLock) -> tuple[int, int] | None:
    """Which stream rests between two images while it holds the lock, and after how many; None where none does."""
    for entry in gc.get_objects():
        if isinstance(entry, GeneratorType) and entry.gi_code.co_name == "stream_inference" and entry.gi_suspended:
            inside = {} if entry.gi_frame is None else entry.gi_frame.f_locals
            predictor = inside.get("self")
            if predictor is not None and getattr(predictor, "_lock", None) is lock and "dataset" in inside:
                return id(entry), predictor.seen
    return None
