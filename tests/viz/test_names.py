"""Names come from data and are shown as they are written: in every figure, in the explorer and in the report."""

import re
import warnings
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from html import unescape
from itertools import cycle
from typing import Any

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
from tests.viz.test_grid import level, report
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


ONE_LINE = {label: name for label, name in NAMES.items() if label not in ("long", "two lines")}
"""Names that take the room of any other word."""


@pytest.fixture(scope="module")
def demo():
    """The demo detector, its scene, and the classes that it finds there."""
    model, scene = surgery.load(demo_weights()), demo_scene()
    found = anatomy.trace(deepcopy(model), scene.image[..., ::-1].copy()).detections.class_id
    return model, scene, list(dict.fromkeys(found.tolist()))


@dataclass(frozen=True)
class Seen:
    """The demo detector with other names, what it sees in its scene, and the names of what it finds there."""

    model: Any
    trace: anatomy.Trace
    scene: Any
    names: set[str]


def see(demo, names: Sequence[str]) -> Seen:
    """What the demo sees when the classes that it finds have these names, in turn; it finds more than there are."""
    model, scene, found = demo
    model = deepcopy(model)  # which has not run yet: one that has cannot be copied
    assert len(found) >= len(names)
    model.model.names = dict.fromkeys(model.model.names, names[0]) | dict(zip(found, cycle(names), strict=False))
    return Seen(model, anatomy.trace(model, scene.image[..., ::-1].copy()), scene, set(names))


@pytest.fixture(scope="module", params=NAMES)
def alone(request, demo):
    """Every class has the same name."""
    return see(demo, [NAMES[request.param]])


HALVES = [[*list(ONE_LINE)[:5], "two lines"], [*list(ONE_LINE)[5:], "long"]]


@pytest.fixture(scope="module", params=HALVES, ids=" ".join)
def together(request, demo):
    """Half of the names, each that of a class which is found."""
    return see(demo, [NAMES[label] for label in request.param])


def assignment(seen):
    return viz.assignment(diagnosis.assign_trace(seen.trace, seen.scene.boxes, seen.scene.labels))


def attribution(seen):
    return viz.attribution(diagnosis.attribute(seen.trace, 0, "layercam"))


def missed(seen):
    sure = anatomy.trace(seen.model, seen.scene.image[..., ::-1].copy(), conf=0.9)
    return viz.missed(diagnosis.missed(sure, seen.scene.boxes, seen.scene.labels))


@cache
def field_of_the_demo() -> anatomy.ReceptiveField:
    image = demo_scene().image[..., ::-1].copy()
    return anatomy.receptive_field(surgery.load(demo_weights()), "P4", images=image, class_id=0)


def receptive_field(seen):
    return viz.receptive_field(replace(field_of_the_demo(), images=(seen.trace,)))


OF_ONE = {  # figures that name a single class
    "attribution": attribution,
    "distribution": lambda seen: viz.distribution(seen.trace, 0),
    "heatmaps": lambda seen: viz.heatmaps(
        [seen.trace], [0], "score", titles=[seen.trace.names[0]], level="P4", cells=False
    ),
    "receptive_field": receptive_field,
}
OF_ALL = {  # figures that name every class that is found, or none
    "anchor_grid": lambda seen: viz.anchor_grid(seen.trace),
    "assignment": assignment,
    "compare": lambda seen: viz.compare(seen.trace, seen.trace.silenced("P4")),
    "detections": lambda seen: viz.detections(seen.trace),
    "features": lambda seen: viz.features(seen.trace, most=2),
    "missed": missed,
}


@pytest.mark.parametrize("draw", OF_ONE.values(), ids=OF_ONE)
def test_every_figure_of_one_class_draws_every_name(request, alone, draw, pixels):
    if alone.names <= set(ONE_LINE.values()):  # what takes no more room than another word needs no layout of its own
        request.getfixturevalue("unlaid")
    check_verbatim(lambda: draw(alone), pixels)


@pytest.mark.parametrize("draw", OF_ALL.values(), ids=OF_ALL)
def test_every_figure_of_all_classes_draws_every_name(together, draw, pixels):
    check_verbatim(lambda: draw(together), pixels)


def test_names_stand_in_the_labels_as_they_are_written(together, artists):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        written = [label.get_text() for label in artists(viz.detections(together.trace), "label")]
    for name in together.names - {NAMES["long"]}:  # for which there is no room
        assert any(label.startswith(f"{name} 0.") for label in written), name


def check_verbatim(draw, pixels) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a font need not know every script
        figure = draw()
        assert pixels(figure)[..., :3].std() > 0
    texts = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text()]
    assert texts and not any(text.get_parse_math() or text.get_usetex() for text in texts)


@pytest.fixture(scope="module")
def found() -> dict:
    """What the other figures draw: of the demo detector, and of layers and levels with names like formulas."""
    model, scene = surgery.load(demo_weights()), demo_scene()
    return {
        "layers": anatomy.layers(model),
        "loss_by_level": diagnosis.loss_by_level(model, scene.image[..., ::-1].copy(), scene.boxes, scene.labels),
        "numerics": _numerics(),
        "grid": report(level(0, "$a$", 8), level(1, r"$\frac{1$", 32)),
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
def test_the_other_figures_and_every_style_are_verbatim_too(request, found, figure, style, pixels):
    if style is not None:
        request.getfixturevalue("unlaid")
    check_verbatim(lambda: getattr(viz, figure)(found[figure], style=style), pixels)


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_targets_are_verbatim_in_every_style(style, pixels):
    check_verbatim(lambda: targets(style), pixels)


def test_powers_of_ten_need_no_mathtext():
    label = PowersOfTen()
    assert [label(value) for value in (1e-3, 1.0, 1e12, 2e5)] == ["10⁻³", "10⁰", "10¹²", "2×10⁵"]
    assert power_of_ten(-7) == "10⁻⁷"
    assert viz.numerics(diagnosis.numerics(nn.Linear(4, 4), torch.rand(2, 4))).axes[0].get_xscale() == "log"


def test_the_explorer_writes_names_as_they_are(together):
    panel = viz.explore(together.model, together.scene.image[..., ::-1].copy())
    picture = panel.picture
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        picture.figure.draw_without_rendering()
    shown = [label for label in picture.labels if label.get_visible()]
    found = {f"{name} {sure:.2f}" for name, sure in _named(panel.explorer.trace.detections)}
    assert {label.get_text() for label in shown} <= found
    for name in together.names:
        assert any(label.get_text().startswith(f"{name} 0.") for label in shown), name
    assert not any(label.get_parse_math() for label in shown)


def _named(found) -> Iterator[tuple[str, float]]:
    return zip(found.class_name, found.confidence.tolist(), strict=True)


def test_the_report_escapes_every_name(alone, tmp_path):
    (name,) = alone.names
    place = viz.report(alone.trace, tmp_path / "report", "png", figures="distribution", best=0, title=name)
    page = (place / "index.html").read_text()
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    assert "<b>" not in body
    assert {unescape(cell) for cell in re.findall('<td class="name">([^<]*)</td>', body)} == {name}
    assert unescape(re.search("<h1>(.*?)</h1>", body, re.DOTALL)[1]) == name
