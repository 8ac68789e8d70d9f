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
    assert texts(figure, artists, 0) == {"1  bird 0.88", "2  bird 0.82", "3  bird 0.73", "4  dog 0.71\ngone"}
    assert texts(figure, artists, 1) == {
        "1  bird 0.88",
        "2  bird → cat\n(+1) 0.82",
        "3  bird\n0.73 → 0.62",
        "5  dog 0.62\nnew, freed from 4",
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
    assert texts(figure, artists, 1) == {"2  bird → cat\n(+1) 0.82"}
    assert "6 left out" in figure.legends[0].get_title().get_text()


def test_traces_of_other_images_or_sizes_are_refused(stage):
    image = np.zeros((128, 192, 3), np.uint8)
    trace = stage((128, 192), imgsz=192)
    with pytest.raises(ValueError, match=r"same image, but these two images differ in their pixels.*replay"):
        viz.compare(trace, stage((128, 192), imgsz=192, image=image))
    with pytest.raises(ValueError, match="same image and input size"):
        viz.compare(trace, stage((128, 192), imgsz=96))
