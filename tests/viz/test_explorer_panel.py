"""The explorer's picture and its panel, without a browser: artists, callbacks, errors in the panel."""

import sys

import numpy as np
import pytest
import torch
from matplotlib.backend_bases import MouseEvent
from matplotlib.colors import to_rgba

import viz
from detectors import demo_scene
from tests.fresh_process import loaded_by
from viz.explorer.panel import Panel
from viz.explorer.picture import LivePicture
from viz.explorer.state import WHAT
from viz.explorer.words import table_lines

IMAGE = demo_scene().image[..., ::-1]


@pytest.fixture
def panel(explorer):
    return Panel(explorer)


# the picture


def test_artists_are_updated_and_none_is_added(explorer, pixels):
    picture = LivePicture(explorer)
    count = len(picture.ax.get_children())
    first = pixels(picture.figure).copy()
    explorer.select(2)
    explorer.edit("silence")
    picture.update()
    assert len(picture.ax.get_children()) == count
    assert not np.array_equal(pixels(picture.figure), first)
    assert len(picture.faces["gone"].get_paths()) == 1
    explorer.undo()
    picture.update()
    assert len(picture.faces["boxes"].get_paths()) == 12 and not picture.faces["gone"].get_paths()


def test_boxes_have_the_colour_of_their_level(explorer):
    picture = LivePicture(explorer)
    names = explorer.trace.detections.level_name
    expected = [to_rgba(viz.level_color(name)) for name in names]
    assert np.allclose(picture.faces["boxes"].get_edgecolor(), expected)
    assert len(picture.faces["rivals"].get_paths()) == len(explorer.trace.detections.suppressed[0])


@pytest.mark.parametrize("what", WHAT)
def test_the_heat_is_that_of_the_focus(explorer, what):
    explorer.look("P5", "cross", what)
    picture = LivePicture(explorer)
    assert picture.heat.get_visible() == (what != "nothing")
    if what != "nothing":
        shape = explorer.trace.shapes[2]
        assert picture.heat.get_array().shape == (*shape, 4)
        strongest = np.unravel_index(picture.heat.get_array()[..., 3].argmax(), shape)
        best = explorer.trace.detections.class_name.index("cross")
        if what != "objectness":
            best = explorer.trace.logits[2][explorer.class_id].argmax()
            assert strongest == np.unravel_index(int(best), shape)


def test_numbers_that_are_none_are_grey(stage, hot):
    trace = stage((96, 128), [hot(0, 2, 3)])
    trace.logits[1][0, 0, 0] = float("nan")
    explorer = staged(trace)
    explorer.look("P4", 0)
    assert LivePicture(explorer).heat.get_array()[0, 0].tolist() == [176, 176, 176, 230]


def staged(trace):
    explorer = viz.Explorer.__new__(viz.Explorer)
    explorer.model, explorer.before, explorer.trace = None, trace, trace
    explorer.levels, explorer.class_id, explorer.what, explorer.follow = (0, 1, 2), None, "score", True
    explorer.anchor, explorer.message, explorer.failed, explorer._live = None, "", False, None
    return explorer


@pytest.mark.parametrize("shape", [(1, 1), (40, 4000), (4000, 40)])
def test_odd_images_make_a_picture(stage, hot, pixels, shape):
    picture = LivePicture(staged(stage(shape, [hot(2, 0, 0)], imgsz=320)))
    assert pixels(picture.figure).shape[:2] == picture.size[::-1]
    assert min(picture.size) >= 120 and max(picture.size) <= 570


def test_a_thousand_detections(stage, hot, pixels):
    spots = [hot(0, row, col, (row + col) % 3, 1.0, 1.0) for row in range(25) for col in range(40)]
    explorer = staged(stage((200, 320), spots, imgsz=320))
    picture = LivePicture(explorer)
    pixels(picture.figure)
    assert len(picture.faces["boxes"].get_paths()) == 1000
    explorer.pick(160, 100)
    assert explorer.facts().detection is not None
    assert len(table_lines(explorer.rows())[1]) == 1000


# the panel


def test_importing_viz_loads_no_widget():
    assert loaded_by("viz") & {"ipywidgets", "ipympl"} == set()


