"""One detection explained in parts, and the sheet of all maps: what is drawn where."""

from dataclasses import replace

import numpy as np
import pytest

import diagnosis
import viz
from tests.diagnosis.attribution.patch_net import RedHead, red_patch, red_trace
from viz.canvas.evidence_map import around_box, brief
from viz.figures.why import EDGE_COLORS

unlaid = pytest.mark.usefixtures("unlaid")


@pytest.fixture(scope="module")
def trace():
    return red_trace(red_patch((120, 260), (180, 60), 20)[0], 0)


@pytest.fixture(scope="module")
def parts(trace):
    """The class map, and of the edges maps that are set by hand: each moved by a quarter of the box alone."""
    made = diagnosis.attribute_parts(trace, 0, "box fill")
    x1, y1, x2, y2 = trace.letterbox.to_input(made[0].subject.box).round().astype(int)
    quarters = [(y1, x1), (y1, (x1 + x2) // 2), ((y1 + y2) // 2, (x1 + x2) // 2), ((y1 + y2) // 2, x1)]
    edges = []
    for one, (row, col), size in zip(made[1:], quarters, (1, -20, 300, -4), strict=True):
        grid = np.zeros(trace.input_shape, np.float32)
        grid[row : row + (y2 - y1) // 2, col : col + (x2 - x1) // 2] = size
        edges.append(replace(one, heat=replace(one.heat, grid=grid, signed=True)))
    return (made[0], *edges)


@pytest.mark.parametrize(
    ("box", "ratio", "expected"),
    [
        ([40, 30, 60, 40], 1.0, [20, 5, 80, 65]),  # three times its longer side
        ([40, 30, 60, 40], 0.5, [20, 20, 80, 50]),  # which the ratio lets be
        ([0, 0, 20, 10], 0.5, [0, 0, 60, 30]),  # moved into the photograph
        ([10, 10, 90, 90], 1.0, [0, 0, 120, 100]),  # which has no more
    ],
)
def test_what_is_shown_of_a_box_by_hand(box, ratio, expected):
    assert around_box(np.array(box), (100, 120), ratio).tolist() == expected


@pytest.mark.parametrize(
    ("name", "told"), [("cat\nor dog", "cat or dog"), ("$a_b$", "$a_b$"), ("class " * 9, "class class…"), ("", "")]
)
def test_a_name_takes_one_line_of_a_narrow_panel(name, told):
    assert brief(name, 12) == told


def test_names_stand_as_they_are_written(pixels, monkeypatch):
    monkeypatch.setattr(RedHead, "names", {0: "$\\frac{1$ \n a_b^c", 1: "nothing"})
    made = diagnosis.attribute_all(red_trace(red_patch((64, 64), (30, 30), 20)[0], 0, imgsz=64), method="box fill")
    for figure in (viz.why(made), viz.maps(made)):
        assert pixels(figure)[..., :3].std() > 0
        assert "$\\frac{1$" in "".join(ax.get_title() for ax in figure.axes)


def test_parts_are_the_class_and_the_four_edges_at_its_cost(trace):
    made = diagnosis.attribute_parts(trace, 0, budget=8, progress=False)
    assert [one.subject.what for one in made] == ["logit", "left", "top", "right", "bottom"]
    assert {one.subject.anchor for one in made} == {int(trace.detections.anchor[0])}
    assert sum(one.heat.passes for one in made[1:]) <= 8 >= made[0].heat.passes


@unlaid
def test_class_and_edges_stand_beside_each_other_around_the_box(parts, artists):
    figure = viz.why(parts)
    left, right = figure.axes
    x1, _, x2, _ = parts[0].subject.box
    assert left.get_xlim() == right.get_xlim() == pytest.approx(((3 * x1 - x2) / 2 - (x2 - x1) / 2, 2 * x2 - x1))
    assert left.get_title() == "its class: red"
    (drawn,) = artists(figure, "edges")
    image, (height, width) = drawn.get_array(), parts[0].map.shape
    assert image.shape == (height, width, 4)
    middle = (parts[0].subject.box[:2] + parts[0].subject.box[2:]) / 2
    for (dx, dy), color in zip(((-3, -3), (3, -3), (3, 3), (-3, 3)), EDGE_COLORS.values(), strict=True):
        px = image[int(middle[1] + dy), int(middle[0] + dx)]  # the largest of each edge, whatever its px
        assert [round(255 * value) for value in px[:3]] == [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert px[3] == pytest.approx(0.85)
    assert image[0, 0, 3] == 0


@unlaid
def test_a_bar_a_level_and_the_verdict(trace, parts, artists):
    evidence = diagnosis.level_evidence(trace, 0, iou=0.3)
    figure = viz.why(parts, evidence)
    bars = [artists(figure, f"level:{level.name}")[0].get_width() for level in trace.levels]
    np.testing.assert_allclose(bars, evidence.strongest()[0])
    ax = figure.axes[-1]
    assert "made it" in ax.texts[0].get_text() and ax.get_xlabel().startswith("without P3: ")


def test_the_strongest_of_every_level_by_hand(trace):
    found = diagnosis.level_evidence(trace, 0, iou=0.99)
    assert found.strongest().tolist() == [[pytest.approx(float(trace.detections.confidence[0])), 0, 0]]
    boxes = trace.letterbox.to_original(trace.decode(np.arange(trace.pyramid.count)))
    mine = trace.detections.xyxy[0]
    common = (np.minimum(boxes[:, 2:], mine[2:]) - np.maximum(boxes[:, :2], mine[:2])).clip(0).prod(1)
    iou = common / ((boxes[:, 2:] - boxes[:, :2]).prod(1) + (mine[2:] - mine[:2]).prod() - common)
    scores = np.where(iou >= 0.2, trace.scores()[0].numpy(), 0)
    expected = [scores[anchors].max() for anchors in trace.pyramid.slices]
    wide = diagnosis.level_evidence(trace, 0, iou=0.2).strongest()[0]
    np.testing.assert_allclose(wide, expected, rtol=1e-6)
    assert wide[1] > 0


@unlaid
def test_a_sheet_shows_every_box_enlarged(trace, artists):
    cells = [{"anchor": trace.anchor(0, row, col)} for row, col in ((4, 4), (7, 22), (9, 30))]
    made = diagnosis.attribute_all(trace, cells, "layercam")
    figure = viz.maps(made)
    assert len(artists(figure, "attribution")) == len(artists(figure, "box")) == 3
    for ax, one in zip(figure.axes, made, strict=True):
        assert tuple(ax.get_xlim()) == tuple(around_box(one.subject.box, one.map.shape, 1.0)[[0, 2]])
        assert ax.get_title().startswith("red ") and ax.get_title().endswith(" P3")


@unlaid
def test_a_small_object_stands_enlarged_far_from_itself_and_a_large_one_does_not(artists):
    for centre, side, place in (((40, 40), 20, (0.5, 0.0)), ((350, 250), 20, (0.0, 0.5)), ((200, 150), 200, None)):
        trace = red_trace(red_patch((300, 400), centre, side)[0], 0 if side < 100 else 2, imgsz=512)
        figure = viz.attribution(diagnosis.attribute(trace, 0, "box fill"))
        insets = figure.axes[0].child_axes
        assert len(insets) == len(artists(figure, "enlarged")) == (place is not None)
        if place:
            corner = insets[0].get_axes_locator()(insets[0], None).bounds[:2]
            origin, size = figure.axes[0].bbox.p0, figure.axes[0].bbox.size
            whole = figure.transFigure.transform(corner)
            np.testing.assert_allclose((whole - origin) / size, place, atol=0.02)


def test_what_is_not_one_detection_is_refused(trace, parts):
    other = diagnosis.attribute(trace, {"anchor": 5}, "box fill", what="left")
    for maps in ([], parts[1:], (parts[0], parts[0]), (parts[0], other)):
        with pytest.raises(ValueError, match="maps must be one of a class and then those of edges, of one cell"):
            viz.why(maps)
    with pytest.raises(ValueError, match="evidence must be of the detection that the maps explain, anchor "):
        viz.why(parts, replace(diagnosis.level_evidence(trace, 0), detections=()))
    with pytest.raises(ValueError, match="One map or more is needed, but none was given"):
        viz.maps([])
