"""The bars add up to the loss, level by level."""

from dataclasses import replace

import numpy as np
import pytest

import viz
from diagnosis import SIZES, LossByLevel


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    values = rng.uniform(0.1, 1, (3, 4, 3))
    values[:, 3, [0, 2]] = 0
    cells = np.array([[10, 4, 0, 4786], [0, 12, 3, 1185], [0, 2, 9, 289]])
    return LossByLevel(("P3", "P4", "P5"), ("box", "cls", "dfl"), values, cells, np.array([2, 3, 1]), 2)


def test_the_bars_add_up_to_the_loss(result, artists):
    figure = viz.loss_by_level(result)
    for i, item in enumerate(result.items):
        for k, size in enumerate(SIZES):
            bars = artists(figure, f"{item}:{size}")
            assert [bar.get_height() for bar in bars] == pytest.approx(result.values[:, k, i].tolist())
            assert [bar.get_y() for bar in bars] == pytest.approx(result.values[:, :k, i].sum(1).tolist())
        assert [text.get_text() for text in artists(figure, f"{item}:sum")] == [
            f"{value:.3g}" for value in result.values[..., i].sum(1)
        ]
        assert figure.axes[i].get_title() == f"{item}: {result.totals[item]:.3g}"
    assert len({ax.get_ylim() for ax in figure.axes[:3]}) == 1  # one scale for what is compared


def test_cells_and_objects_are_counted(result, artists):
    figure = viz.loss_by_level(result)
    assert [text.get_text() for text in artists(figure, "cells:sum")] == ["14", "15", "11"]
    assert [bar.get_height() for bar in artists(figure, "cells:background")] == [0, 0, 0]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["small: 2 objects", "medium: 3 objects", "large: 1 objects", "background: 6260 cells"]
    assert figure.axes[0].get_ylabel() == "loss, mean of 2 images"


def test_no_loss_at_all_is_drawn_too(pixels):
    none = LossByLevel(("P3",), ("box",), np.zeros((1, 4, 1)), np.zeros((1, 4), np.int64), np.zeros(3, np.int64), 1)
    assert pixels(viz.loss_by_level(none)).any()


def test_what_no_level_pays_and_what_is_left_out_is_told(result):
    values = np.concatenate((result.values, result.values), 2)
    items = ("box", "pose", "kobj", "cls", "l1", "rle")
    more = replace(result, items=items, values=values, unplaced={"sem": 1.25}, left_out={"seg": "it needs outlines"})
    figure = viz.loss_by_level(more)
    words = figure.legends[0].get_title().get_text()
    assert words == "sem: 1.25, paid for the whole picture and by no level.\nWithout seg: it needs outlines."
    titles = [ax.get_title().split(":")[0] for ax in figure.axes if ax.axison]
    assert titles == [*items, "positive cells"]
    assert len({ax.get_position().y0 for ax in figure.axes}) == 2
