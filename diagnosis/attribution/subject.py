"""What an explanation explains: one number of one pass, at the cell that made it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anatomy import Head, Rivals, Trace, UnsupportedModelError, evaluating, select_class, whole_number
from anatomy.arguments import refused, scalar
from anatomy.shown import Record
from anatomy.tracing.doors import check_trace

EDGES = ("left", "top", "right", "bottom")
KINDS = ("logit", "score", "difference", "entropy", *EDGES)
SAME = 0.02  # logits: a live network that answers otherwise is not the one that was traced

Pick = Callable[[Tensor, Tensor, int, int], Tensor]
Wanted = Any  # what a caller names a cell by, as ``subject`` says; ``_cell`` makes a ``Cell`` of it, and nothing else


@dataclass(frozen=True, repr=False)
class Subject(Record):
    """One number of one anchor of a trace. Made by ``subject``.

    ``anchor`` with its ``level``, ``row`` and ``col``; ``class_id`` whose logit it is; ``box`` (4,) xyxy px of the
    original, what this anchor predicts, unclipped; ``what`` of ``KINDS``; ``words`` and ``unit`` for titles; ``value``
    the number now. ``pick`` takes class logits (B, nc, h, w) and box outputs (B, r, h, w) of the level, row and column
    to the numbers (B,).
    """

    trace: Trace
    anchor: int
    level: int
    row: int
    col: int
    class_id: int
    box: np.ndarray
    what: str
    words: str
    unit: str
    pick: Pick
    value: float

    def __reduce__(self) -> tuple:
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        chosen = {}
        if isinstance(self.pick, Picker):
            chosen = {field.name: getattr(kept["pick"], field.name) for field in fields(Picker) if field.name != "head"}
            del kept["pick"]
        return _arrived, (kept, chosen)

    @property
    def against(self) -> int | None:
        """The class that a difference is taken to; None of any other number."""
        return self.pick.other if isinstance(self.pick, Picker) and self.what == "difference" else None

    def of_inputs(self, x: Tensor, row: int | None = None, col: int | None = None) -> Tensor:
        """The number (B,) from what the head of its level reads (B, c, h, w); differentiable.

        ``row`` and ``col``: where the cell lies in ``x``, if that was cut out of the level's map.
        """
        head = self.trace.head
        with evaluating(head):
            made = head.level_outputs(self.level, x, self.trace.branch)
        return self.pick(*made, self.row if row is None else row, self.col if col is None else col)

    def of_images(self, frames: Tensor) -> Tensor:
        """The number (B,) from network inputs (B, 3, H, W) of the trace's size; differentiable."""
        head = self.trace.head
        with evaluating(head):
            made = head.forward(frames, self.trace.branch)
        return self.pick(made.logits[self.level], made.raw[self.level], self.row, self.col)


def subject(
    trace: Trace,
    detection: Wanted = 0,
    what: str = "logit",
    *,
    class_id: int | str | None = None,
    against: int | str | None = None,
) -> Subject:
    """The number to explain: by default the class logit of a detection, at the cell that made it.

    ``detection``: its index; (``missed`` result, i) for object i at the cell that came nearest; (``Rivals``, k) for a
    suppressed rival; anything else with an ``anchor``, or {"anchor": n}. ``class_id``: another class (id or name).
    ``what``: "logit", "score" (its sigmoid), "difference" (to the logit of class ``against``), "left", "top", "right",
    "bottom" (px of the network input), "entropy" (nats, the mean over the four sides' DFL bins). Raises IndexError,
    ValueError and UnsupportedModelError.

    >>> diagnosis.subject(trace, 0).anchor == trace.detections[0].anchor
    True
    """
    return subjects(trace, [detection], what, class_id=class_id, against=against)[0]


