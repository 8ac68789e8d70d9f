"""``diagnosis.watch``: a training watched level by level, from one line before it, and read again from its folder."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.amp.grad_scaler import GradScaler

from anatomy import describe, whole_number
from anatomy.head.following import FLAT, BatchLabels, Following, Training
from anatomy.head.head import Head
from anatomy.shown import Part, Shown

from ..findings import Finding, Report
from .broken import BrokenBatch
from .own_loop import OwnLoop, Step
from .places import check_free, folder_for, newer_beside
from .record import BROKEN, EVERY_SECONDS, About, Record, WatchLevel
from .watcher import Watcher, described

if TYPE_CHECKING:
    from polars import DataFrame


class Watch(Shown):
    """A training as it was watched: rows, findings, and batches that broke it. Made by ``watch`` and ``read_watch``.

    While the training runs, everything can be asked for as far as it has come. ``path``: the folder, or None.
    """

    def __init__(self, record: Record | None = None, watcher: Watcher | None = None, *, newer: Path | None = None):
        self._record, self._watcher, self._newer = record, watcher, newer
        self._following: Following | None = None
        self._loop: OwnLoop | None = None

    @property
    def path(self) -> Path | None:
        """The folder of the watch; None before the training begins, and where nothing is written."""
        record = self._found
        return record.folder if record is not None else None

    @property
    def about(self) -> About:
        """Levels, branches, class names; raises ValueError before the training begins."""
        return self._begun.about

    @property
    def batches(self) -> "DataFrame":
        """One row a watched batch; its columns stand in ``diagnosis.training.tables``."""
        return self._begun.table("batches")

    @property
    def levels(self) -> "DataFrame":
        """One row a watched batch, branch and level."""
        return self._begun.table("levels")

    @property
    def sizes(self) -> "DataFrame":
        """One row a watched batch, branch and size: objects, and those without a positive."""
        return self._begun.table("sizes")

    def to_df(self) -> "DataFrame":
        """The rows of all levels, each with what is known of its batch; columns of both have ``_batch`` behind."""
        return self.levels.join(self.batches, on="step", how="left", suffix="_batch")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far, in the order in which it began."""
        record = self._found
        return tuple(record.findings) if record is not None else ()

    @property
    def broken(self) -> tuple[BrokenBatch, ...]:
        """The batches that were kept because something was not finite, in the order of the training."""
        folder = self.path
        files = sorted((folder / BROKEN).glob("*.pt")) if folder is not None else []
        return tuple(map(BrokenBatch.open, files))

    @property
    def error(self) -> Exception | None:
        """Why the watch gave up, while the training went on; None where it did not."""
        return self._watcher.error if self._watcher is not None else None

    def report(self) -> Report:
        """The findings as a report."""
        record, how = self._found, self._circumstances
        if record is None:
            return Report(subject=f"a training that has not begun{how}")
        return Report(
            subject=f"training of {record.about.subject}{how}",
            findings=tuple(record.findings),
            probes=len(record.table("batches")),
        )

    @contextmanager
    def step(
        self, inputs: Any = None, targets: Any = None, *, epoch: int = 0, scaler: GradScaler | None = None
    ) -> Iterator[Step]:
        """One step of a loop of your own: forward pass, loss and backward pass stand in the block, the clipping of
        gradients and the optimizer's step after it.

        ``inputs`` and ``targets``: what the network and the loss get, kept where something is not finite. Where one of
        them is a mapping with "batch_idx", "cls" and "bboxes" as Ultralytics has them, these labels are checked. Call
        ``tell(loss, items)`` of what the block is given, the loss as it is without a scale, so that it goes into the
        record. ``scaler``: the ``torch.amp.GradScaler`` that multiplies this loss, if there is one: norms are freed of
        its scale, and gradients that overflow, by which it finds a scale that fits, are no fault. Raises ValueError
        for a watch that was read from a folder, is closed, or waits for ``model.train(…)``, TypeError for what
        is no scaler.
        """
        if scaler is not None and not isinstance(scaler, GradScaler):
            raise TypeError(f"scaler must be a torch.amp.GradScaler, or None, but {scaler!r} was given.")
        watcher, loop = self._watcher, self._loop
        if watcher is None:
            raise ValueError("A watch that was read from a folder watches nothing. Make one: diagnosis.watch(model).")
        if loop is None:
            raise ValueError(
                "This watch was made of a YOLO object and waits for its model.train(…). For a loop of your own give "
                "the network: diagnosis.watch(model.model)."
            )
        if watcher.session is None and watcher.record is not None and watcher.error is None:
            raise ValueError("This watch is closed. Make another for the steps to come: diagnosis.watch(model).")
        loop.loss, loop.items, loop.scaler, loop.backward_seen = None, {}, scaler, None
        watcher.broken_off = None
        if watcher.session is None:
            if loop.unheard is not None:
                warnings.warn(f"Positives and losses are not told by level: {loop.unheard}", stacklevel=3)
            watcher.begin(lambda: loop)
        if loop.epoch != epoch:
            loop.epoch = epoch
            watcher.epoch_begins()
        watcher.batch_comes(lambda: _flat_labels(targets, inputs))
        watcher.forward_begins(inputs, targets)
        watcher.backward_is_due()
        try:
            yield Step(loop)
        except BaseException as error:
            watcher.fails(error)
            watcher.break_off()
            raise
        watcher.before_step()
        watcher.batch_ends()

    def listen(self, callback: Callable[[bool], Any]) -> Callable[[], None]:
        """Call ``callback`` after each batch of the training, in its thread, and with True at its end.

        What it raises is warned of, and it is called no more; the training goes on. Returns what takes it out. Raises
        ValueError for a watch that was read from a folder.
        """
        watcher = self._watcher
        if watcher is None:
            raise ValueError(
                "A watch that was read from a folder follows no training. Make one: diagnosis.watch(model)."
            )
        listeners = watcher.listeners
        listeners.append(callback)
        return lambda: listeners.remove(callback) if callback in listeners else None

    def close(self) -> None:
        """End the watch: what is left is written, and nothing of it stays in the model or its trainer."""
        if self._following is not None:
            self._following.untie()
        elif self._watcher is not None:
            self._watcher.end()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __reduce__(self) -> tuple:
        if self.path is None:
            raise TypeError("A watch without a folder cannot be pickled. Give watch(…, out=folder).")
        return read_watch, (self.path,)

    def __deepcopy__(self, memo: dict) -> "Watch":
        return self

    def __len__(self) -> int:
        """How many batches were watched."""
        record = self._found
        return len(record.table("batches")) if record is not None else 0

    def __bool__(self) -> bool:
        """A watch is there, though it may not have seen a batch yet."""
        return True

    def _title(self) -> str:
        where = f"{str(self.path)!r}, " if self.path is not None else ""
        return f"{where}{len(self)} batches watched, {len(self.findings)} finding(s)"

    def _parts(self) -> Iterable[Part]:
        return self.report()._parts()

    def __str__(self) -> str:
        return str(self.report())

    @property
    def _circumstances(self) -> str:
        """What ended training or watch before the end, in words; of one that was read, whether it is an old one."""
        watcher = self._watcher
        if watcher is None:
            return f" (a newer watch lies beside it: {str(self._newer)!r})" if self._newer is not None else ""
        given_up = f"the watch gave up for {described(watcher.error)}" if watcher.error is not None else None
        told = [words for words in (watcher.broken_off, given_up) if words is not None]
        return f" ({'; '.join(told)})" if told else ""

    @property
    def _found(self) -> Record | None:
        return self._watcher.record if self._watcher is not None else self._record

    @property
    def _begun(self) -> Record:
        found = self._found
        if found is None:
            raise ValueError(
                "No batch has been seen yet: the rows begin with model.train(…), or with the first step(). A training "
                "on several devices runs in processes of its own and is never seen."
            )
        return found


