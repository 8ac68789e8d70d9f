"""Values, scales, and what is not a number or out of range, in ``viz.heatmaps``."""

import numpy as np
import pytest
import torch

import viz
from anatomy import SelectionError

unlaid = pytest.mark.usefixtures("unlaid")


@pytest.fixture(scope="module")
def trace(stage, hot):
    return stage((128, 192), [hot(0, 2, 3, 0, 3.0), hot(2, 1, 2, 1, 2.0)], imgsz=192)


def heats(figure, artists):
    return [image for name in ("P3", "P4", "P5") for image in artists(figure, f"heat:{name}")]


def bars(figure):
    return [ax for ax in figure.axes if getattr(ax, "_colorbar", None) is not None]


@unlaid
@pytest.mark.parametrize(
    ("classes", "what", "value"),
    [
        (None, "objectness", lambda trace, level: trace.objectness()[level]),
        (None, "score", lambda trace, level: trace.logits[level].amax(0).sigmoid()),
        (None, "logit", lambda trace, level: trace.logits[level].amax(0)),
        (["bird", "dog"], "objectness", lambda trace, level: trace.logits[level][[0, 2]].amax(0).sigmoid()),
        ("cat", "score", lambda trace, level: trace.logits[level][1].sigmoid()),
        (1, "logit", lambda trace, level: trace.logits[level][1]),
    ],
)
def test_each_panel_holds_the_values_of_its_level(trace, artists, classes, what, value):
    for level, drawn in enumerate(heats(viz.heatmaps(trace, classes, what), artists)):
        assert np.allclose(drawn.get_array(), value(trace, level).numpy())


@unlaid
def test_several_classes_make_a_row_each_and_mark_their_own_cells(trace, artists):
    figure = viz.heatmaps(trace, ["bird", "cat"], "score")
    assert len(artists(figure, "heat:P3")) == 2
    assert [ax.get_ylabel() for ax in figure.axes[:6]] == ["bird", "", "", "cat", "", ""]
    assert [len(mark.get_paths()) for mark in artists(figure, "cells:P3")] == [1, 0]
    assert [len(mark.get_paths()) for mark in artists(figure, "cells:P5")] == [0, 1]


@unlaid
def test_a_shared_scale_is_one_and_said(trace, artists):
    figure = viz.heatmaps(trace)
    assert len({(image.norm.vmin, image.norm.vmax) for image in heats(figure, artists)}) == 1
    (bar,) = bars(figure)
    assert bar.get_xlabel() == "objectness (largest class probability), one scale for all panels"


@unlaid
def test_a_scale_a_panel_ends_at_its_own_maximum_and_is_said(trace, artists):
    figure = viz.heatmaps(trace, scale="panel")
    most = [float(level.max()) for level in trace.objectness()]
    assert [image.norm.vmax for image in heats(figure, artists)] == pytest.approx(most)
    assert [bar.get_xlabel() for bar in bars(figure)] == ["objectness,\nown scale"] * 3


@unlaid
@pytest.mark.parametrize(
    ("limits", "extend"), [(None, "neither"), ((0.0, 0.5), "max"), ((0.1, 1.0), "min"), ((0.1, 0.5), "both")]
)
def test_what_is_clipped_shows_as_an_arrow(trace, limits, extend):
    assert bars(viz.heatmaps(trace, limits=limits))[0]._colorbar.extend == extend


def test_nan_is_hatched_and_counted_and_infinities_leave_the_scale_alone(stage, artists):
    logits = tuple(torch.full((3, rows, cols), -3.0) for rows, cols in ((16, 24), (8, 12), (4, 6)))
    logits[1][:, 2, 3:5] = torch.nan
    logits[2][0, 0, 0], logits[2][:, 1, 1], logits[0][0, 0, 0] = torch.inf, -torch.inf, 1.0
    figure = viz.heatmaps(stage((128, 192), imgsz=192, logits=logits), what="logit")
    p3, p4, p5 = heats(figure, artists)
    assert (p3.norm.vmin, p3.norm.vmax) == (-3.0, 1.0)
    assert np.argwhere(p4.get_array().mask).tolist() == [[2, 3], [2, 4]]
    (hatched,) = artists(figure, "missing")
    assert len(hatched.get_paths()) == 2 and hatched.get_hatch() and hatched.axes is p4.axes
    assert p5.get_array()[0, 0] > 1.0 and p5.get_array()[1, 1] < -3.0
    assert bars(figure)[0]._colorbar.extend == "both"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["not a number: 2 cells"]


