"""The explorer: a panel for notebooks, in which a detector is looked at, edited and restored by hand."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .state import Explorer

if TYPE_CHECKING:
    from .panel import Panel


def explore(
    model: object,
    image: object,
    *,
    conf: float = 0.25,
    iou: float = 0.7,
    imgsz: int | Sequence[int] = 640,
    **predict_args: Any,
) -> "Panel":
    """A panel on one image: click a box to see what made it, change class rows, see the effect at once, take it back.

    Arguments as in ``anatomy.trace``. Returns an ipywidgets object for JupyterLab, VS Code and Colab, and displays
    nothing itself; its ``explorer`` is an ``Explorer``, which does everything without a browser. The edits are made on
    ``model`` itself. Raises ImportError, before anything is run, where ipywidgets or ipympl is missing.
    """
    try:
        from .panel import Panel
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("ipywidgets", "ipympl", "IPython"):
            raise
        raise ImportError(
            f"The panel needs ipywidgets and ipympl, but {error.name} is not installed. Run `pip install ipywidgets "
            "ipympl` and restart the kernel; viz.Explorer(model, image) does the same without a panel.",
            name=error.name,
        ) from error
    return Panel(Explorer(model, image, conf=conf, iou=iou, imgsz=imgsz, **predict_args))