def watch(
    model: Any,
    every: int = 10,
    out: str | Path | None = None,
    *,
    loss: Callable[..., Tensor] | None = None,
    criterion: Any = None,
    resume: bool = False,
    on_finding: Callable[[Finding], Any] | None = None,
    save_every: float = EVERY_SECONDS,
) -> Watch:
    """Watch a training, level by level: one line before ``model.train(…)``, or ``step`` in a loop of your own.

    At every ``every``-th batch: positives, target mass and each loss item by level, objects without a positive,
    the norm of the gradient before clipping by part of the network, the scale of what the head reads; at every batch,
    whether labels fit the image and loss and gradient are finite. Weights, checkpoints and random numbers come out as
    without it, and nothing of it stays after the training, however that ends. It follows one training: the next one
    wants a watch of its own. A failure of the watch itself is warned of, and the training goes on.

    ``model``: a YOLO object that will be trained, or the network of a loop of your own, compiled or not; where
    torch.compile runs it, the scale of what the head reads is not measured. ``out``: the folder for rows
    and findings; by default ``watch`` in the folder of the training, and for a loop of your own none: rows stay in
    memory. Parts are written at least ``save_every`` seconds apart. ``on_finding`` is called with each finding as it
    comes; they are logged too. For a loop of your own: ``loss(outputs, targets)`` makes its scalar, so that a batch
    that breaks can be replayed; ``criterion`` is what the loop calls, where that is not the network's own (what
    ``anatomy.Head.listening`` takes). ``resume`` goes on in the folder ``out``, which holds a watch.

    Raises TypeError and ValueError for arguments such as ``every`` below 1, UnsupportedModelError for a model without
    levels, FileExistsError where ``out`` holds something else, or a watch without ``resume``.

    >>> watch = diagnosis.watch(model)  # and then model.train(data="data.yaml")
    """
    every = whole_number(every, "every, the batches from one that is watched to the next,")
    if every < 1:
        raise ValueError(f"every must be 1 or more, but {every} was given.")
    if on_finding is not None and not callable(on_finding):
        raise TypeError(f"on_finding is called with each finding, but {on_finding!r} cannot be called.")
    if not isinstance(save_every, int | float) or not save_every >= 0:
        raise ValueError(f"save_every, s between two parts, must be a number from 0 on, but {save_every!r} was given.")
    if isinstance(model, str | os.PathLike):
        raise TypeError(
            f"A model is an object, but {str(model)!r} is the name of one. Open it: surgery.load({str(model)!r}), or "
            f"YOLO({str(model)!r}), and call train() of the object that is watched."
        )
    plain = getattr(model, "_orig_mod", model)  # what torch.compile wraps
    head = describe(plain)
    given = Path(out).absolute() if out is not None else None
    if given is not None:
        check_free(given, resume=resume)

    def start(training: Training) -> Record:
        folder = given if isinstance(training, OwnLoop) else folder_for(given, training)
        return Record.create(_about(training, every), folder, pause=save_every, go_on=training.resumed)

    watcher = Watcher(every, start, on_finding)
    made = Watch(watcher=watcher)
    made._following = head.follow(watcher)
    if made._following is None:
        made._loop = OwnLoop(head, loss, criterion, resumed=resume, compiled=plain is not model)
    return made