@unlaid
def test_a_muted_level_does_not_stretch_the_scale_of_logits(stage, artists):
    logits = tuple(
        torch.full((3, rows, cols), value)
        for (rows, cols), value in zip(((16, 24), (8, 12), (4, 6)), (-9.0, -1e4, 1.0), strict=True)
    )
    drawn = heats(viz.heatmaps(stage((128, 192), imgsz=192, logits=logits), what="logit"), artists)
    assert (drawn[0].norm.vmin, drawn[0].norm.vmax) == (-15.0, 1.0)


@unlaid
def test_all_that_is_not_a_number_is_still_a_figure(stage):
    logits = tuple(torch.full((3, rows, cols), torch.nan) for rows, cols in ((16, 24), (8, 12), (4, 6)))
    figure = viz.heatmaps(stage((128, 192), imgsz=192, logits=logits))
    assert figure.legends[0].get_texts()[0].get_text() == f"not a number: {16 * 24 + 8 * 12 + 4 * 6} cells"


@unlaid
def test_levels_can_be_chosen_and_cells_left_out(trace, artists):
    figure = viz.heatmaps(trace, level=["P5", 0], cells=False)
    assert [ax.get_title() for ax in figure.axes[:2]] == ["P3: 16 × 24 cells", "P5: 4 × 6 cells"]
    assert not artists(figure, "cells:P3") and not figure.legends


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"what": "heat"}, ValueError, "what must be one of 'objectness', 'score', 'logit', but 'heat' was given"),
        ({"scale": "both"}, ValueError, "scale must be 'shared' or 'panel', but 'both' was given"),
        ({"limits": (1, 0)}, ValueError, "low below high"),
        ({"level": "P7"}, SelectionError, "Level 'P7' does not exist"),
        ({"classes": "brid"}, SelectionError, "Did you mean 'bird'"),
        ({"classes": [3]}, SelectionError, "out of range"),
    ],
)
def test_errors_come_at_the_door(trace, arguments, error, message):
    with pytest.raises(error, match=message):
        viz.heatmaps(trace, **arguments)


def test_more_rows_than_a_page_holds_are_refused(trace, monkeypatch):
    monkeypatch.setattr("viz.canvas.cell_values.MOST_ROWS", 2)
    with pytest.raises(ValueError, match="at most 2 rows, one a class, but 3 classes were given"):
        viz.heatmaps(trace, "all", "score")


def test_several_traces_lie_below_one_another_on_one_scale(trace, stage, hot, artists):
    other = stage((128, 192), [hot(1, 4, 5, 2, 5.0)], imgsz=192)
    figure = viz.heatmaps([trace, other], titles=["before", "after"])
    assert [ax.get_ylabel() for ax in figure.axes[:6]] == ["before", "", "", "after", "", ""]
    assert [bool(ax.get_title()) for ax in figure.axes[:6]] == [True] * 3 + [False] * 3
    for level, name in enumerate(("P3", "P4", "P5")):
        for drawn, source in zip(artists(figure, f"heat:{name}"), (trace, other), strict=True):
            assert np.allclose(drawn.get_array(), source.objectness()[level].numpy())
            assert drawn.norm.vmax == float(other.objectness()[1].max())
    assert [len(mark.get_paths()) for mark in artists(figure, "cells:P3")] == [1, 0]
    assert [len(mark.get_paths()) for mark in artists(figure, "cells:P4")] == [0, 1]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        f"cell of a {name} detection" for name in ("P3", "P4", "P5")
    ]


@unlaid
def test_traces_of_other_images_say_how_many_cells_they_have_and_classes_make_rows_of_each(trace, stage, artists):
    figure = viz.heatmaps([trace, stage((192, 128), imgsz=192)], ["bird", "dog"], "score", titles=["a", "b"])
    assert [ax.get_ylabel() for ax in figure.axes[:12:3]] == ["a\nbird", "a\ndog", "b\nbird", "b\ndog"]
    assert [ax.get_title() for ax in figure.axes[:12:3]] == [
        "P3: 16 × 24 cells", "", "P3: 24 × 16 cells", "P3: 24 × 16 cells"
    ]  # fmt: skip


def test_traces_that_do_not_go_together_are_refused(trace):
    with pytest.raises(ValueError, match="A trace, or several"):
        viz.heatmaps([])
    with pytest.raises(ValueError, match="titles must be one for each of 2 traces, but 'xy' was given"):
        viz.heatmaps([trace, trace], titles="xy")
