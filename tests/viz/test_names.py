"""Names come from data and are shown as they are written: in every figure, in the explorer and in the report."""

import re
import warnings
from dataclasses import replace
from functools import cache
from html import unescape

import matplotlib
import numpy as np
import pytest
import torch
from torch import nn

import anatomy
import diagnosis
import surgery
import viz
from detectors import demo_scene, demo_weights
from viz.canvas.style import PowersOfTen, power_of_ten

NAMES = {
    "mathtext": r"$\frac{1$",
    "two dollars": "$a$",
    "underscores": "a_b^c",
    "markup": "<b>&amp;'\"</b>",
    "two lines": "cat\nor dog",
    "long": "class " * 60,
    "emoji": "dog 🐕",
    "nothing": "",
    "right to left": "כלב",
    "percent": "100% {cat} %s",
    "control": "a\tb\x07c\x0bd",
    "formula": "=1+1",
}


@pytest.fixture(scope="module", params=NAMES.values(), ids=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def seen(name):
    """The demo detector with every class called by the name, and the trace of its scene."""
    model = surgery.load(demo_weights())
    model.model.names = dict.fromkeys(model.model.names, name)
    scene = demo_scene()
    return model, anatomy.trace(model, scene.image[..., ::-1].copy()), scene


def assignment(model, trace, scene):
    return viz.assignment(diagnosis.assign_trace(trace, scene.boxes, scene.labels))


def attribution(model, trace, scene):
    return viz.attribution(diagnosis.attribute(trace, 0, "layercam"))


def missed(model, trace, scene):
    sure = anatomy.trace(model, scene.image[..., ::-1].copy(), conf=0.9)
    return viz.missed(diagnosis.missed(sure, scene.boxes, scene.labels))


@cache
def field_of_the_demo() -> anatomy.ReceptiveField:
    image = demo_scene().image[..., ::-1].copy()
    return anatomy.receptive_field(surgery.load(demo_weights()), "P4", images=image, class_id=0)


def receptive_field(model, trace, scene):
    return viz.receptive_field(replace(field_of_the_demo(), images=(trace,)))


DRAW = {
    "anchor_grid": lambda model, trace, scene: viz.anchor_grid(trace),
    "assignment": assignment,
    "attribution": attribution,
    "compare": lambda model, trace, scene: viz.compare(trace, trace.silenced("P4")),
    "detections": lambda model, trace, scene: viz.detections(trace),
    "distribution": lambda model, trace, scene: viz.distribution(trace, 0),
    "features": lambda model, trace, scene: viz.features(trace, most=2),
    "heatmaps": lambda model, trace, scene: viz.heatmaps([trace], [0], "score", titles=[trace.names[0]]),
    "missed": missed,
    "receptive_field": receptive_field,
}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_every_figure_draws_every_name(seen, draw, pixels):
    check_verbatim(lambda: draw(*seen), pixels)


def check_verbatim(draw, pixels) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a font need not know every script
        figure = draw()
        assert pixels(figure)[..., :3].std() > 0
    texts = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text()]
    assert texts and not any(text.get_parse_math() or text.get_usetex() for text in texts)


@pytest.fixture(scope="module")
def found() -> dict:
    """What the other figures draw: of the demo detector, and of a network whose layers have names like formulas."""
    model, scene = surgery.load(demo_weights()), demo_scene()
    return {
        "layers": anatomy.layers(model),
        "loss_by_level": diagnosis.loss_by_level(model, scene.image[..., ::-1].copy(), scene.boxes, scene.labels),
        "numerics": _numerics(),
        "grid": diagnosis.check_grid(model),
    }


def _numerics() -> diagnosis.Numerics:
    net = nn.ModuleDict({"$a$": nn.Linear(4, 4), r"$\frac{1$": nn.Linear(4, 4)})
    net.forward = lambda x: net[r"$\frac{1$"](net["$a$"](x))
    return diagnosis.numerics(net, torch.rand(2, 4))


def targets(style):
    layout = diagnosis.TargetLayout(strides=(8,), classes=slice(5, 6))
    return viz.targets([np.zeros((6, 8, 8))], layout, style=style)


STYLES = [None, "default", {"text.parse_math": True, "text.usetex": True}]


@pytest.mark.parametrize("style", STYLES, ids=str)
@pytest.mark.parametrize("figure", ["layers", "loss_by_level", "numerics", "grid"])
def test_the_other_figures_and_every_style_are_verbatim_too(found, figure, style, pixels):
    check_verbatim(lambda: getattr(viz, figure)(found[figure], style=style), pixels)


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_targets_are_verbatim_in_every_style(style, pixels):
    check_verbatim(lambda: targets(style), pixels)


def test_powers_of_ten_need_no_mathtext():
    label = PowersOfTen()
    assert [label(value) for value in (1e-3, 1.0, 1e12, 2e5)] == ["10⁻³", "10⁰", "10¹²", "2×10⁵"]
    assert power_of_ten(-7) == "10⁻⁷"
    assert viz.numerics(diagnosis.numerics(nn.Linear(4, 4), torch.rand(2, 4))).axes[0].get_xscale() == "log"


def test_the_explorer_writes_names_as_they_are(seen, name):
    model, _, scene = seen
    panel = viz.explore(model, scene.image[..., ::-1].copy())
    picture = panel.picture
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        picture.figure.draw_without_rendering()
    shown = [label for label in picture.labels if label.get_visible()]
    assert shown and all(label.get_text().startswith(name) and not label.get_parse_math() for label in shown)


def test_the_report_escapes_every_name(seen, name, tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        place = viz.report(seen[1], tmp_path / "report", "png", figures="detections", title=name, dpi=40)
    page = (place / "index.html").read_text()
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    assert "<b>" not in body
    assert {unescape(cell) for cell in re.findall('<td class="name">([^<]*)</td>', body)} == {name}
    assert unescape(re.search("<h1>(.*?)</h1>", body, re.DOTALL)[1]) == name
