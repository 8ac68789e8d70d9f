"""What an explorer panel knows and does, without a widget: focus, selection, live edits, undo, saving."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

import anatomy
import surgery
from anatomy import Trace, select_class, select_levels
from surgery.edit import tell
from surgery.ledger import names_then
from surgery.operations import One, OneOrMore, carry_out

from ..canvas.frame import cell_at
from .facts import Facts, explain, index_of
from .words import Row, rows_of

WHAT = ("score", "objectness", "logit", "nothing")


@dataclass(frozen=True)
class Control:
    """One kind of edit that the panel offers.

    ``operation``: its row in the table of surgery. ``parameter``: the one that takes the control's value, if any.
    ``given``: parameters that it always has. ``with_class``: its value is a second class. ``live``: a slider moves it.
    """

    operation: str
    parameter: str = ""
    given: Mapping[str, object] = field(default_factory=dict)
    with_class: bool = False
    live: bool = False


CONTROLS = {
    "shift": Control("shift_classes", parameter="k", live=True),
    "bias": Control("bias_classes", parameter="delta", live=True),
    "swap": Control("swap_classes", with_class=True),
    "silence": Control("zero_classes", given={"bias": "silence"}),
}
LIVE = tuple(name for name, control in CONTROLS.items() if control.live)


class Explorer:
    """One image, one model and what is looked at; every action is a method and returns a sentence on what it did.

    ``before`` is the trace at the start, ``trace`` that of the model as it is now, renewed by ``replay()`` after every
    edit. ``levels`` (indices) and ``class_id`` (None: any) are the focus: what the heat shows and what an edit changes.
    ``what`` is one of "score", "objectness", "logit", "nothing". ``anchor`` is the cell that is selected, or None; it
    stays selected across edits. With ``follow`` the focus goes to the level and class of what is picked. ``message``
    and ``failed`` tell how the last ``attempt`` ended. Arguments as in ``anatomy.trace``, with its errors.
    """

    def __init__(
        self,
        model: object,
        image: object,
        *,
        conf: float = 0.25,
        iou: float = 0.7,
        imgsz: Any = 640,
        **predict_args: Any,
    ):
        self.before: Trace = anatomy.trace(model, image, conf=conf, iou=iou, imgsz=imgsz, **predict_args)
        self.model, self.trace = model, self.before
        self.levels = tuple(range(len(self.trace.levels)))
        self.class_id: int | None = None
        self.what, self.follow = "score", True
        self.anchor = int(self.trace.detections.anchor[0]) if len(self.trace.detections) else None
        self.message, self.failed = self._count(), False
        self._live: surgery.Edit | None = None

    @property
    def history(self) -> tuple[surgery.Edit, ...]:
        """The edits of the model, oldest first; the last may be the live one of a slider."""
        return surgery.history(self.model)

    @property
    def names_then(self) -> tuple[Mapping[int, str], ...]:
        """Of each edit of the history the names of classes when it was made."""
        return names_then(self.model)

    @property
    def live(self) -> surgery.Edit | None:
        """The edit that a slider holds, still to be replaced by its next move; None once it is kept."""
        done = self.history if self._live else ()
        return self._live if done and done[-1] is self._live else None

    def look(self, level: OneOrMore | None = None, class_: One | None = None, what: str | None = None) -> str:
        """Turn the focus; what is None stays. ``level`` as everywhere, ``class_`` an id, a name, or "any"."""
        levels = self.levels if level is None else select_levels(self.trace.levels, level)
        class_id = self.class_id
        if class_ is not None:
            any_class = class_ == "any" and "any" not in self.trace.names.values()
            class_id = None if any_class else select_class(self.trace.names, class_)
        if what is not None and what not in WHAT:
            raise ValueError(f"what must be one of {', '.join(map(repr, WHAT))}, but {what!r} was given.")
        if (levels, class_id) != (self.levels, self.class_id):
            self.keep()
        self.levels, self.class_id, self.what = levels, class_id, what or self.what
        return ""

    def select(self, i: int) -> str:
        """Select detection i of ``trace``; IndexError where there is none."""
        count = len(self.trace.detections)
        if not 0 <= i < count:
            raise IndexError(f"Detection {i} does not exist: there are {count}, numbered from 0.")
        return self.select_anchor(int(self.trace.detections.anchor[i]))

    def select_anchor(self, anchor: int) -> str:
        """Select a cell by its anchor, a detection or not; ValueError outside the grids."""
        level = int(self.trace.places([anchor]).level[0])
        self.anchor = int(anchor)
        index = index_of(self.trace, self.anchor)
        if self.follow and index is not None:
            self.look(level, int(self.trace.detections.class_id[index]))
        return ""

    def pick(self, x: float, y: float) -> str:
        """Select what lies at (x, y) px of the original: the smallest box there, and at the next pick the one below.

        Where there is no box, it is the cell of the chosen levels that is surest of an object.
        """
        found = self.trace.detections
        inside = np.flatnonzero(((found.xyxy[:, :2] <= (x, y)) & (found.xyxy[:, 2:] >= (x, y))).all(1))
        if len(inside):
            area = (found.xyxy[inside, 2:] - found.xyxy[inside, :2]).prod(1)
            order = found.anchor[inside[np.argsort(area, kind="stable")]].tolist()
            place = order.index(self.anchor) + 1 if self.anchor in order else 0
            return self.select_anchor(order[place % len(order)])
        heat, best = self.trace.objectness(), []
        for level in self.levels:
            row, col = cell_at(self.trace, level, x, y)
            best.append((float(heat[level][row, col]), self.trace.anchor(level, row, col)))
        return self.select_anchor(max(best)[1])

    def edit(self, operation: str, value: Any = None) -> str:
        """Edit the class in focus at the levels in focus, for good until undone.

        ``operation``: "shift" by ``value`` classes, "bias" by ``value`` logits, "swap" with the class ``value``, or
        "silence". Without a class in focus "bias" and "silence" take every class. Errors leave everything as it was.
        """
        self.keep()
        edit = self._change(operation, value)
        if edit is None:
            raise ValueError(f"{operation!r} needs a value, but none was given. Give the classes to move, or logits.")
        return f"{self._told(edit)}. {self._count()}"

    def slide(self, operation: str, value: float | None) -> str:
        """What a slider does at every move: its edit of a move ago is taken back, and the new one stands; 0 is none."""
        if operation not in LIVE:
            raise ValueError(f"A slider moves {' or '.join(map(repr, LIVE))}, but {operation!r} was given. Use edit().")
        self._live = self._change(operation, value or None, instead=self.live)
        return f"{self._told(self._live)}. {self._count()}"

    def keep(self) -> str:
        """Keep the live edit of the slider: its next move adds another edit instead of replacing this one."""
        kept, self._live = self.live, None
        return f"Kept: {self._told(kept)}." if kept else ""

    def undo(self) -> str:
        """Take back the last edit, bit for bit; ValueError where there is none."""
        if not self.history:
            raise ValueError("Nothing has been edited, so there is nothing to undo.")
        names = self.names_then[-1:]
        return self._taken_back(surgery.undo(self.model), names)

    def reset(self) -> str:
        """Take back every edit."""
        names = self.names_then[::-1]
        return self._taken_back(surgery.reset(self.model), names)

    def save_recipe(self, path: str | PathLike[str]) -> str:
        """Write the edits as a JSON recipe, whole or not at all; OSError where that is not possible."""
        path = _writable(path, ".json")
        self.keep()
        surgery.write_recipe(self.history, path)
        return f"{len(self.history)} edit(s) written to {path}."

    def save_checkpoint(self, path: str | PathLike[str]) -> str:
        """Write the edited model as a ``.pt`` that Ultralytics opens; errors as ``surgery.save``."""
        path = _writable(path, ".pt")
        self.keep()
        surgery.save(self.model, path)
        return f"Model with {len(self.history)} edit(s) written to {path}."

    def facts(self) -> Facts | None:
        """All about the selected cell, or None."""
        return None if self.anchor is None else explain(self.trace, self.anchor, self.before)

    def rows(self) -> list[Row]:
        """The table: one row for each anchor that makes a detection now or made one at the start."""
        return rows_of(self.before, self.trace)

    def attempt(self, action: Callable[..., str], *arguments: Any) -> bool:
        """Run an action; its sentence, or its error, becomes ``message``. Returns whether it went well."""
        try:
            self.message, self.failed = action(*arguments), False
        except Exception as error:
            self.message, self.failed = str(error) or type(error).__name__, True
        return not self.failed

    def _change(self, operation: str, value, instead: surgery.Edit | None = None) -> surgery.Edit | None:
        """Apply an edit in place of the live one, if any, and replay; on an error all is as before."""
        if operation not in CONTROLS:
            raise ValueError(f"There is no operation {operation!r}. There are {', '.join(map(repr, CONTROLS))}.")
        control = CONTROLS[operation]
        if control.with_class and (self.class_id is None or value is None):
            raise ValueError("A swap needs two classes: choose one in focus, and the other to swap it with.")
        self._catch_up()
        with self._as_before_on_error(instead):
            if instead is not None:
                surgery.undo(self.model)
            edit = None
            if value is not None or not control.live:
                edit = self._carry_out(control, value)
            self.trace = self.trace.replay()
        return edit

    def _catch_up(self) -> None:
        """Look anew where the model was given other classes outside of the panel; a class that went is no focus."""
        if self.trace.head.as_now() is not self.trace.head:
            self.trace = self.trace.replay()
            if self.class_id not in self.trace.names:
                self.class_id = None

    def _carry_out(self, control: Control, value: Any) -> surgery.Edit:
        classes: Any = tuple(self.trace.names) if self.class_id is None else self.class_id
        if control.with_class:
            classes = (self.class_id, value)
        values = dict(control.given)
        if control.parameter:
            values[control.parameter] = value
        return carry_out(self.model, control.operation, self.levels, classes, values)

    @contextmanager
    def _as_before_on_error(self, live: surgery.Edit | None) -> Iterator[None]:
        count = len(self.history) - (live is not None)
        try:
            yield
        except Exception:
            surgery.undo(self.model, len(self.history) - count)
            if live is not None:
                (self._live,) = surgery.apply(self.model, live)
            raise

    def _told(self, edit: surgery.Edit | None) -> str:
        return "No edit" if edit is None else tell(edit, self.trace.levels, self.trace.names)

    def _taken_back(self, edits: tuple[surgery.Edit, ...], names: Sequence[Mapping[int, str]]) -> str:
        """What to say of edits, newest first, that were made on classes of these names."""
        self._live = None
        self._catch_up()
        self.trace = self.trace.replay()
        told = "; ".join(tell(edit, self.trace.levels, then) for edit, then in zip(edits, names, strict=True))
        return f"Taken back: {told}. {self._count()}" if told else "There was no edit to take back."

    def _count(self) -> str:
        now, before = len(self.trace.detections), len(self.before.detections)
        return f"{now} detections" + (f", {before} at the start." if now != before else ".")


def _writable(path: str | PathLike[str], ending: str) -> Path:
    """``path`` as a Path, checked for its ending and its folder."""
    if not str(path).strip():
        raise ValueError(f"Give the name of a file that ends in {ending}.")
    path = Path(path).expanduser()
    if path.suffix != ending:
        raise ValueError(f"The file must end in {ending}, but {path.name!r} was given.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r}. Make it first, or choose another.")
    if path.is_dir():
        raise IsADirectoryError(f"{str(path)!r} is a folder. Give the name of a file in it.")
    return path