def test_without_ipympl_the_error_says_what_to_install(model, monkeypatch):
    monkeypatch.delitem(sys.modules, "viz.explorer.panel", raising=False)
    monkeypatch.setitem(sys.modules, "ipympl.backend_nbagg", None)
    with pytest.raises(ImportError, match=r"needs ipywidgets and ipympl, but ipympl.* is not installed.*pip install"):
        viz.explore(model, IMAGE)


def test_controls_call_the_explorer(panel):
    explorer = panel.explorer
    panel.level.value = 2
    panel.class_.value = explorer.trace.names and next(k for k, v in explorer.trace.names.items() if v == "cross")
    panel.what.value = "logit"
    assert (explorer.levels, explorer.trace.names[explorer.class_id], explorer.what) == ((2,), "cross", "logit")
    panel.operation.value = "bias"
    panel.bias.value = -1.0
    panel.bias.value = -1.5
    assert "P5: cross biased by -1.50 <em>(live)</em>" in panel.history_html.value
    panel.undo.click()
    assert "No edit." in panel.history_html.value and panel.bias.value == 0
    assert panel.undo.disabled
    assert "Taken back: P5: cross biased by -1.50." in panel.message_html.value


def test_a_click_and_a_line_of_the_table_select(panel):
    found = panel.explorer.trace.detections
    ax, canvas = panel.picture.ax, panel.canvas
    at = ax.transData.transform((found.xyxy[2, 2] - 8, found.xyxy[2, 1] + 8))
    canvas.callbacks.process("button_press_event", MouseEvent("button_press_event", canvas, *at, button=1))
    assert panel.explorer.facts().detection == 2
    assert panel.table.index == 2
    panel.table.index = 5
    assert panel.explorer.facts().detection == 5 and "heart" in panel.facts_html.value


def test_swap_and_silence_wait_for_apply(panel):
    panel.table.index = 1
    panel.operation.value = "swap"
    panel.other.value = 0
    assert panel.explorer.history == () and panel.apply.description == "Apply"
    panel.apply.click()
    panel.operation.value = "silence"
    panel.apply.click()
    assert [edit.operation for edit in panel.explorer.history] == ["swap_classes", "zero_classes"]
    panel.reset.click()
    assert panel.explorer.history == ()


def test_an_error_is_shown_in_the_panel(panel):
    panel.operation.value = "swap"
    panel.apply.click()
    assert "workbench-error" in panel.message_html.value and "A swap needs two classes" in panel.message_html.value
    assert panel.explorer.message.startswith("A swap needs") and panel.explorer.failed
    panel.path.value = "nowhere/at/all.json"
    panel.recipe.click()
    assert "There is no folder" in panel.message_html.value
    panel.table.index = 3
    assert "workbench-error" not in panel.message_html.value


def test_an_error_while_drawing_is_shown_too(panel, monkeypatch):
    monkeypatch.setattr(panel.picture, "update", lambda: 1 / 0)
    panel.table.index = 3
    assert "ZeroDivisionError while drawing: division by zero" in panel.message_html.value


def test_nothing_is_displayed_behind_the_callers_back(model, capsys):
    panel = viz.explore(model, IMAGE)
    assert isinstance(panel, Panel) and capsys.readouterr() == ("", "")


def test_without_detections_there_is_a_panel(model):
    panel = viz.explore(model, np.zeros((64, 64, 3), np.uint8))
    assert panel.explorer.anchor is None and "Nothing is selected" in panel.facts_html.value
    assert panel.table.options == ()
    panel.act(panel.explorer.pick, 30, 30)
    assert "No detection: " in panel.facts_html.value


def test_a_model_of_one_class(build, picture):
    from ultralytics import YOLO

    torch.manual_seed(0)
    model = YOLO("yolov8n.yaml")
    model.model = type(model.model)("yolov8n.yaml", nc=1, verbose=False).eval()
    panel = viz.explore(model, picture, imgsz=192)
    assert panel.shift.disabled and len(panel.class_.options) == 2
    panel.operation.value = "bias"
    panel.bias.value = 8.0
    assert len(panel.explorer.history) == 1
    panel.explorer.follow = False
    panel.act(panel.explorer.edit, "silence")
    assert not len(panel.explorer.trace.detections) and not panel.explorer.failed
