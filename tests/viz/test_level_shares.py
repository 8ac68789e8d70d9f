"""Bars of what each decoder layer looked at."""

import numpy as np
import pytest

import anatomy
import viz
from tests.contract.rows import PICTURE
from tests.other_heads import rtdetr


@pytest.fixture(scope="module")
def shares():
    return anatomy.level_shares(anatomy.trace(rtdetr(seed=9), PICTURE, imgsz=128))


def test_bars_are_the_shares_one_upon_the_other(shares, artists):
    figure = viz.level_shares(shares, [3, 0])
    for layer in range(3):
        start = np.zeros(2)
        for at, name in enumerate(("P3", "P4", "P5")):
            bars = artists(figure, f"layer {layer}:{name}")
            assert [bar.get_width() for bar in bars] == pytest.approx(shares.shares[[3, 0], layer, at].tolist())
            assert [bar.get_x() for bar in bars] == pytest.approx(start.tolist())
            start += [bar.get_width() for bar in bars]
        assert start == pytest.approx(1)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    found = shares.detections
    place = f"{found.level_name[3]} ({found.row[3]}, {found.col[3]})"
    assert labels[0] == f"3: {found.class_name[3]} {found.confidence[3]:.2f}, {place}"
    assert [ax.get_title() for ax in figure.axes] == ["layer 0", "layer 1", "layer 2"]
    assert len(viz.level_shares(shares).axes[0].get_yticklabels()) == 12


def test_detections_that_there_are_not_are_refused(shares):
    with pytest.raises(IndexError, match=rf"Detection 99 does not exist: this image has {len(shares)}, numbered from"):
        viz.level_shares(shares, [99])
    with pytest.raises(ValueError, match=r"At least one detection is needed.*lower conf"):
        viz.level_shares(shares, [])
