"""The default map: what it finds, what it costs, what an interrupt leaves."""

import numpy as np
import pytest
import torch

import diagnosis
from diagnosis.attribution.maps.ablated import Ablated
from diagnosis.attribution.maps.multiscale import _told
from diagnosis.attribution.perturbation_frame import emptied, whole
from diagnosis.attribution.windows import Window

from .patch_net import red_patch, red_trace


@pytest.fixture(scope="module")
def scene():
    """A trace of a photograph with a red square of 32 px, and the square."""
    image, patch = red_patch((320, 320), (100, 100), 32)
    return red_trace(image, 1, imgsz=320), patch


def explained(trace, detection=0, **options):
    return diagnosis.attribute(trace, detection, **{"progress": False, **options})


def test_what_the_network_sees_is_what_falls(scene):
    trace, (x1, y1, x2, y2) = scene
    made = explained(trace)
    inside = np.zeros(made.map.shape, bool)
    inside[y1:y2, x1:x2] = True
    assert made.map.max() == pytest.approx(1, abs=0.02) and made.map.min() >= 0 and not made.signed
    assert made.map[inside].mean() > 20 * made.map[~inside].mean()
    assert diagnosis.faithfulness(made, ("box",)).pointing == 1


def test_each_scale_is_the_fall_of_its_regions_by_hand(scene):
    trace, _ = scene
    one, window = diagnosis.subject(trace), Window(x=0, y=0, width=192, height=192, shape=(192, 192))
    part = Ablated([one], window, whole(trace), emptied(trace))
    list(part.steps(6, 8, np.inf, quiet=False))
    regions = [part.layers[0][0] == value for value in np.unique(part.layers[0][0])]
    falls = []
    for region in regions:
        frame = torch.where(torch.from_numpy(region), part.empty, part.frame)
        falls.append(float(part.full[0, 0] - part.number(frame)[0, 0]))
    values = np.array([part.layers[0][0][region][0] for region in regions])
    assert np.abs(part.layers[0]).mean() == pytest.approx(1)
    strong = values > 0
    np.testing.assert_allclose(values[strong] / values.max(), np.array(falls)[strong] / max(falls), rtol=1e-4)


def test_a_predict_is_a_pass_of_the_whole_and_a_window_counts_by_its_area(scene):
    trace, _ = scene
    images, forward = [], trace.head.forward
    trace.head.forward = lambda frames, branch: (images.append(frames.shape), forward(frames, branch))[1]
    try:
        made = explained(trace)
    finally:
        del trace.head.forward
    px = sum(batch * height * width for batch, _, height, width in images)
    assert made.heat.passes == pytest.approx(px / 320**2)


@pytest.mark.parametrize("budget", [1, 4, 9])
def test_a_budget_is_kept_and_the_coarsest_map_is_always_there(scene, budget):
    made = explained(scene[0], budget=budget)
    least = 1 + 9 * 0.36  # the detection in the whole and in the window, and about six regions
    assert 0 < made.heat.passes <= max(budget, least) and made.map.any()


def test_more_is_tried_where_more_may_be_spent(scene):
    costs = [explained(scene[0], method=method).heat.passes for method in ("default", "thorough")]
    assert costs[0] <= 16 < costs[1] <= 48


def test_many_boxes_cost_less_each_and_are_each_explained(scene):
    trace, _ = scene
    cells = [{"anchor": trace.anchor(0, row, col)} for row, col in ((9, 9), (9, 14), (14, 9), (30, 30), (31, 31))]
    made = diagnosis.attribute_all(trace, cells, progress=False)
    assert [one.subject.anchor for one in made] == [cell["anchor"] for cell in cells]
    assert sum(one.heat.passes for one in made) <= len(cells) * 16 / len(cells) ** 0.5


def test_edges_and_differences_are_signed(scene):
    trace, _ = scene
    over = explained(trace, what="difference", against="nothing")
    assert over.signed and over.subject.against == 1 and over.map.max() == pytest.approx(1, abs=0.02)
    edge = explained(trace, what="left")
    assert edge.signed and not edge.map.any()  # which is the same whatever is shown
    assert explained(trace, class_id="nothing").subject.against is None


def test_a_class_against_itself_is_refused(scene):
    with pytest.raises(ValueError, match="against must be another class than the one explained, but both are 'red'"):
        diagnosis.attribute(scene[0], what="difference", against="red")


@pytest.mark.parametrize(("limit", "left"), [(3, 0), (4, 1), (6, 2)])
def test_an_interrupt_returns_every_map_as_far_as_it_is(scene, monkeypatch, limit, left):
    """Three passes find two windows; each of these then has a pass of its own and, in batches of 20, its regions."""
    trace, _ = scene
    cells = [{"anchor": trace.anchor(0, *cell)} for cell in ((12, 12), (35, 35))]
    forward, calls = trace.head.forward, []

    def interrupted(frames, branch):
        calls.append(len(frames))
        if len(calls) > limit + 1:
            raise KeyboardInterrupt
        return forward(frames, branch)

    monkeypatch.setattr(trace.head, "forward", interrupted)
    if not left:
        with pytest.raises(KeyboardInterrupt):
            diagnosis.attribute_all(trace, cells, progress=False, batch=20)
        return
    made = diagnosis.attribute_all(trace, cells, progress=False, batch=20)
    assert len(made) == left and made[0].map.any()
    assert all(one.heat.note.startswith("interrupted after ") for one in made)


def test_what_is_just_affordable_is_a_region_and_never_an_empty_batch(scene):
    """Shares of a frame are no round numbers: what is left may be a region's price and yet divide to less than one."""
    trace, _ = scene
    one, window = diagnosis.subject(trace), Window(x=0, y=0, width=192, height=192, shape=(192, 192))
    for regions in range(1, 12):
        part = Ablated([one], window, whole(trace), emptied(trace))
        share, most = part.number.share, 0.0
        for _ in range(regions + 1):  # with the pass of the whole window
            most += share
        costs = list(part.steps(16, 2, most, quiet=False))
        assert min(costs) >= share and sum(costs) <= most + 1e-9


@pytest.mark.parametrize(
    ("count", "seconds", "told"),
    [
        (1, None, ("a map", False)),  # in a window that was given, nothing has been timed
        (1, 0.4, ("a map, about 1 s", False)),
        (12, 9.4, ("maps of 12 boxes, about 9 s", True)),
    ],
)
def test_the_bar_tells_the_cost_beforehand(count, seconds, told):
    assert _told(count, seconds) == told
