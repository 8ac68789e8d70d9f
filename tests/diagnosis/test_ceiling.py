"""The ceiling of a level: objects beyond it are told, found or missed, and boxes that end at it are marked."""

import numpy as np
import pytest
import torch

import anatomy
import diagnosis
import viz
from anatomy import Trace
from diagnosis.objects.reach import Reach
from diagnosis.surveys.looking.image_rows import Truth, image_rows
from diagnosis.surveys.photographs.selection import caption

from .given_boxes import given_trace

BINS = 3  # of 8, 16, 32 px: no side lies further from its cell than 16, 32, 64 px
WIDE, SMALL, FAINT = [0.0, 0, 40, 20], [28.0, 28, 44, 44], [2.0, 40, 36, 60]
FOUND, NEAR, LOW = (0.0, 0.0, 28.0, 20.0), tuple(SMALL), (4.0, 40.0, 36.0, 60.0)
CELLS = {(0, 1, 1): FOUND, (1, 2, 2): NEAR, (0, 6, 1): LOW}  # points (12, 12), (40, 40), (12, 52)


def traced(low: float = 0.1) -> Trace:
    """A bird whose right side lies 28 px from a cell of P3, a cat within reach, and a dog that is hardly seen."""
    scores = {(0, 1, 1): {0: 0.9}, (1, 2, 2): {1: 0.8}, (0, 6, 1): {2: low}}
    plain = given_trace({cell: (box, scores[cell]) for cell, box in CELLS.items()})
    plain.head.reg_max = BINS
    run = plain.run
    bins = torch.zeros(4, BINS, run.boxes.shape[1])
    bins[:, 0] = 20.0  # all sides at the cell, but for the right side of the bird, which wants to lie further
    bins[2, :, plain.anchor("P3", 1, 1)] = torch.tensor([0.0, 2.0, 6.0])
    return Trace(plain.head, run.evolve(box_logits=bins.flatten(0, 1)))


@pytest.fixture(scope="module")
def trace():
    return traced()


@pytest.fixture(scope="module")
def result(trace):
    return diagnosis.missed(trace, [WIDE, SMALL, FAINT], [0, 1, 2])


def test_an_object_beyond_the_ceiling_is_told_though_it_was_found(result):
    assert result.found.tolist() == [0, 1, -1]
    assert result.beyond.tolist() == [[0, 0, 12, 0], [0, 0, 0, 0], [0, 0, 8, 0]]
    assert result.cut.tolist() == [True, False, True]
    cut = "its right side lies beyond the ceiling: up to 28 px from the cell, which reaches 16"
    assert result.reason(0) == f"found by detection 0; {cut}"
    assert result.reason(1) == "found by detection 1"
    assert "found, but cut by the ceiling of their level: object 0" in str(result)


def test_of_a_missed_object_the_ceiling_is_told_beside_what_stopped_it(result):
    assert result.stage(2) == "confidence"
    assert "score 0.10, below 0.8" in result.reason(2)
    assert result.reason(2).endswith(
        "; its right side lies beyond the ceiling: up to 24 px from the cell, which reaches 16"
    )
    rows = result.to_df()
    assert rows.filter("decisive")["cut"].to_list() == [True]
    assert rows["cut"].to_list() == [candidate.cut for candidate in result.candidates[2]]


def test_several_sides_are_named_and_a_head_without_bins_has_no_ceiling():
    reach = Reach(traced())
    anchor = traced().anchor("P3", 4, 4)  # (36, 36)
    assert reach.beyond(np.array([[0.0, 30, 64, 40]]), [anchor]).tolist() == [[20, 0, 12, 0]]
    found = diagnosis.missed(traced(), [[0.0, 0, 40, 44]], [0], iou=0.3)
    assert "its right and bottom sides lie beyond the ceiling: up to 32 px" in found.reason(0)
    plain = given_trace({(0, 1, 1): (FOUND, {0: 0.9})})
    assert not diagnosis.missed(plain, [WIDE], [0]).cut.any() and not plain.cut.any()


def test_the_reach_of_some_cells_is_that_of_all():
    reach, box = Reach(traced()), np.array(WIDE)
    every = reach.overlap(box, slice(None))
    assert np.array_equal(reach.overlap(box, [3, 70, 83]), every[[3, 70, 83]])
    assert every[9] == pytest.approx(28 * 20 / 800)  # P3 (1, 1)


def test_a_box_that_ends_at_the_ceiling_is_marked(trace):
    assert trace.cut_sides.tolist() == [[False, False, True, False], [False] * 4]
    assert trace.cut.tolist() == trace.to_df()["cut"].to_list() == [True, False]


def test_a_comparison_marks_cut_boxes_on_both_sides(trace):
    joined = anatomy.compare(trace, traced(low=0.5))
    assert joined.status == ("same", "same", "new")
    assert joined.cut.tolist() == [[True, True], [False, False], [False, False]]
    rows = joined.to_df()
    assert rows["cut_before"].to_list() == [True, False, None]
    assert rows["cut_after"].to_list() == [True, False, False]


def test_a_survey_says_what_is_cut(trace):
    truth = Truth(boxes=np.array([WIDE, SMALL, FAINT]), class_id=np.array([0, 1, 2]))
    made = image_rows({"number": 0, "image": "given.png"}, trace, truth, 0.5, 0.25)
    assert [row["ceiling"] for row in made.objects] == [True, False, True]
    assert [row["cut"] for row in made.detections] == [True, False]
    assert caption(made.objects[0]).endswith("found: IoU 0.70, beyond its level's ceiling")
    assert caption(made.objects[2]).endswith("missed: not confident enough, beyond its level's ceiling")
    assert caption(made.detections[0], "detections").endswith("correct: IoU 0.70, cut by its level's ceiling")
    assert "ceiling" not in caption(made.objects[1]) + caption(made.detections[1], "detections")


def drawn(figure, gid):
    return [len(one.get_paths()) for ax in figure.axes for one in ax.collections if one.get_gid() == gid]


def test_figures_draw_the_cut_side(trace, result):
    figure = viz.detections(trace)
    (side,) = [one for one in figure.axes[0].collections if one.get_gid() == "cut:P3"]
    assert np.allclose([path.vertices for path in side.get_paths()], [[[28, 0], [28, 20]]])
    assert "side cut by its level's ceiling: 1" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert drawn(viz.compare(trace, traced(low=0.5)), "cut:P3") == [1, 1]
    figure = viz.missed(result)
    assert drawn(figure, "cut") == [1]
    assert any("cut by its level's ceiling: 1" in text.get_text() for text in figure.legends[0].get_texts())
