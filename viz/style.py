"""How figures look: the default style, the user's own on top of it, and a Figure that keeps both."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from matplotlib import style as mpl_style
from matplotlib.figure import Figure

SINGLE, DOUBLE = 3.5, 7.2  # inches: one and two columns of a journal
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


class Picture(Figure):
    """A matplotlib Figure outside pyplot that draws in the style it was made in and that notebooks display."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._style = {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if _belongs(key)}

    def draw(self, renderer):
        with matplotlib.rc_context(self._style):
            super().draw(renderer)

    def draw_without_rendering(self):
        with matplotlib.rc_context(self._style):
            super().draw_without_rendering()

    def savefig(self, *args, **kwargs):
        with matplotlib.rc_context(self._style):
            super().savefig(*args, **kwargs)

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png", dpi=self.dpi)
        return png.getvalue()


@contextmanager
def styled(style=None) -> Iterator[None]:
    """The default style for the length of a block, and on top of it what matplotlib's ``style.use`` takes.

    ``style``: a dict of rcParams, the name or path of a style sheet, or a list of those; "default" gives plain
    matplotlib. Outside the block rcParams are as before.
    """
    with matplotlib.rc_context(STYLE):
        if style is not None:
            mpl_style.use(style)
        yield


def _belongs(key: str) -> bool:
    """Whether an rcParam is part of how a figure looks or is saved, rather than of where it is shown."""
    return key.split(".")[0] in {"font", "mathtext", "text", "pdf", "ps", "svg", "savefig", "hatch", "path", "lines"}