def read_watch(path: str | Path) -> Watch:
    """The watch in a folder: of a training that has ended, that was killed, or that still runs.

    Where a later training in the same folder has left a newer one beside it (``watch2`` beside ``watch``), that is
    warned of, and its report says so. Raises TypeError for what is no path, FileNotFoundError where there is
    none, ValueError where it is damaged.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"A watch is read from its folder, a path such as 'runs/detect/train/watch', but {type(path).__name__} was "
            "given. Give watch.path, or use the Watch itself: it holds its rows as they come."
        )
    folder = Path(path).absolute()
    record, newer = Record.read(folder), newer_beside(folder)
    if newer is not None:
        told = f"{str(folder)!r} is not the newest watch: another training was written beside it, to {str(newer)!r}."
        warnings.warn(told, stacklevel=2)
    return Watch(record=record, newer=newer)


def _flat_labels(*given: Any) -> BatchLabels | None:
    """The objects of the first of these that holds them in flat tables."""
    tables = (one for one in given if isinstance(one, Mapping) and one.keys() >= set(FLAT))
    return next((BatchLabels.of_flat(one) for one in tables), None)


def _about(training: Training, every: int) -> About:
    head: Head = training.head
    names: Mapping[int, str] = head.names
    return About(
        subject=type(head.net).__name__,
        levels=tuple(WatchLevel(level.index, level.name, float(level.stride)) for level in head.levels),
        branches=tuple(head.branches),
        names=dict(names),
        every=every,
        gains=dict(training.gains),
    )
