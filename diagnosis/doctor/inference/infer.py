"""Propose the layout of an encoder that says nothing of itself: the same search with nothing declared."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anatomy.shown import Part, Shown, Words

from ..layout import TargetLayout
from ..orders import Storage
from ..storage import order
from ..targets import probes as ask
from ..targets.asking import Answer, Asker
from ..targets.seeing import gather
from .candidates import Candidate, candidates
from .channels import Rows, priors, roles
from .forms import Form, forms
from .unread import why_unread

EACH = 6
LEAST = 0.05  # what explains a smaller share is not worth a word
UNASKED = 255
"""Beside numbers below 0 what leaves a cell out, as in maps of classes."""


@dataclass(frozen=True, repr=False)
class InferredLayout(Shown):
    """The ``layout`` that explains most of what an encoder writes, and the share of cells that it explains.

    ``code``: the layout as text to paste. ``runner_up``: the next best in words, "" where none explains anything.
    """

    layout: TargetLayout
    code: str
    explained: float
    runner_up: str

    def _title(self) -> str:
        return f"{self.explained:.1%} of the cells that hold an object explained by {' '.join(self.code.split())}"

    def _parts(self) -> Iterable[Part]:
        return [Words([*self.code.splitlines(), *([f"next: {self.runner_up}"] if self.runner_up else [])])]

    def __str__(self) -> str:
        beside = f"; next: {self.runner_up}" if self.runner_up else ""
        return f"{self.code}\n  explains {self.explained:.1%} of the cells that hold an object{beside}"


def infer_layout(
    encode: Callable,
    *,
    num_classes: int | None = None,
    strides: Sequence[float] | None = None,
    image_sizes: Sequence[tuple[int, int]] = ((512, 512), (384, 640)),
) -> InferredLayout:
    """The layout of ``encode(boxes, labels, image_size)``, from its outputs alone.

    ``encode`` takes (n, 4) float xyxy px, (n,) int64 and (height, width). ``num_classes``: where not all labels up to
    the last channel exist, or where ids are written. ``strides``: px, where shapes leave them open. ValueError where
    the outputs cannot be read, with what is missing.
    """
    if not callable(encode):
        raise TypeError(f"A callable is needed, not {type(encode).__name__}.")
    sizes = [(int(height), int(width)) for height, width in image_sizes]
    found = [
        one
        for form in _forms(encode, sizes, strides, num_classes)
        if (one := _inferred(encode, form, sizes, num_classes))
    ]
    if not found:
        raise ValueError(
            "Nothing in the outputs follows the objects: encode must return a tensor a level, or one (N, C), that "
            "changes with boxes and labels. Give strides and num_classes where shapes leave them open."
        )
    return max(found, key=lambda one: one.explained)


def _forms(encode: Callable, sizes: list, strides, classes: int | None) -> list[Form]:
    asker = Asker(encode, TargetLayout())
    outs = []
    for height, width in sizes:
        box = np.array([[0.3 * width, 0.35 * height, 0.55 * width, 0.6 * height]])
        out = asker.raw(ask.Probe("place", box, (0,), (height, width)))
        if isinstance(out, str):
            raise ValueError(f"encode must accept one box (1, 4), one label (1,) and an image size, but raised {out}.")
        outs.append(out)
    found = forms(outs, sizes, strides, classes)
    if not found:
        raise ValueError(why_unread(outs, sizes, strides, classes))
    return found[:4]


def _inferred(encode: Callable, form: Form, sizes: list, classes: int | None) -> InferredLayout | None:
    """The best layout of one form; None where this form shows nothing."""
    if form.channels < 5:
        return None
    rows = _rows(Asker(encode, form.layout()), sizes, classes)
    if rows is None:
        return None
    try:
        found = roles(rows, classes)
    except ValueError:
        return None
    if len(found.boxes) < 4:
        return None
    base = TargetLayout(
        box=found.boxes[:4],
        objectness=found.objectness,
        classes=found.classes,
        strides=form.strides,
        class_values=found.class_values,
        num_classes=(classes or int(rows.label.max()) + 1) if found.class_values == "ids" else None,
    )
    plain = candidates(rows, base, found.boxes, None)
    table = None
    if plain[0].share < 0.95 or form.anchors > 1:
        table = priors(rows, found.boxes, len(form.strides), form.anchors)
    anchors = None if table is None else tuple(tuple(map(tuple, level)) for level in table[0].tolist())
    if form.anchors > 1 and anchors is None:
        anchors = form.layout().anchors
    ranked = plain
    if table is not None:
        ranked = candidates(rows, replace(base, anchors=anchors), found.boxes, table[1])
        ranked = ranked if ranked[0].plain > plain[0].plain + 0.02 else plain
    best = ranked[0]
    if anchors is not None and form.anchors == 1 and "prior" not in (best.fields["unit"], best.fields["size_unit"]):
        anchors = None
    layout = TargetLayout(
        **{
            **best.fields,
            "grid_offset": _offset(rows, best, form.strides),
            "objectness": found.objectness,
            "classes": _as_slice(found.classes),
            "strides": form.strides,
            "anchors": anchors,
            "axes": form.axes,
            "class_values": found.class_values,
            "background": found.background,
            "ignore": rows.ignore,
            "objectness_values": found.objectness_values,
            "num_classes": base.num_classes,
        }
    )
    other = next((one for one in ranked[1:] if one.fields["box"] is not None and one.share > LEAST), None)
    said = "" if other is None else f"{_fields(other.fields)} explains {other.share:.1%}"
    return InferredLayout(
        layout=layout, code=layout.written(("classes", "strides")), explained=best.share, runner_up=said
    )


def _rows(asker: Asker, sizes: list, classes: int | None) -> Rows | None:
    """The cells that hold an object, from single objects of several labels."""
    strides, labels = asker.layout.strides, min(classes or 3, 6)
    answers = []
    for i, probe in enumerate(ask.places(strides, sizes, 0, 0)):
        answers.append(asker.ask(replace(probe, labels=(i // 2 % labels,))))
    answers = [a for a in answers if a.error is None and a.finite]
    if asker.misfit or not answers:
        return None
    ignore = _ignored(answers)
    parts, beside = [], np.zeros(asker.layout.channels)
    dims, storage = order(asker.layout), Storage(order(asker.layout))
    for answer in answers:
        for level, memory in enumerate(answer.levels):
            at = storage.unravel(memory.index, memory.shape, dims)
            asked = np.ones(len(memory.index), bool) if ignore is None else memory.value != ignore
            cell = ((at["A"] * memory.shape["H"] + at["H"]) * memory.shape["W"] + at["W"])[asked]
            cells, counts = np.unique(cell, return_counts=True)
            if not len(cells):
                continue
            full = cells[counts >= max(counts.max() - 1, 2)]
            np.add.at(beside, at["C"][asked][~np.isin(cell, full)].clip(max=len(beside) - 1), 1)
            full = full[np.unique(np.linspace(0, len(full) - 1, min(EACH, len(full))).round().astype(int))]
            a, rest = np.divmod(full, memory.shape["H"] * memory.shape["W"])
            rows, columns = np.divmod(rest, memory.shape["W"])
            values, ground = gather(memory, storage, dims, a, rows, columns)
            parts.append(_part(answer, level, (a, rows, columns), values, ground))
    if not any(len(part[0]) for part in parts):
        return None
    whole = [np.concatenate(part) for part in zip(*parts, strict=True)]
    return Rows(*whole, beside=beside, ignore=ignore)


def _part(answer: Answer, level: int, cells: tuple, values: np.ndarray, ground: np.ndarray) -> tuple:
    (a, rows, columns), n = cells, len(values)
    return (
        values,
        ground,
        np.full(n, answer.probe.labels[0]),
        np.full(n, level),
        a,
        np.repeat(answer.probe.boxes, n, 0),
        np.tile(np.array(answer.probe.image_size, float), (n, 1)),
        np.stack((columns, rows), 1),
    )


def _ignored(answers: list[Answer]) -> float | None:
    """The whole number that no probability and no class has, where a good part of what is written is just that."""
    values = np.concatenate([memory.value for answer in answers for memory in answer.levels])
    strange = values[(values == np.round(values)) & ((values < 0) | (values == UNASKED))]
    known, counts = np.unique(strange, return_counts=True)
    if not len(known) or counts.max() <= 0.03 * len(values):
        return None
    return float(known[counts.argmax()])


def _offset(rows: Rows, best: Candidate, strides: Sequence[float]) -> float:
    """The grid's offset: as boxes show it, or else as cells lie about the centres."""
    if best.fields["relative"] or best.fields["format"] == "ltrb":
        return best.fields["grid_offset"]
    centre = (rows.boxes[:, :2] + rows.boxes[:, 2:]) / 2 / np.array(strides)[rows.level][:, None]
    return 0.0 if np.median(rows.cells + 0.5 - centre) > 0.25 else 0.5


def _as_slice(channels: tuple[int, ...]) -> slice | tuple[int, ...]:
    run = tuple(range(channels[0], channels[0] + len(channels)))
    return slice(run[0], run[-1] + 1) if channels == run and len(run) > 1 else channels


def _fields(chosen: dict) -> str:
    plain = TargetLayout()
    odd = [f"{name}={value!r}" for name, value in chosen.items() if value != getattr(plain, name)]
    return ", ".join(odd) or "the plain layout"
