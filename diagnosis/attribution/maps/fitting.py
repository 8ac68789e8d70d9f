"""Which window each box is explained in, and which boxes share one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..presence import CLASS, presences
from ..subject import Subject
from ..windows import Window, area, around, as_boxes, shrunk, together, whole_frame

SIDES = (1.0, 2.0)  # of the box, around it: the windows that are tried before the whole frame
LONGEST = (320, 448)  # px that a window is shrunk to, where the detection stands it
STANDS = 0.7  # of the detection in the whole frame, that must be there in a window
SHARED = 1.5  # times the larger of two windows, that the window of both may have


class Counted:
    """Presences of subjects in a window, which counts what it costs in predicts.

    A predict is one forward pass at the full size of the network input; a window counts in proportion to its area.
    """

    def __init__(self, subjects: Sequence[Subject], window: Window):
        self.held = presences(subjects, window)
        self.share = window.share(subjects[0].trace.input_shape)
        self.spent = 0.0

    def __call__(self, frames: Tensor) -> np.ndarray:
        """What is held of each subject by frames (B, 3, h, w), cut as the window is, (n, B) float64."""
        self.spent += len(frames) * self.share
        with torch.no_grad():
            return self.held(frames).double().cpu().numpy()


def fitted(subjects: Sequence[Subject], frame: Tensor) -> tuple[list[tuple[Window, list[int]]], float]:
    """Windows with the indices of the subjects that are explained in them, and the predicts that the search cost.

    A window is that of the box and one side around it, shrunk while the detection stands; else wider; at last the whole
    frame. Boxes of a like size that lie close share one.
    """
    detections = [replace(one, what="logit") for one in subjects]  # what must stand, whatever is explained of it
    whole = Counted(detections, whole_frame(subjects[0].trace))
    full, shrink = whole(frame)[:, 0], all(one.what in CLASS for one in subjects)
    found, spent = [], whole.spent
    for window, group in _grouped(subjects):
        members = [detections[i] for i in group]
        left = list(range(len(group)))
        if len(group) > 1:
            chosen, left, cost = _first_standing(members, full[group], _shapes(members[0], window, shrink), frame)
            spent += cost
            if chosen is not None:
                found.append((chosen, [group[k] for k in range(len(group)) if k not in left]))
        for k in left:
            wider = _windows(members[k], shrink)
            alone, _, cost = _first_standing([members[k]], full[group[k] : group[k] + 1], wider, frame)
            found.append((alone or whole_frame(members[k].trace), [group[k]]))
            spent += cost
    return found, spent


def _grouped(subjects: Sequence[Subject]) -> list[tuple[Window, list[int]]]:
    """Every subject in one group, with the window of the group: one that is hardly larger than that of any member."""
    trace = subjects[0].trace
    boxes = as_boxes(trace, [one.anchor for one in subjects]).tolist()
    own = [around(trace, box, SIDES[0]) for box in boxes]
    groups: list[tuple[Window, list[int]]] = []
    for i in sorted(range(len(own)), key=lambda i: -area(own[i])):
        for place, (window, members) in enumerate(groups):
            both = together(window, own[i])
            if area(both) <= SHARED * min(area(own[k]) for k in (*members, i)):
                groups[place] = (both, [*members, i])
                break
        else:
            groups.append((own[i], [i]))
    return groups


def _first_standing(
    subjects: Sequence[Subject], full: np.ndarray, windows: Iterator[Window], frame: Tensor
) -> tuple[Window | None, list[int], float]:
    """The first window that all subjects stand, or else that most do, who does not, and the predicts that it cost."""
    best, left, spent = None, list(range(len(subjects))), 0.0
    for window in windows:
        number = Counted(subjects, window)
        now = number(window.cut(frame))[:, 0]
        spent += number.spent
        fallen = np.flatnonzero(now < STANDS * full).tolist()
        if len(fallen) < len(left):
            best, left = window, fallen
        if not left:
            break
    return best, left, spent


def _windows(subject: Subject, shrink: bool) -> Iterator[Window]:
    """All windows that a subject alone may be explained in, the cheapest first of each width."""
    (box,) = as_boxes(subject.trace, [subject.anchor]).tolist()
    for sides in SIDES:
        yield from _shapes(subject, around(subject.trace, box, sides), shrink)
    yield from _shapes(subject, whole_frame(subject.trace), shrink)


def _shapes(subject: Subject, window: Window, shrink: bool) -> Iterator[Window]:
    """A window as small as it may be read, and then larger."""
    tried = [shrunk(subject.trace, window, longest) for longest in LONGEST] if shrink else []
    yield from dict.fromkeys((*tried, window))
