"""Ask a target encoder about objects of known place, size and class, and name the faults that its answers show."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from ...findings import Report
from ..layout import TargetLayout
from . import causes, conduct, kinds, symptoms, writing
from . import probes as ask
from .examination import Examination
from .neighbours import neighbours


def check_targets(
    encode: Callable,
    layout: TargetLayout,
    *,
    image_sizes: Sequence[tuple[int, int]] = ((512, 512), (384, 640)),
    seed: int = 0,
) -> Report:
    """Name what is wrong with ``encode(boxes, labels, image_size)``, from its outputs alone.

    ``encode`` takes (n, 4) float xyxy px, (n,) int64 and (height, width), and returns a (C, h, w) tensor a level, as
    ``layout`` says. ``image_sizes``: multiples of the coarsest stride, a square one and one that is not show the most.
    Faults are errors, and one cause is one error; what a scheme cannot avoid is a warning. The doctor itself raises
    ValueError or TypeError only for arguments that make no sense.
    """
    if not callable(encode) or not isinstance(layout, TargetLayout):
        raise TypeError(f"A callable and a TargetLayout are needed, not {type(encode)} and {type(layout)}.")
    sizes: list[Any] = [tuple(int(side) for side in size) for size in image_sizes]
    if not sizes or any(
        len(size) != 2 or min(size) <= 0 or any(s % max(layout.strides) for s in size) for size in sizes
    ):
        raise ValueError(
            f"image_sizes must be (height, width) in multiples of the coarsest stride {max(layout.strides)}, "
            f"but {list(image_sizes)} was given."
        )
    exam = Examination(encode, layout, sizes, seed)
    _run(exam)
    return Report("target encoder", exam.notes.findings(exam.used), exam.clerk.asked)


def _run(exam: Examination) -> None:
    strides, label = exam.layout.strides, exam.count // 2
    singles = [*ask.places(strides, exam.sizes, label, exam.seed), *ask.edges(strides, exam.sizes, label)]
    singles += ask.classes(strides, exam.sizes, exam.count)
    conduct.state(exam, singles[20], singles[33])
    if exam.clerk.unfit:
        exam.notes.add("wrong_output", exam.clerk.unfit)
        return
    exam.answers = [exam.clerk.ask(probe) for probe in singles]
    if exam.clerk.unfit:
        exam.notes.add("wrong_output", exam.clerk.unfit)
        return
    if all(answer.error for answer in exam.answers):
        exam.notes.add("raises", f"every object makes it raise {exam.answers[0].error}")
        return
    if conduct.shapes(exam):
        return
    exam.read_all()
    if exam.blind:
        return
    _places_and_boxes(exam)
    causes.other_order(exam)
    kinds.classes(exam)
    kinds.objectness(exam)
    causes.levels(exam)
    symptoms.raised(exam)
    symptoms.lost(exam)
    symptoms.border(exam)
    symptoms.strays(exam)
    neighbours(exam)
    conduct.calls(exam)
    symptoms.settle(exam)


def _places_and_boxes(exam: Examination) -> None:
    """Cells and boxes; where neither is the object's, once more for the boxes as the encoder seems to see them."""
    before = deepcopy(exam.notes)
    causes.placement(exam)
    writing.boxes(exam)
    if not exam.notes.has("wrong_cell", "wrong_box") or not writing.find_motion(exam):
        return
    if not exam.notes.has("wrong_cell"):
        exam.notes.explain("wrong_box", str(exam.motion))
        exam.motion = None
        return
    exam.notes, exam.maps, exam.readings = before, {}, {}
    causes.placement(exam)
    writing.boxes(exam)
    exam.notes.add("wrong_cell", f"objects are encoded in another place: {exam.motion}")
    exam.notes.fold("wrong_cell", "wrong_box")
