"""The lock of an Ultralytics predictor, joined to the turn of the network that it runs."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import GeneratorType

from ...head.turns import Turn, this_thread
from .declared import Predictor

PATIENCE = 1.0  # s: how often it is looked whether a stream that was begun earlier still moves

_joining = threading.Lock()


class PredictorLock:
    """Stands where the lock of a predictor stood: who holds it also has the network's turn.

    ``predict()`` enters it as it entered the former lock, which is held along with it, so that threads that hold that
    one, or wait for it, are waited for as well. Any thread may leave it.
    """

    def __init__(self, predictor: Predictor, turn: Turn):
        self._turn, self._former, self._depth, self._predicting = turn, predictor._lock, 0, None

    def __enter__(self) -> "PredictorLock":
        self.check_free()
        self._take()
        try:
            self._predicting = this_thread()
            return self
        except BaseException:  # an interruption after it was taken, which the block would never give back
            self.__exit__()
            raise

    def __exit__(self, *error) -> None:
        self._predicting = None
        self._give()

    def check_free(self) -> None:
        """Refuse to wait for what the running thread itself holds open (RuntimeError)."""
        if self._predicting is this_thread():
            raise _still_open()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within the block no ``predict()`` of another thread runs; a stream that this thread left open may rest."""
        self._take()
        try:
            yield
        finally:
            self._give()

    def _take(self) -> None:
        self._turn.__enter__()
        try:
            if not self._depth:
                self._await_former()
            self._depth += 1
        except BaseException:
            self._turn.__exit__()
            raise

    def _give(self) -> None:
        self._depth -= 1
        if not self._depth:
            self._former.release()
        self._turn.__exit__()

    def _await_former(self) -> None:
        """Take the former lock. Raises RuntimeError where a stream that was begun before the lock was joined rests."""
        seen = None
        while not self._former.acquire(timeout=PATIENCE):
            resting = _resting_stream(self)
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
