"""What a training did level by level: from what it learned, what that cost, how strongly it pulled, what went wrong."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from diagnosis import Watch, read_watch

from ..canvas.style import Picture, Style
from .training.picture import picture

if TYPE_CHECKING:
    from .training.live import LiveWatch


@overload
def watch(
    watch: Watch | str | Path,
    *,
    live: Literal[False] = False,
    branch: str | None = None,
    most: int = 8,
    pause: float = 5.0,
    width: float | None = None,
    style: Style = None,
) -> Picture: ...
@overload
def watch(
    watch: Watch,
    *,
    live: Literal[True],
    branch: str | None = None,
    most: int = 8,
    pause: float = 5.0,
    width: float | None = None,
    style: Style = None,
) -> "LiveWatch": ...
def watch(
    watch: Watch | str | Path,
    *,
    live: bool = False,
    branch: str | None = None,
    most: int = 8,
    pause: float = 5.0,
    width: float | None = None,
    style: Style = None,
) -> "Picture | LiveWatch":
    """Draw a training as ``diagnosis.watch`` saw it, or as it stands in the folder of a watch; returns a Figure.

    A panel a number, over the epochs: positives, target mass and every loss item by level, objects without a positive
    by size, norms of the gradient, the scale of what the head reads, loss and learning rate. Levels have their colours,
    a second branch is dashed; ``branch`` draws one alone. Of many rows each point is the median of several, within a
    band from the least to the greatest. Findings, at most ``most``, have a number where they began and stand below.

    ``live``: an ipywidgets object instead, that draws itself anew while the training runs, at least ``pause`` seconds
    apart, and seldom enough to cost it little; display it before ``model.train(…)``. Raises ValueError for a branch
    that was not watched and for a live display of a folder, FileNotFoundError where there is no watch,
    TypeError for anything else, such as a model.
    """
    if not isinstance(watch, Watch | str | Path):
        raise TypeError(
            f"viz.watch draws a training that was watched: give what diagnosis.watch(model) returned, or its folder, "
            f"but {type(watch).__name__} was given."
        )
    if live:
        return _live()(watch, branch=branch, most=most, pause=pause, width=width, style=style)
    found = watch if isinstance(watch, Watch) else read_watch(watch)
    return picture(found, branch=branch, most=most, width=width, style=style)


def _live() -> "type[LiveWatch]":
    """The live display; raises ImportError where ipywidgets is missing."""
    try:
        from .training.live import LiveWatch
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("ipywidgets", "IPython"):
            raise
        raise ImportError(
            f"A live display needs ipywidgets, but {error.name} is not installed. Run `pip install ipywidgets` and "
            "restart the kernel; viz.watch(watch) draws the training as it is now without it.",
            name=error.name,
        ) from error
    return LiveWatch
