"""Encoded targets are read as the layout says, whatever its format, and what fits no object is red."""

import numpy as np
import pytest
import torch

import diagnosis
import viz
from diagnosis import TargetLayout

unlaid = pytest.mark.usefixtures("unlaid")

SIZE = (128, 192)
BOX = np.array([[40.0, 24, 88, 72]])  # its centre lies in cell (3, 4) of stride 16, anchor point (72, 56)


def encoded(layout: TargetLayout, row: int = 3, col: int = 4) -> list[torch.Tensor]:
    """One lit cell on the second of three levels, which holds the box as the layout says."""
    levels = [torch.zeros(8, SIZE[0] // stride, SIZE[1] // stride) for stride in layout.strides]
    x1, y1, x2, y2 = BOX[0]
    point = (np.array([col, row]) + layout.grid_offset) * 16
    low, high = np.array([x1, y1]), np.array([x2, y2])
    first, second = {
        "xyxy": (low, high),
        "xywh": (low, high - low),
        "cxcywh": ((low + high) / 2, high - low),
        "ltrb": (point - low, high - point),
    }[layout.format]
    if layout.relative and layout.format != "ltrb":
        first = first - point
        second = second - point if layout.format == "xyxy" else second
    unit = {"px": (1, 1), "stride": (16, 16), "normalized": (SIZE[1], SIZE[0])}[layout.unit]
    levels[1][list(layout.box), row, col] = torch.tensor(np.concatenate((first / unit, second / unit))).float()
    levels[1][4, row, col] = 1
    levels[1][6, row, col] = 1
    return levels


@unlaid
@pytest.mark.parametrize("form", ["cxcywh", "xywh", "xyxy", "ltrb"])
@pytest.mark.parametrize("unit", ["px", "stride", "normalized"])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("objectness", [4, None])
def test_a_right_target_lies_on_its_object(artists, form, unit, relative, objectness):
    layout = TargetLayout(format=form, unit=unit, relative=relative, objectness=objectness, classes=slice(5, 8))
    figure = viz.targets(encoded(layout), layout, boxes=BOX, image_size=SIZE)
    (fits,), (wrong,) = artists(figure, "fits:P4"), artists(figure, "wrong:P4")
    assert len(wrong.get_paths()) == 0
    assert np.allclose(fits.get_paths()[0].vertices[[0, 2]].ravel(), BOX[0], atol=1e-3)
    (cells,) = artists(figure, "cells:P4")
    assert np.allclose(cells.get_paths()[0].vertices[0], (64, 48))
    assert figure.axes[1].get_title() == "P4: 8 × 12 cells, 1 lit, 0 wrong"


def test_a_wrong_target_is_red(artists):
    layout = TargetLayout(classes=slice(5, 8))
    levels = encoded(layout)
    levels[1][0] += 100
    figure = viz.targets(levels, layout, boxes=BOX, image_size=SIZE, title="faulty")
    assert len(artists(figure, "wrong:P4")[0].get_paths()) == 1
    assert len(artists(figure, "way:wrong:P4")[0].get_paths()) == 1
    assert figure.axes[0].get_ylabel() == "faulty"


def test_true_boxes_may_be_what_was_read(artists, tmp_path):
    (tmp_path / "image.png").touch()
    (tmp_path / "image.txt").write_text("0 0.333333333 0.375 0.25 0.375")
    labels = diagnosis.read_labels(tmp_path / "image.txt")[0]
    layout = TargetLayout(classes=slice(5, 8))
    figure = viz.targets(encoded(layout), layout, boxes=labels, image_size=SIZE)
    assert np.allclose(artists(figure, "true")[0].get_paths()[0].vertices[[0, 2]].ravel(), BOX[0], atol=1e-3)
    assert len(artists(figure, "wrong:P4")[0].get_paths()) == 0


def test_cells_beyond_the_image_are_shown(artists, pixels):
    layout = TargetLayout(classes=slice(5, 8))
    levels = [level.transpose(1, 2) for level in encoded(layout)]
    figure = viz.targets(levels, layout, np.zeros((*SIZE, 3), np.uint8))
    assert figure.axes[0].get_ylim()[0] == 192
    assert "wrong" not in figure.axes[0].get_title()
    assert pixels(figure).any()


def test_what_does_not_fit_the_layout_is_refused():
    layout = TargetLayout(classes=slice(5, 8))
    with pytest.raises(ValueError, match="3 strides, but 2 levels"):
        viz.targets(encoded(layout)[:2], layout)
    with pytest.raises(ValueError, match=r"\(C, h, w\) with C of at least 8"):
        viz.targets([level[:4] for level in encoded(layout)], layout)
