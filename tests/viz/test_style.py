"""Figures outside pyplot: style, palette, display, and odd images."""

import io
import itertools
import pickle

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import viz
from tests.fresh_process import loaded_by
from viz.canvas.palette import LEVEL_COLORS, OTHER_LEVELS, ink, luminance

unlaid = pytest.mark.usefixtures("unlaid")

DRAW = {
    "detections": viz.detections,
    "heatmaps": viz.heatmaps,
    "logits": lambda trace, **style: viz.heatmaps(trace, [0, 1], "logit", scale="panel", level=[0, 2], **style),
    "anchor_grid": viz.anchor_grid,
    "one_grid": lambda trace, **style: viz.anchor_grid(trace, "P4", **style),
    "compare": lambda trace, **style: viz.compare(trace, trace, **style),
    "features": lambda trace, **style: viz.features(trace, most=2, **style),
    "distribution": lambda trace, **style: viz.distribution(trace, 0, **style),
}
SHAPES = {"one pixel": (1, 1), "strip": (40, 8000), "pole": (8000, 40), "photograph": (96, 128)}


@pytest.fixture(scope="module")
def trace(stage, hot):
    return stage((96, 128), [hot(0, 2, 3), hot(2, 1, 2, 1)])


@pytest.fixture(params=DRAW)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def figures():
    """Those of the trace that a test has drawn, by their names in ``DRAW``."""
    return {}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_any_shape_of_image_makes_a_figure_of_a_page_at_most(stage, hot, name, shape):
    trace = stage(shape, [hot(2, 0, 0)], imgsz=320)
    figure = DRAW[name](trace)
    width, height = figure.get_size_inches()
    assert 3 < width < 8 and 0.5 < height < 10.5
    for ax in figure.axes:
        box = ax.get_window_extent()
        assert min(box.width, box.height) > 4  # px of the display: nothing has collapsed


@pytest.mark.parametrize("name", [name for name in DRAW if name != "distribution"])
def test_no_detection_makes_a_figure(stage, name):
    assert isinstance(DRAW[name](stage((96, 128))), Figure)


@unlaid
def test_a_figure_not_to_scale_says_so(stage):
    figure = viz.heatmaps(stage((40, 8000)))
    assert figure.legends[0].get_title().get_text() == "Not to scale: height drawn 33.3 times larger."
    assert viz.heatmaps(stage((400, 800))).legends == []


def test_nothing_is_left_behind(trace, name, figures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = dict(matplotlib.rcParams)
    figures[name] = DRAW[name](trace)
    assert dict(matplotlib.rcParams) == before
    assert not any(tmp_path.iterdir())


def test_pyplot_is_not_loaded():
    assert "matplotlib.pyplot" not in loaded_by("viz")


@unlaid
def test_text_has_the_size_of_the_style_and_the_style_is_the_users(trace, tmp_path):
    title = viz.heatmaps(trace).axes[0].title
    assert title.get_fontsize() == 8
    assert viz.heatmaps(trace, style={"font.size": 12}).axes[0].title.get_fontsize() == 12
    sheet = tmp_path / "mine.mplstyle"
    sheet.write_text("font.size: 6\nfigure.facecolor: 112233\n")
    figure = viz.heatmaps(trace, style=[sheet, {"axes.titlesize": 20}])
    assert figure.axes[0].title.get_fontsize() == 20
    assert figure.get_facecolor()[:3] == to_rgb("#112233")


def test_the_style_lasts_when_the_figure_is_drawn_and_saved(trace):
    svg = io.StringIO()
    viz.detections(trace).savefig(svg, format="svg")
    assert "<text" in svg.getvalue()  # text stays text
    with matplotlib.rc_context({"savefig.dpi": 10}):
        png = io.BytesIO()
        viz.detections(trace, width=3.5).savefig(png, format="png")
    width = int.from_bytes(png.getvalue()[16:20], "big")
    assert width == 3.5 * viz.STYLE["savefig.dpi"]


@pytest.mark.parametrize(
    ("dpi", "style"), [(None, None), (40, None), (40, {"savefig.bbox": "tight"}), (40, {"savefig.facecolor": "red"})]
)
def test_a_png_is_the_file_that_savefig_writes(trace, dpi, style):
    figure, same = (viz.heatmaps(trace, level=0, width=2, style=style) for _ in range(2))
    own, canvas, png = figure.dpi, figure.canvas, io.BytesIO()
    same.savefig(png, format="png", dpi=dpi or own, pil_kwargs={"compress_level": 3})
    assert figure.png(dpi) == png.getvalue()
    assert figure.dpi == own and figure.canvas is canvas


@unlaid
def test_a_notebook_displays_the_figure_without_pyplot(trace):
    formatter = pytest.importorskip("IPython.core.formatters").DisplayFormatter()
    shown, _ = formatter.format(viz.detections(trace))
    assert shown["image/png"].startswith(b"\x89PNG")


@unlaid
def test_a_figure_can_be_pickled(trace):
    figure = viz.detections(trace)
    again = pickle.loads(pickle.dumps(figure))
    assert np.allclose(again.get_size_inches(), figure.get_size_inches())
    assert again._repr_png_().startswith(b"\x89PNG")


def test_texts_of_a_figure_do_not_overlap(trace, name, figures):
    figure = figures.get(name) or DRAW[name](trace)
    figure.draw_without_rendering()
    hidden = {id(label) for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for label in _beyond(axis)}
    texts = [
        text for text in figure.findobj(matplotlib.text.Text) if text.get_text().strip() and id(text) not in hidden
    ]
    hulls = [(text.get_text(), text.get_window_extent().padded(-1)) for text in texts if text.get_visible()]
    assert [(a, b) for (a, one), (b, two) in itertools.combinations(hulls, 2) if one.overlaps(two)] == []


def _beyond(axis) -> list:
    """Labels of ticks beyond the limits of their axis: they exist, but are not drawn."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]


# Viénot, Brettel and Mollon 1999: linear RGB as it looks without the long or the middle wavelength cones
WITHOUT_CONES = {
    "all cones": np.eye(3),
    "protanopia": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    "deuteranopia": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
}


@pytest.mark.parametrize("view", WITHOUT_CONES.values(), ids=WITHOUT_CONES)
def test_levels_can_be_told_apart_by_everyone(view):
    seen = [view @ (np.array(to_rgb(color)) ** 2.2) for color in LEVEL_COLORS.values()]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 0.1


def test_every_level_has_a_colour_and_readable_ink():
    assert viz.level_color("P3") == "#56B4E9"
    assert viz.level_color("P1") in OTHER_LEVELS and viz.level_color("P3.5") in OTHER_LEVELS
    for color in [*LEVEL_COLORS.values(), *OTHER_LEVELS]:
        ground, text = luminance(color), luminance(ink(color))
        assert (max(ground, text) + 0.05) / (min(ground, text) + 0.05) > 4.5
