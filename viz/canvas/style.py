"""How figures look: the default style, the user's own on top of it, and a Figure that keeps both."""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import matplotlib
from matplotlib import style as mpl_style
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import LogFormatterSciNotation
from matplotlib.typing import RcStyleType

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SINGLE, DOUBLE = 3.5, 7.2  # inches: one and two columns of a journal
Style = RcStyleType | None
"""What a caller may ask for on top of the default: what ``matplotlib.style.use`` takes."""
STYLE = {
    "font.size": 8,
    "axes.titlesize": "medium",
    "axes.labelsize": "medium",
    "figure.titlesize": "medium",
    "xtick.labelsize": "small",
    "ytick.labelsize": "small",
    "legend.fontsize": "small",
    "legend.title_fontsize": "small",
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.titlepad": 3,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "hatch.linewidth": 0.5,
    "figure.dpi": 150,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # text stays text
    "ps.fonttype": 42,
    "svg.fonttype": "none",
}
VERBATIM = {"text.parse_math": False, "text.usetex": False, "axes.formatter.use_mathtext": False}
"""Class and file names are shown as they are written: no text of a figure is mathtext or TeX."""
AS_DRAWN = {"savefig.bbox": None, "savefig.transparent": False}
AS_DRAWN |= {"savefig.facecolor": "auto", "savefig.edgecolor": "auto"}
"""Styles in which a file shows the figure as it is drawn: nothing is cut off, and no colour is another."""


class Picture(Figure):
    """A matplotlib Figure outside pyplot that draws in the style it was made in and that notebooks display."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._style = {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if _belongs(key)}

    def draw(self, renderer: RendererBase) -> None:
        """Draw as ``Figure.draw`` does."""
        with matplotlib.rc_context(_rc(self._style)):
            super().draw(renderer)

    def draw_without_rendering(self) -> None:
        """Lay out as ``Figure.draw_without_rendering`` does."""
        with matplotlib.rc_context(_rc(self._style)):
            super().draw_without_rendering()

    def lay_out(self) -> None:
        """Give the axes their final places, as drawing would; from now on they stay there."""
        engine = self.get_layout_engine()
        if engine is not None:
            with matplotlib.rc_context(_rc(self._style)):
                engine.execute(self)
        self.set_layout_engine("none")

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Write a file as ``Figure.savefig`` does."""
        with matplotlib.rc_context(_rc(self._style)):
            super().savefig(*args, **kwargs)

    def png(self, dpi: float | None = None, compress_level: int = 3) -> bytes:
        """The file that ``savefig`` writes as PNG, at the figure's own ``dpi`` or another, drawn once.

        ``savefig`` draws twice: without ink first, to lay out, which the drawing itself does as well.
        """
        dpi = self.dpi if dpi is None else dpi
        file, pil = io.BytesIO(), {"compress_level": compress_level}
        if any(self._style[key] != value for key, value in AS_DRAWN.items()):
            self.savefig(file, format="png", dpi=dpi, pil_kwargs=pil)
            return file.getvalue()
        with matplotlib.rc_context(_rc(self._style)), self._drawn_by_agg(dpi) as canvas:
            canvas.draw()
            imsave(file, canvas.buffer_rgba(), format="png", origin="upper", dpi=dpi, pil_kwargs=pil)
        return file.getvalue()

    @contextmanager
    def _drawn_by_agg(self, dpi: float) -> Iterator[FigureCanvasAgg]:
        """Within the block the figure has this resolution and a canvas of pixels; then again what it had."""
        canvas, own = self.canvas, self.dpi
        try:
            self.set_dpi(dpi)
            yield FigureCanvasAgg(self)
        finally:
            self.set_canvas(canvas)
            self.set_dpi(own)

    def _repr_png_(self) -> bytes:
        return self.png()


@contextmanager
def styled(style: Style = None) -> Iterator[None]:
    """The default style for the length of a block, and on top of it what matplotlib's ``style.use`` takes.

    ``style``: a dict of rcParams, the name or path of a style sheet, or a list of those; "default" gives plain
    matplotlib. A dollar sign in a text is a dollar sign in every style. Outside the block rcParams are as before.
    """
    with matplotlib.rc_context(_rc(STYLE)):
        if style is not None:
            mpl_style.use(style)
        matplotlib.rcParams.update(_rc(VERBATIM))
        yield


class PowersOfTen(LogFormatterSciNotation):
    """Labels of a logarithmic axis as plain text: 10⁻³, 2×10⁵."""

    def __call__(self, value: float, pos: int | None = None) -> str:
        """The label of a tick at this value."""
        text = super().__call__(value, pos).removeprefix(r"$\mathdefault{").removesuffix("}$").replace(r"\times", "×")
        return re.sub(r"\^\{(-?\d+)\}", lambda found: found[1].translate(RAISED), text)


def power_of_ten(exponent: int) -> str:
    """``10⁻³`` for -3."""
    return f"10{str(exponent).translate(RAISED)}"


def label_powers(axis: Axis) -> None:
    """Label a logarithmic x or y axis with powers of ten that need no mathtext."""
    axis.set_major_formatter(PowersOfTen())
    axis.set_minor_formatter(PowersOfTen(labelOnlyBase=False))


def _belongs(key: str) -> bool:
    """Whether an rcParam is part of how a figure looks or is saved, rather than of where it is shown."""
    return key.split(".")[0] in {"font", "mathtext", "text", "pdf", "ps", "svg", "savefig", "hatch", "path", "lines"}


def _rc(values: Mapping[str, object]) -> "dict[RcKeyType, Any]":
    """rcParams under their names; matplotlib's annotations know each name by itself."""
    return cast("dict[RcKeyType, Any]", dict(values))
