"""What ``viz.compare`` marks: class, confidence, gone and new, and where a new box was freed from."""

import numpy as np
import pytest

import viz


@pytest.fixture(scope="module")
def pair(stage, hot):
    """Before: 1 stays, 2 changes class, 3 confidence, 4 goes, and has a rival that is new afterwards."""
    stays, moved, weaker = hot(0, 2, 3), hot(2, 3, 4, 0, 1.5), hot(1, 6, 1, 0, 1.0)
    goes, rival = hot(1, 1, 9, 2, 0.9, 2.0), hot(1, 1, 10, 2, 0.5, 2.0)
    before = stage((128, 192), [stays, moved, weaker, goes, rival], imgsz=192, kept=[0, 1, 2, 3])
    changed = [stays, hot(2, 3, 4, 1, 1.5), hot(1, 6, 1, 0, 0.5), rival]
    return before, stage((128, 192), changed, imgsz=192)


@pytest.fixture(scope="module")
def figure(pair):
    return viz.compare(*pair)


def texts(figure, artists, side):
    return {label.get_text() for label in artists(figure, "label") if label.axes is figure.axes[side]}


def test_every_change_is_marked_with_the_same_numbers_on_both_sides(figure, artists):
    assert texts(figure, artists, 0) == {"0  bird 0.88", "1  bird 0.82", "2  bird 0.73", "3  dog 0.71\ngone"}
    assert texts(figure, artists, 1) == {
        "0  bird 0.88",
        "1  bird → cat\n(+1) 0.82",
        "2  bird\n0.73 → 0.62",
        "4  dog 0.62\nnew, freed from 3",
    }


@pytest.mark.parametrize(
    ("gid", "side", "count"),
    [("same:P3", 0, 1), ("class:P5", 0, 1), ("class:P5", 1, 1), ("gone:P4", 0, 1), ("gone:P4", 1, 0), ("new:P4", 1, 1)],
)
def test_boxes_are_grouped_by_what_became_of_them(figure, artists, gid, side, count):
    found = [box for box in artists(figure, gid) if box.axes is figure.axes[side]]
    assert sum(len(box.get_paths()) for box in found) == count


def test_a_line_joins_the_cells_of_a_changed_class(figure, artists, pair):
    lines = artists(figure, "join")
    assert {line.axes for line in lines} == {None, *figure.axes}  # each panel its part, the figure the gap
    for line in lines:
        assert np.allclose(line.xy1, pair[0].detections.center[1]) and np.allclose(line.xy2, line.xy1)
        assert (line.axesA, line.axesB) == tuple(figure.axes)


def test_the_legend_says_what_happened(figure):
    (legend,) = figure.legends
    told = {text.get_text() for text in legend.get_texts()}
    assert {"unchanged: 1", "class changed, joined by a line: 1", "confidence changed: 1", "gone: 1", "new: 1"} <= told
    assert {"P3, stride 8: 1 → 1", "P4, stride 16: 2 → 2", "P5, stride 32: 1 → 1"} <= told
    notes = legend.get_title().get_text()
    assert "Class ids moved: P5 +1 (1)." in notes
    assert "1 of 1 new boxes had been suppressed by a detection on the left." in notes


def test_labels_beyond_the_most_are_left_out_changes_first(pair, artists):
    figure = viz.compare(*pair, most=1)
    assert texts(figure, artists, 1) == {"1  bird → cat\n(+1) 0.82"}
    assert "6 left out" in figure.legends[0].get_title().get_text()


@pytest.fixture(scope="module")
def two_models(stage, hot):
    """Two models that read the image at two sizes: found by both, on another level, as another class, by one."""
    first = [hot(0, 2, 3), hot(1, 4, 6, 2, 1.0, 2.0), hot(2, 1, 4, 0, 1.5, 1.0), hot(1, 1, 9, 1, 0.5)]
    second = [hot(0, 4, 6, 0, 1.4, 3.0), hot(2, 4, 6, 2, 1.6, 2.0), hot(2, 3, 8, 1, 0.8, 2.0), hot(1, 13, 3, 1, 0.4)]
    return stage((128, 192), first, imgsz=192), stage((128, 192), second, imgsz=384)


def test_two_models_are_matched_by_place_and_the_figure_says_so(two_models, artists):
    figure = viz.compare(*two_models)
    assert texts(figure, artists, 0) == {
        "0  bird 0.88",
        "1  dog 0.73",
        "2  bird 0.82",
        "3  cat 0.62\nhere alone",
    }
    assert texts(figure, artists, 1) == {
        "0  bird\n0.88 → 0.80",
        "1  dog P4 → P5\n0.73 → 0.83",
        "2  bird → cat\n0.82 → 0.69",
        "4  cat 0.60\nhere alone",
    }
    assert not artists(figure, "join")
    assert [ax.get_title() for ax in figure.axes] == ["first model: 4 detections", "second model: 4 detections"]
    (legend,) = figure.legends
    assert "boxes of IoU at least 0.5 matched, those of one class first" in legend.get_title().get_text()
    told = {text.get_text() for text in legend.get_texts()}
    assert {
        "less sure on the right: 1",
        "found on another level: 1",
        "class differs: 1",
        "found on the left alone: 1",
        "found on the right alone: 1",
    } <= told
    assert {"P3, stride 8: 1 → 1", "P4, stride 16: 2 → 1", "P5, stride 32: 1 → 2"} <= told


def test_how_to_match_can_be_said(pair, artists):
    figure = viz.compare(*pair, by="iou", iou=0.9, titles=("a", "b"))
    assert not artists(figure, "join")
    assert "IoU at least 0.9" in figure.legends[0].get_title().get_text()
    assert figure.axes[0].get_title() == "a: 4 detections"


def test_levels_of_either_model_stand_in_the_legend(stage, hot):
    first, second = stage((128, 192), [hot(0, 2, 3)]), stage((128, 192), [hot(2, 1, 1)])
    first.levels = first.levels[:2]
    figure = viz.compare(first, second, by="iou")
    told = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"P3, stride 8: 1 → 0", "P4, stride 16: 0 → 0", "P5, stride 32: 0 → 1"} <= told


def test_traces_of_other_images_or_sizes_are_refused(stage):
    image = np.zeros((128, 192, 3), np.uint8)
    trace = stage((128, 192), imgsz=192)
    with pytest.raises(ValueError, match=r"same image, but these two images differ in their pixels.*replay"):
        viz.compare(trace, stage((128, 192), imgsz=192, image=image))
    with pytest.raises(ValueError, match=r"same image, but these two are \(128, 192, 3\) and \(128, 96, 3\) large"):
        viz.compare(trace, stage((128, 96), imgsz=192))
    with pytest.raises(ValueError, match=r'same image and input size.*by="iou"'):
        viz.compare(trace, stage((128, 192), imgsz=96), by="anchor")
