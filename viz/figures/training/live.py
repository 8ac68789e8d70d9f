"""A training drawn while it runs: a picture in a notebook, drawn anew in the training's own thread."""

import time
from pathlib import Path

import ipywidgets as w

from diagnosis import Watch

from ...canvas.style import Style
from .picture import picture

DOTS = 100  # dots an inch
SHARE = 0.02  # of the time that passes, for drawing


class LiveWatch(w.VBox):
    """The figure of a watch, drawn anew as rows come, and once more at the end.

    ``pause``: s between two drawings, at least; where drawing is slow, so many more that it takes no more than
    ``SHARE`` of the time. ``seconds``: what the last one took; ``drawn``: how many there were.
    """

    def __init__(
        self,
        watch: Watch | str | Path,
        *,
        branch: str | None,
        most: int,
        pause: float,
        width: float | None,
        style: Style,
    ):
        if not isinstance(watch, Watch):
            raise ValueError(
                f"live=True follows a training of this process: give the Watch that diagnosis.watch(model) returned, "
                f"not {str(watch)!r}. Of a folder, viz.watch(path) draws what stands in it by now."
            )
        self.watch, self.pause, self.drawn, self.seconds = watch, pause, 0, 0.0
        self._branch, self._most, self._width, self._style = branch, most, width, style
        self._due = 0.0
        self._image, self._line = w.Image(format="png"), w.HTML()
        self._stop = watch.listen(self._told)
        super().__init__([self._image, self._line])
        self.redraw()
        self._due = 0.0  # the first row is shown at once

    def redraw(self, *, over: bool = False) -> None:
        """Draw what is known by now."""
        began = time.monotonic()
        figure = picture(self.watch, branch=self._branch, most=self._most, width=self._width, style=self._style)
        self._image.value = figure.png(DOTS)
        now = time.monotonic()
        self.seconds, self.drawn = now - began, self.drawn + 1
        self._due = now + max(self.pause, self.seconds / SHARE)
        state = "The training has ended" if over else "The training runs"
        self._line.value = f"{state}: {len(self.watch)} batches watched, {len(self.watch.findings)} finding(s)."

    def close(self) -> None:
        """Follow the training no longer, and leave the page."""
        stop = getattr(self, "_stop", None)
        if stop is not None:
            stop()
        super().close()

    def _told(self, over: bool) -> None:
        if over or (time.monotonic() >= self._due and len(self.watch)):
            self.redraw(over=over)
