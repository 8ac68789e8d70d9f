"""The randomization test: which maps are others when the weights are, and how alike unrelated maps are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import diagnosis
from diagnosis.attribution.evidence import randomization
from diagnosis.attribution.evidence.randomization import Randomization, in_box, rank_correlation, without_weights

from .patch_net import RedNet, red_patch, red_trace


@pytest.fixture
def trace():
    """One whose network has some noise in every weight."""
    image, _ = red_patch((256, 256), (100, 100), 32)
    torch.manual_seed(0)
    net = RedNet()
    with torch.no_grad():
        for conv in (net.stem, *net.down, *net.head):
            conv.weight.add_(0.1 * conv.weight.abs().max() * torch.randn_like(conv.weight))
    return red_trace(image, 1, net=net)


def told(correlation, null, asked=("class row", "backbone"), blank=(0, 0, 0)):
    return Randomization(
        stages=("class row", "head", "backbone"),
        correlation=np.array(correlation),
        null=np.array(null),
        asked=asked,
        blank=np.array(blank),
    )


@pytest.mark.parametrize(
    ("correlation", "null", "asked", "passes"),
    [
        ([0.3, 0.9, 0.2], [0.1, 0.4], ("class row", "backbone"), True),  # the stage between is not asked
        ([0.5, 0.1, 0.2], [0.1, 0.4], ("class row", "backbone"), False),  # still itself without its class rows
        ([0.5, 0.1, 0.2], [0.1, 0.4], ("backbone",), True),  # which an edge does not depend on
        ([0.7, 0.7, 0.7], [0.8], ("class row", "backbone"), True),  # broad maps are alike by nature
        ([0.95, 0.7, 0.7], [0.99], ("class row", "backbone"), False),  # but this one is the same
        ([0.0, 0.0, 0.0], [], ("backbone",), False),  # nothing to compare with proves nothing
    ],
)
def test_the_verdict_by_hand(correlation, null, asked, passes):
    assert told(correlation, null, asked).passes is passes


@pytest.mark.parametrize(
    ("blank", "asked", "gone"),
    [
        ([1, 0, 1], ("class row", "backbone"), True),  # the stage between is not asked
        ([1, 1, 0.5], ("class row", "backbone"), False),  # in one of two shuffles something is left
        ([0, 0, 1], ("backbone",), True),
    ],
)
def test_nothing_is_known_of_a_shape_where_nothing_was_left(blank, asked, gone):
    assert told([0, 0, 0], [0.5], asked, blank).gone is gone


@pytest.mark.parametrize(
    ("correlation", "blank", "mean"),
    [
        ([-0.5, 0.25], [False, False], 0.375),
        ([0.0, 0.9, 0.0], [True, False, True], 0.9),  # one same map is not excused by two blank ones
        ([0.0, 0.0], [True, True], 0.0),
    ],
)
def test_shuffles_that_leave_nothing_do_not_dilute_the_others(correlation, blank, mean):
    assert randomization._mean_of_left(correlation, blank) == pytest.approx(mean)


def silenced(trace, monkeypatch, least=1.0):
    """As if no class reached this score."""
    monkeypatch.setattr("diagnosis.attribution.maps.ablated.LEAST", least)
    return diagnosis.attribute(trace, 0, budget=4, progress=False)


def test_a_class_that_is_not_there_has_a_map_of_zeros_that_says_so(trace, monkeypatch):
    there = diagnosis.attribute(trace, 0, budget=4, progress=False)
    assert there.map.any() and not there.heat.note
    gone = silenced(trace, monkeypatch)
    assert not gone.map.any() and gone.heat.note.startswith("nothing to explain: IoU × probability < ")
    assert gone.heat.passes < there.heat.passes  # no region was tried
    assert not diagnosis.faithfulness(gone, ("randomization",), shuffles=1).randomization.passes  # zeros stay zeros
    edge = diagnosis.attribute(trace, 0, budget=4, progress=False, what="left")
    assert not edge.heat.note  # which is always somewhere


def test_a_map_that_goes_blank_has_changed_and_the_words_say_how(trace, monkeypatch):
    there = diagnosis.attribute(trace, 0, budget=4, progress=False)
    with monkeypatch.context() as patch:
        patch.setattr("diagnosis.attribution.maps.ablated.LEAST", 1.0)
        patch.setattr(randomization, "_of_others", lambda attribution: (attribution,))
        found = diagnosis.faithfulness(there, ("randomization",), shuffles=1)
    test = found.randomization
    assert test.blank.tolist() == [1, 1] and test.correlation.tolist() == [0, 0] and test.gone and test.passes
    assert found.words()[-1] == "randomization passed (without the weights nothing is left to explain)"


def test_a_map_seen_from_its_box():
    values = np.zeros((90, 120), np.float32)
    values[30:60, 40:80] = 1  # the box, whose surroundings of one side are the photograph
    seen = in_box(values, np.array([40, 30, 80, 60]))
    assert seen.shape == (48, 48) and seen[17:31, 17:31].min() == 1
    assert seen[:15].max() == seen[33:].max() == seen[:, :15].max() == seen[:, 33:].max() == 0
    beyond = in_box(values, np.array([0, 30, 40, 60]))
    assert np.isnan(beyond[:, :15]).all() and np.isfinite(beyond[:, 17:]).all()


def test_rank_correlation_by_hand():
    assert rank_correlation(np.array([1.0, 2, 3, 9]), np.array([10.0, 20, 30, 31])) == pytest.approx(1)
    assert rank_correlation(np.array([1.0, 2, 3]), np.array([3.0, 2, 1])) == pytest.approx(-1)
    assert rank_correlation(np.array([0.0, 1, 2, 0]), np.array([0.0, 5, 5, 0])) == 0.0  # one is constant where used
    assert rank_correlation(np.zeros(4), np.zeros(4)) == 1.0
    # ranks with ties (0, 1.5, 1.5, 3) and (0, 1, 2, 3): covariance 4.5 / 4, variances 4.5 / 4 and 5 / 4
    assert rank_correlation(np.array([1.0, 2, 2, 3]), np.array([1.0, 2, 3, 4])) == pytest.approx(0.9**0.5)


def test_a_map_that_ignores_the_weights_fails_and_one_that_reads_them_changes(trace):
    before = {name: value.clone() for name, value in trace.head.net.state_dict().items()}
    box = diagnosis.faithfulness(diagnosis.attribute(trace, 0, "box fill"), ("randomization",)).randomization
    assert box.correlation.tolist() == [1.0] * len(box.stages) and not box.passes
    made = diagnosis.attribute(trace, 0, "odam")
    found = diagnosis.faithfulness(made, ("randomization",), seed=1).randomization
    assert found.stages == found.asked == ("class row", "backbone")  # all convolutions of this head are class rows
    assert found.correlation.max() < 1 and len(found.null) == 5 and (found.null >= 0).all()
    single = [
        diagnosis.faithfulness(made, ("randomization",), seed=seed, shuffles=1).randomization.correlation
        for seed in (1, 2, 3)
    ]
    np.testing.assert_allclose(found.correlation, np.mean(single, axis=0))
    assert all(torch.equal(value, before[name]) for name, value in trace.head.net.state_dict().items())


def test_an_edge_need_not_change_with_the_class_rows(trace):
    made = diagnosis.attribute(trace, 0, "box fill", what="left")
    assert diagnosis.faithfulness(made, ("randomization",), shuffles=1).randomization.asked == ("backbone",)


def test_the_null_is_made_of_other_boxes_box_upon_box(trace, monkeypatch):
    asked = []
    explain = randomization.explain_others
    monkeypatch.setattr(randomization, "explain_others", lambda one, many: asked.extend(many) or explain(one, many))
    made = diagnosis.attribute(trace, 0, "odam")
    found = diagnosis.faithfulness(made, ("randomization",), shuffles=1).randomization
    boxes = np.array([made.subject.box, *(one.box for one in asked)])
    low, high = np.maximum(boxes[:, None, :2], boxes[None, :, :2]), np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common, area = (high - low).clip(0).prod(2), (boxes[:, 2:] - boxes[:, :2]).prod(1)
    overlap = common / (area[:, None] + area[None] - common) - np.eye(len(boxes))
    assert len(asked) == 5 and overlap.max() < 0.3
    one = explain(made, asked[:1])[0]
    expected = rank_correlation(in_box(made.map, made.subject.box), in_box(one.map, one.subject.box))
    assert found.null[0] == pytest.approx(abs(expected))


def test_a_map_without_weights_is_another_and_the_weights_come_back(trace):
    before = {name: value.clone() for name, value in trace.head.net.state_dict().items()}
    made = diagnosis.attribute(trace, 0, "odam")
    assert not np.allclose(without_weights(made), made.map)
    np.testing.assert_array_equal(without_weights(diagnosis.attribute(trace, 0, "box fill")).max(), 1)
    assert all(torch.equal(value, before[name]) for name, value in trace.head.net.state_dict().items())


def test_the_weights_come_back_when_the_test_breaks_off(trace, monkeypatch):
    before = {name: value.clone() for name, value in trace.head.net.state_dict().items()}
    made = diagnosis.attribute(trace, 0, "odam")
    run, calls = diagnosis.METHODS["odam"].run, []

    def broken(subjects):
        calls.append(subjects)
        if len(calls) > 1:  # after the null, in the midst of the shuffling
            raise RuntimeError("broken")
        return run(subjects)

    monkeypatch.setitem(diagnosis.METHODS, "odam", replace(diagnosis.METHODS["odam"], run=broken))
    with pytest.raises(RuntimeError, match="broken"):
        diagnosis.faithfulness(made, ("randomization",))
    assert len(calls) == 2
    assert all(torch.equal(value, before[name]) for name, value in trace.head.net.state_dict().items())