def subjects(
    trace: Trace,
    detections: Iterable[Wanted] | None = None,
    what: str = "logit",
    *,
    class_id: int | str | None = None,
    against: int | str | None = None,
) -> tuple[Subject, ...]:
    """As ``subject``, of several detections (None: all); the head runs once a level.

    >>> len(diagnosis.subjects(trace, [0, 1]))
    2
    """
    check_trace(trace, "diagnosis.subjects", ", [0]")
    if what not in KINDS:
        raise ValueError(f"what must be one of {', '.join(KINDS)}, but {what!r} was given.")
    if (what == "difference") != (against is not None):
        raise ValueError('what="difference" needs against=, the class to compare with, and nothing else takes it.')
    if detections is None:
        detections = range(max(len(trace.detections), 1))  # of none, the error speaks of the first
    if not isinstance(detections, Iterable):
        raise refused("diagnosis.subjects", "several detections", detections, "diagnosis.subjects(trace, [0, 1])")
    given = None if class_id is None else select_class(trace.names, class_id)
    other = None if against is None else select_class(trace.names, against)
    question = Question(what=what, class_id=given, against=other)
    outputs: dict[int, tuple[Tensor, Tensor]] = {}
    with trace.head.undisturbed():
        return tuple(_one(trace, _cell(trace, wanted), question, outputs) for wanted in detections)


@dataclass(frozen=True)
class Cell:
    """The one anchor whose number is explained, and the class that it stands for, if one is said."""

    anchor: int
    class_id: int | None = None


@dataclass(frozen=True)
class Question:
    """What is asked of every cell: ``what`` of ``KINDS``, of which class (None: the cell's own), against which."""

    what: str
    class_id: int | None
    against: int | None


def _one(trace: Trace, cell: Cell, question: Question, outputs: dict[int, tuple[Tensor, Tensor]]) -> Subject:
    """The subject of one cell; ``outputs`` keeps what the head of a level makes."""
    place = trace.places([cell.anchor])
    level, row, col = int(place.level[0]), int(place.row[0]), int(place.col[0])
    chosen = cell.class_id if question.class_id is None else question.class_id
    if chosen is None:
        chosen = max(trace.head.detectable, key=trace.logits[level][:, row, col].tolist().__getitem__)
    if chosen == question.against:
        raise ValueError(
            f"against must be another class than the one explained, but both are {trace.names[chosen]!r}: their "
            "difference is 0 whatever the photograph shows."
        )
    if level not in outputs:
        outputs[level] = _answers(trace, level)
    pick = _picker(trace.head, level, question.what, chosen, question.against)
    value = _value(trace, pick, outputs[level], (level, chosen, row, col))
    words, unit = _words(trace, question, chosen)
    return Subject(
        trace=trace,
        anchor=cell.anchor,
        level=level,
        row=row,
        col=col,
        class_id=chosen,
        box=trace.letterbox.to_original(trace.decode([cell.anchor]))[0],
        what=question.what,
        words=words,
        unit=unit,
        pick=pick,
        value=value,
    )


def _words(trace: Trace, question: Question, class_id: int) -> tuple[str, str]:
    """The number in words, and its unit."""
    name = trace.names[class_id]
    if question.what == "logit":
        return f"logit of {name}", "logit"
    if question.what == "score":
        return f"score of {name}", "probability"
    if question.what == "difference":
        other = None if question.against is None else trace.names.get(question.against)
        return f"{name} over {other}", "logit"
    if question.what == "entropy":
        return "entropy of the box sides", "nats"
    return f"{question.what} edge of the box", "px of the network input"


def _cell(trace: Trace, wanted: Wanted) -> Cell:
    """The cell that a caller means; the one place that knows by what a cell can be named."""
    if isinstance(wanted, Cell):
        return wanted
    if isinstance(wanted, tuple) and len(wanted) == 2 and _holds_cells(wanted[0]):
        many, i = wanted
        return _cell_of_object(many, i) if hasattr(many, "candidates") else _cell_of_rival(many, i)
    if isinstance(wanted, dict):
        return _cell_by_number(trace, wanted)
    anchor = scalar(getattr(wanted, "anchor", None))
    if isinstance(anchor, int | np.integer):
        return Cell(int(anchor), getattr(wanted, "class_id", None))
    return _cell_of_detection(trace, wanted)


def _holds_cells(many: Any) -> bool:
    """Whether this holds candidates of objects, or rivals."""
    return hasattr(many, "candidates") or isinstance(many, Rivals)


def _cell_of_object(missed: Any, i: Any) -> Cell:
    """The cell that came nearest to finding object i of a ``missed`` result."""
    i = _index(i, len(missed.labels), "Object")
    return Cell(_nearest(missed, i), int(missed.labels[i]))


def _cell_of_rival(rivals: Rivals, k: Any) -> Cell:
    k = _index(k, len(rivals), "Rival")
    return Cell(int(rivals.anchor[k]), int(rivals.class_id[k]))


