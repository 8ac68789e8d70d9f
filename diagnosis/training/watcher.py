"""Told by a training what happens; a failure of the watch is none of the training."""

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

from anatomy.head.following import BatchLabels, Training

from ..findings import Finding
from .record import Record
from .session import Session
from .telling import Teller


def described(error: BaseException) -> str:
    """An exception in one line."""
    said = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def guarded(method: Callable) -> Callable:
    """A failure of the watch is told once and ends it; the training goes on."""

    @wraps(method)
    def call(self: "Watcher", *args: Any) -> None:
        if self.error is not None:
            return
        try:
            method(self, *args)
        except Exception as error:
            self.give_up(error)

    return call


class Watcher:
    """Told by a training (see ``anatomy.head.following``) what happens; nothing that it is handed is changed.

    ``start`` makes the record when a training begins. ``session``: what is known of the training under way, None
    before and after it; ``error``: why the watch gave up, or None;
    ``broken_off``: how the training ended before its time, in words.
    """

    def __init__(self, every: int, start: Callable[[Training], Record], on_finding: Callable[[Finding], Any] | None):
        self.every, self._start, self._on_finding = every, start, on_finding
        self.record: Record | None = None
        self.session: Session | None = None
        self.error: Exception | None = None
        self.broken_off: str | None = None
        self._last_step = -1
        self.listeners: list[Callable[[bool], Any]] = []  # told after each batch, and with True at the end

    @guarded
    def begin(self, training: Callable[[], Training]) -> None:
        """Make the record, and look at what there is to be measured."""
        made = training()
        self.record = self._start(made)
        self.session = Session(made, self.record, self.every, Teller(self.record, self._on_finding))
        if made.images is not None:
            self.session.teller.left_out(*made.images)

    @guarded
    def epoch_begins(self) -> None:
        """As ``Session`` says, and likewise below."""
        if self.session is not None:
            self.session.epoch_begins()

    @guarded
    def batch_comes(self, labels: Callable[[], BatchLabels | None]) -> None:
        if self.session is not None:
            self.session.batch_comes(labels)

    @guarded
    def forward_begins(self, batch: Any, targets: Any = None) -> None:
        if self.session is not None:
            self.session.forward_begins(batch, targets)

    @guarded
    def backward_is_due(self) -> None:
        if self.session is not None:
            self.session.backward_is_due()

    @guarded
    def before_step(self) -> None:
        if self.session is not None:
            self.session.before_step()

    @guarded
    def batch_ends(self) -> None:
        if self.session is not None:
            self.session.batch_ends()
            self._tell(over=False)

    def fails(self, error: BaseException) -> None:
        self._look_at_labels()
        step = self.session.step if self.session is not None else self._last_step  # its trainer may have ended it
        where = f" at step {step}" if step >= 0 else ""
        self.broken_off = f"broken off{where} by {described(error)}"

    def end(self) -> None:
        self._end()
        self._tell(over=True)
        self.listeners.clear()

    @guarded
    def break_off(self) -> None:
        if self.session is not None:
            self.session.break_off()

    @guarded
    def _end(self) -> None:
        if self.session is not None:
            self._last_step = self.session.step
            self.session.end()
        self.session = None

    @guarded
    def _look_at_labels(self) -> None:
        """What a training breaks on may be seen in them."""
        if self.session is not None:
            self.session.look_at_labels()

    def _tell(self, *, over: bool) -> None:
        """Call the listeners; one that fails is told of and left out from then on."""
        for listener in list(self.listeners):
            try:
                listener(over)
            except Exception as error:
                self.listeners.remove(listener)
                warnings.warn(f"{listener!r} listens to the watch no longer: {error!r}", stacklevel=3)

    def give_up(self, error: Exception) -> None:
        """End the watch for a failure of its own."""
        self.error, session, self.session = error, self.session, None
        if session is not None:
            session.break_off()
            session.reader.close()
        warnings.warn(f"The watch has ended ({error!r}); the training goes on without it.", stacklevel=3)
