"""Layouts proposed for encoders that say nothing of themselves: classes that stand first, cells that are left out."""

import numpy as np
import pytest

from diagnosis import check_targets, infer_layout

SIZES = ((256, 256), (192, 320))
STRIDE = 32


def cells(boxes, image_size):
    """Row and column of each object, and centre and size px."""
    boxes = np.asarray(boxes, float)
    centre, side = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    last = np.array(image_size) // STRIDE - 1
    row, col = (np.clip(centre[:, axis] // STRIDE, 0, last[1 - axis]).astype(int) for axis in (1, 0))
    return row, col, np.concatenate((centre, side), 1)


def classes_first(boxes, labels, image_size):
    """(h, w, 8): three classes, objectness, centre and size px."""
    out = np.zeros((image_size[0] // STRIDE, image_size[1] // STRIDE, 8), np.float32)
    for row, col, box, label in zip(*cells(boxes, image_size), np.asarray(labels), strict=True):
        out[row, col] = 0
        out[row, col, label], out[row, col, 3], out[row, col, 4:] = 1, 1, box
    return [out]


def neighbours_unasked(mark):
    def encode(boxes, labels, image_size):
        """(5, h, w): centre and size px, and the class; -1 for nothing, ``mark`` in the cells around an object."""
        out = np.zeros((5, image_size[0] // STRIDE, image_size[1] // STRIDE), np.float32)
        out[4] = -1
        row, col, box = cells(boxes, image_size)
        for r, c in zip(row, col, strict=True):
            around = out[4, max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2]
            around[around == -1] = mark
        for r, c, values, label in zip(row, col, box, np.asarray(labels), strict=True):
            out[:, r, c] = (*values, label)
        return [out]

    return encode


def test_classes_may_stand_before_boxes():
    found = infer_layout(classes_first, num_classes=3, image_sizes=SIZES)
    assert found.explained == 1
    layout = found.layout
    assert (layout.class_channels, layout.objectness, layout.box) == ((0, 1, 2), 3, (4, 5, 6, 7))
    assert (layout.axes, layout.format, layout.unit) == ("HWC", "cxcywh", "px")
    assert check_targets(classes_first, layout, image_sizes=SIZES).ok


def test_what_leaves_a_cell_out_is_read_from_what_is_written():
    for mark in (-2.0, 255.0):
        layout = infer_layout(neighbours_unasked(mark), num_classes=3, image_sizes=SIZES).layout
        assert (layout.class_values, layout.background, layout.ignore) == ("ids", -1.0, mark)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda out: None, "but NoneType came. Put a lambda"),
        (lambda out: {"boxes": out[0], "scores": out[0]}, "but a dict of 'boxes', 'scores' came"),
        (lambda out: ([out[0]], [out[0]]), "but a tuple of list, list came"),
        (lambda out: [out[0][:5, :5]], r"fit the shapes of the outputs, a list of \(5, 5, 8\) came"),
        (lambda out: [out[0].swapaxes(0, 1)], r"called with \(height, width\), and would fit as \(width, height\)"),
    ],
)
def test_what_cannot_be_read_is_told_by_what_came(change, message):
    with pytest.raises(ValueError, match=message):
        infer_layout(lambda *given: change(classes_first(*given)), image_sizes=SIZES)


def test_a_runner_up_that_explains_nothing_is_left_out():
    found = infer_layout(classes_first, image_sizes=SIZES, num_classes=3)
    assert found.runner_up == "" and str(found).endswith("explains 100.0% of the cells that hold an object")