def _cell_by_number(trace: Trace, given: dict) -> Cell:
    """Of {"anchor": n}, also with "class_id"; ValueError for any other."""
    if "anchor" not in given or not set(given) <= {"anchor", "class_id"}:
        raise ValueError(f"A cell is given as {{'anchor': n}}, also with 'class_id', but {given!r} was given.")
    class_id = given.get("class_id")
    named = None if class_id is None else select_class(trace.names, class_id)
    return Cell(whole_number(given["anchor"], "An anchor"), named)


def _cell_of_detection(trace: Trace, i: Any) -> Cell:
    """The cell that made a detection, given by its index."""
    found = trace.detections
    if not len(found):
        raise ValueError(
            "This trace has no detections to explain. Trace with a lower conf, or explain a cell: "
            "{'anchor': n}, or (diagnosis.missed(...), i) for an object that was missed."
        )
    i = _index(i, len(found), "Detection")
    return Cell(int(found.anchor[i]), int(found.class_id[i]))


def _index(i: Any, count: int, what: str) -> int:
    """An index into ``count`` things, negative ones from the end; raises TypeError and IndexError."""
    i = whole_number(i, f"{what}, given by its index,")
    if not -count <= i < count:
        raise IndexError(f"{what} {i} does not exist: this trace has {count}.")
    return i


def _nearest(result: Any, i: int) -> int:
    """The anchor that came nearest to finding object i of a ``missed`` result; its detection's where it was found."""
    if result.found[i] >= 0:
        return int(result.trace.detections.anchor[result.found[i]])
    return int(result.candidates[i][result.best[i]].anchor)


@dataclass(frozen=True)
class Picker:
    """Takes class logits (B, nc, h, w) and box outputs (B, r, h, w) of a level, row and column to the numbers (B,)."""

    head: Head
    level: int
    what: str
    class_id: int
    other: int | None

    def __call__(self, logits: Tensor, raw: Tensor, row: int, col: int) -> Tensor:
        if self.what in EDGES:
            return self.head.level_boxes(self.level, raw)[:, EDGES.index(self.what), row, col]
        if self.what == "entropy":
            log = raw[:, :, row, col].unflatten(1, (4, self.head.reg_max)).log_softmax(2)
            return -(log.exp() * log).sum(2).mean(1)
        logit = logits[:, self.class_id, row, col]
        if self.what == "difference":
            return logit - logits[:, self.other, row, col]
        if self.what == "score":
            return self.head.probabilities(logits[:, :, row, col], dim=1)[:, self.class_id]
        return logit


def _picker(head: Head, level: int, what: str, class_id: int, other: int | None) -> Picker:
    if what == "entropy" and head.reg_max == 1:
        raise UnsupportedModelError("This head has reg_max = 1: it has no DFL bins, so their entropy does not exist.")
    return Picker(head=head, level=level, what=what, class_id=class_id, other=other)


def _arrived(kept: dict, chosen: dict) -> Subject:
    """A subject that was pickled or copied: its number is picked through the head of the trace that it has now."""
    if chosen:
        kept = kept | {"pick": Picker(kept["trace"].head, **chosen)}
    return Subject(**kept)


def _answers(trace: Trace, level: int) -> tuple[Tensor, Tensor]:
    """What the head of a level makes of the traced feature map: class logits and raw box outputs, batch of one."""
    if not trace.inputs:
        raise UnsupportedModelError(
            f"The passes of {type(trace.head.net).__name__} do not keep what its head reads. Have its description's "
            "passes() fill Pass.frame and Pass.inputs; see anatomy.Head."
        )
    with torch.inference_mode(False), torch.no_grad(), evaluating(trace.head):
        return trace.head.level_outputs(level, trace.inputs[level][None].clone(), trace.branch)


def _value(trace: Trace, pick: Pick, made: tuple[Tensor, Tensor], cell: tuple[int, int, int, int]) -> float:
    """The number now; raises RuntimeError where the network no longer gives the traced logit."""
    level, class_id, row, col = cell
    now, then = float(made[0][0, class_id, row, col]), float(trace.logits[level][class_id, row, col])
    if not abs(now - then) <= SAME * max(1.0, abs(then)):
        raise RuntimeError(
            f"The network now gives this cell a logit of {now:.3f}, this trace {then:.3f}: it has been changed "
            "since. Explain trace.replay(), or trace the image again."
        )
    with torch.inference_mode(False), torch.no_grad():
        return float(pick(*made, row, col)[0])
